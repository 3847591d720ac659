"""Tombstones: which events are no longer what was sealed, and the event that says so and is sealed itself.

Whoever takes something out of events ``lists`` them in the notes of an event of its own: how many, and one hash over
their numbers and digests. A tombstone that no such event tells of counts for nothing, so ``audit verify`` names the
event as changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from ..models import AuditEvent, Seal, Tombstone

#: In the ``after`` of the event that tells of them.
KEY = "tombstones"
BATCH = 5_000


def listed(events: Iterable[int]) -> dict[str, Any]:
    """What an event says of those, by their numbers, from which it took something: ``{"events": 3, "sha256": …}``."""
    numbers, lines = sorted(events), list[str]()
    for start in range(0, len(numbers), 500):
        some = numbers[start : start + 500]
        digests = dict(Seal.objects.filter(event__in=some).values_list("event_id", "digest"))
        lines += [f"{number}:{digests.get(number, '')}\n" for number in some]
    return {"events": len(numbers), "sha256": sha256("".join(sorted(lines)).encode()).hexdigest()}


def put(events: Iterable[int], told_by: AuditEvent) -> None:
    """A tombstone on each of these. Called in the transaction that wrote ``told_by``."""
    Tombstone.objects.bulk_create(
        (Tombstone(event_id=number, told_by=told_by) for number in sorted(events)), batch_size=500
    )


def told() -> dict[int, int]:
    """All events whose tombstone is told of, exactly, by an event that has none itself; and by which."""
    under: dict[int, list[int]] = {}
    for event, told_by in Tombstone.objects.values_list("event_id", "told_by_id").iterator(BATCH):
        under.setdefault(told_by, []).append(event)
    known: dict[int, int] = {}
    for teller in AuditEvent.objects.filter(pk__in=under, tombstone=None):
        if teller.after.get(KEY) == listed(under[teller.pk]):
            known |= dict.fromkeys(under[teller.pk], teller.pk)
    return known
