#!/usr/bin/env python
"""The portal's commands."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"the database can't be used: {str(error).strip()}. What was being changed was not changed.")


if __name__ == "__main__":
    main()
