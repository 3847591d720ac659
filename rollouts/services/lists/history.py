"""History: for its page, the API and ``audit find``. What needs a role to see is not searched."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from ...audit.source import SOURCES
from ...models import AuditEvent
from ...models.keyset import Keyset
from ...rules.datetimes import asked_since, asked_until
from .asked import Asked, Moment, OneOf, Text, in_any

NEWEST_FIRST = Keyset("audit", {"-at": datetime, "-pk": int})


class HistoryFilter(Asked):
    rollout = Text(method="of_rollout", help_text="The rollout's slug.")
    actor = Text(help_text="Who did it: the user name.")
    verb = Text(method="of_verb", help_text="A verb (phase.start) or its first part (phase).")
    source = OneOf(SOURCES, help_text="Where it was done.")
    since = Moment(asked_since, field_name="at", lookup_expr="gte", help_text="A day or a time; without zone UTC.")
    until = Moment(
        asked_until, field_name="at", lookup_expr="lt", help_text="A time, or a day, which is then included."
    )
    q = Text(method="search", help_text="In names, people and reasons.")

    def __init__(self, query: Any, **kwargs: Any) -> None:
        super().__init__(query, AuditEvent.objects.newest_first(), **kwargs)

    def of_rollout(self, events: QuerySet[AuditEvent], name: str, slug: str) -> QuerySet[AuditEvent]:
        return events.of_rollout(slug)  # type: ignore[attr-defined]

    def of_verb(self, events: QuerySet[AuditEvent], name: str, verb: str) -> QuerySet[AuditEvent]:
        exact = Q(verb=verb)
        return events.filter(exact if "." in verb else exact | Q(verb__startswith=f"{verb}."))

    def search(self, events: QuerySet[AuditEvent], name: str, text: str) -> QuerySet[AuditEvent]:
        return events.filter(in_any(("object_name", "reason", "actor", "rollout__title"), text))
