"""The process that reads one calendar: ``python -m rollouts.calendars.child``, a question and the file in, JSON out.

It is bound before it looks at the file. Nothing else imports the libraries; see ``reader`` for who starts it.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from datetime import datetime
from typing import Any

from ..rules.phrases import packed, say
from ..rules.zones import zone
from .limits import TooLong, confine
from .refusals import CalendarRefused, too_much


def main() -> None:
    question, _, content = sys.stdin.buffer.read().partition(b"\n")
    confine()
    try:
        answer = _read(json.loads(question), content)
    except CalendarRefused as refused:
        answer = {"refused": packed(refused.args[0])}
    except (TooLong, MemoryError, RecursionError):
        answer = {"refused": packed(too_much().args[0])}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # nothing is left to do, and a large file takes long to forget


def _read(asked: dict[str, Any], content: bytes) -> dict[str, Any]:
    from .parsing import calendars_of  # loading the libraries is work that the limits bound too
    from .periods import CalendarQuestion, periods

    warnings.simplefilter("ignore")
    question = CalendarQuestion(
        datetime.fromisoformat(asked["since"]),
        datetime.fromisoformat(asked["until"]),
        zone(asked["zone"]),
        asked["transparent_locks"],
    )
    try:
        found, notes = periods(calendars_of(content), question)
    except CalendarRefused:
        raise
    except Exception as error:  # what the libraries make of a file is theirs; nobody else may have to do with it
        raise CalendarRefused(
            say("the calendar can't be read ({error}). Export it anew.", error=type(error).__name__)
        ) from None
    return {
        "periods": [[start.isoformat(), end.isoformat(), title] for start, end, title in found],
        "notes": [packed(note) for note in notes],
    }


if __name__ == "__main__":
    main()
