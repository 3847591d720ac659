"""``manage.py loaddata``: Django's, for accounts and roles; with events, and refused in words for all else."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.management.commands import loaddata

from rollouts.audit.source import coming_from
from rollouts.models.change_log import Unaudited


class Command(loaddata.Command):
    def handle(self, *labels: Any, **options: Any) -> None:
        try:
            with coming_from("command"):
                super().handle(*labels, **options)
        except Unaudited as refused:
            raise CommandError(f"Nothing was loaded: {refused}.") from None
        except ValidationError as refused:
            raise CommandError(f"Nothing was loaded: {' '.join(refused.messages)}") from None
