"""``manage.py changepassword``: Django's, with its event; the person sets their own at the next sign-in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import changepassword

from rollouts.audit.source import coming_from


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> Any:
        with coming_from("command"):
            return super().handle(*args, **options)
