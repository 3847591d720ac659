"""Events read past the ORM's one selection at a time: several selections together, or along one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from ...models import AuditEvent

#: So many events are walked along at most, to see which hold some words.
WALKED = 20_000


def loaded(numbers: Iterable[int]) -> list[AuditEvent]:
    """These events, in this order."""
    numbers = list(numbers)
    found = as_listed(AuditEvent.objects.order_by()).in_bulk(numbers)
    return [found[pk] for pk in numbers]


def as_listed(events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    """With what lists tell of them: of many events there are few rollouts, and no list tells how an object was made."""
    return events.prefetch_related("rollout").defer("snapshot")


def first_of(parts: Sequence[QuerySet[AuditEvent]], limit: int, way: str) -> list[int]:
    """The numbers of the first of several selections, each of which is in order and has an index in that order."""
    union, values = _together([part.values_list("at", "pk")[:limit] for part in parts])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM ({union}) AS parts ORDER BY 1 {way}, 2 {way} LIMIT {limit}",  # noqa: S608 - as Django wrote it
            values,
        )
        return [pk for _, pk in cursor.fetchall()]


def count_of(parts: Sequence[QuerySet[AuditEvent]], most: int) -> int:
    """How many there are in several selections that have nothing in common, so many at most."""
    union, values = _together([part.values_list("pk")[:most] for part in parts])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT COUNT(*) FROM (SELECT * FROM ({union}) AS parts LIMIT {most}) AS counted",  # noqa: S608 - as above
            values,
        )
        found: int = cursor.fetchone()[0]
        return found


def walk(events: QuerySet[AuditEvent], entries: QuerySet[Any], limit: int, way: str) -> list[int]:
    """The numbers of the first of these events, which are in order, that one of the entries is of."""
    along, values = events.values_list("at", "pk").query.sql_with_params()
    of_it, asked = entries.extra(where=["event_id = walked.pk"]).values_list("pk")[:1].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pk FROM ({along}) AS walked(at, pk) WHERE ({of_it}) IS NOT NULL "  # noqa: S608 - as above
            f"ORDER BY at {way}, pk {way} LIMIT {limit}",
            [*values, *asked],
        )
        return [pk for (pk,) in cursor.fetchall()]


def _together(parts: Sequence[QuerySet[AuditEvent, Any]]) -> tuple[str, list[Any]]:
    asked = [part.query.sql_with_params() for part in parts]
    union = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS part{place}" for place, (sql, _) in enumerate(asked))  # noqa: S608
    return union, [value for _, values in asked for value in values]
