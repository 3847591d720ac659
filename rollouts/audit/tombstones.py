"""Tombstones: which events are no longer what was sealed, and the event that says so and is sealed itself.

Whoever takes something out of events, or lets them go, lists them in the notes of an event of its own: how many, and
one hash over their numbers and digests. A tombstone that no such event tells of counts for nothing, so ``audit verify``
names the event as changed or removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from ..models import AuditEvent, Seal, Tombstone
from . import canonical, sealing

#: In the ``after`` of the event that tells of them.
KEY = "tombstones"
#: Tells of events that are gone altogether, because they are past their age; ``older_than`` says of which age.
GONE = "keeping.tombstones"
BATCH = 5_000


class Teller(NamedTuple):
    """The number of the event that tells of a tombstone; whether what it tells of is gone altogether."""

    event: int
    is_gone: bool


def listed(events: Iterable[int]) -> dict[str, Any]:
    """What an event says of those, by their numbers, from which it took something: ``{"events": 3, "sha256": …}``."""
    numbers, lines = sorted(events), list[str]()
    for start in range(0, len(numbers), 500):
        some = numbers[start : start + 500]
        digests = dict(Seal.objects.filter(event__in=some).values_list("event_id", "digest"))
        lines += [f"{number}:{digests.get(number, '')}\n" for number in some]
    return {"events": len(numbers), "sha256": sha256("".join(sorted(lines)).encode()).hexdigest()}


def altered(events: Iterable[int]) -> set[int]:
    """Those, by their numbers, that are sealed and are not what was sealed, and that no tombstone says so of yet."""
    numbers, found, hide = sorted(events), set[int](), sealing.Salts()
    for start in range(0, len(numbers), 500):
        some = Seal.objects.filter(event__in=numbers[start : start + 500], event__tombstone=None)
        seals = list(some.select_related("event"))
        names = {seal.event_id: canonical.names_in(seal.event) for seal in seals}
        hide.know(names.values())
        concerns = sealing.concerned(names)
        chains, places = {seal.chain for seal in seals}, {seal.number - 1 for seal in seals}
        rows = Seal.objects.filter(chain__in=chains, number__in=places).values_list("chain", "number", "digest")
        before = {(chain, number): digest for chain, number, digest in rows}
        for seal in seals:
            form = canonical.sealed(
                seal.event, names[seal.event_id], concerns[seal.event_id], hide, sealing.key(seal.salt),
                number=seal.number, previous=before.get((seal.chain, seal.number - 1), ""),
            )  # fmt: skip
            if canonical.digest(form) != seal.digest:
                found.add(seal.event_id)
    return found


def put(events: Iterable[int], told_by: AuditEvent) -> None:
    """A tombstone on each of these. Called in the transaction that wrote ``told_by``."""
    Tombstone.objects.bulk_create(
        (Tombstone(event_id=number, told_by=told_by) for number in sorted(events)), batch_size=500
    )


def told() -> dict[int, Teller]:
    """All events whose tombstone is told of, exactly, by an event that has none itself; and by which."""
    under: dict[int, list[int]] = {}
    for event, told_by in Tombstone.objects.values_list("event_id", "told_by_id").iterator(BATCH):
        under.setdefault(told_by, []).append(event)
    known: dict[int, Teller] = {}
    tellers = sorted(under)
    for start in range(0, len(tellers), 500):
        for teller in AuditEvent.objects.filter(pk__in=tellers[start : start + 500], tombstone=None):
            if teller.after.get(KEY) == listed(under[teller.pk]):
                known |= dict.fromkeys(under[teller.pk], Teller(teller.pk, teller.verb == GONE))
    return known


def gone_before(chain: str = "") -> datetime | None:
    """Events from before this moment may be past their age and gone, of a chain or of any; None where none are."""
    tellers = AuditEvent.objects.filter(verb=GONE)
    if chain:
        gone = Tombstone.objects.filter(event__in=Seal.objects.filter(chain=chain).values("event"))
        tellers = tellers.filter(pk__in=gone.values("told_by"))
    newest = tellers.order_by("-at", "-pk").values_list("after__older_than", flat=True).first()
    return datetime.fromisoformat(newest) if newest else None
