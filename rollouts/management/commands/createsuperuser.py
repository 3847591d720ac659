"""``manage.py createsuperuser``: Django's, with its event."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from rollouts.audit.source import coming_from


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with coming_from("command"):
            super().handle(*args, **options)
