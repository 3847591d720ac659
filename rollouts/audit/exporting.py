"""What leaves the portal to be checked without it (docs/history-format.md, docs/check_history.py): exports and proofs.

An export is JSON lines: an event a line, and at the end a manifest, so that one that breaks off shows. Each event
stands there twice: ``sealed``, exactly as it is hashed, and ``event``, as people read it. Where something was taken out
of an event, ``tombstone`` stands in the place of ``sealed``: the digest, and the event that tells of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, TextIO

from django.db.models import QuerySet

from ..models import (
    AuditEvent,
    Checkpoint,
    GitLabInstance,
    GitLabProject,
    IncidentSource,
    PersonSalt,
    ReadingGap,
    Seal,
)
from ..rules import merkle
from ..rules.phrases import say
from . import canonical, sealing, tombstones
from .signed_note import read as read_note

BATCH = 1_000
#: What an export that can be taken up has besides events.
BESIDE = {
    GitLabInstance: ("flags_read_at",),
    GitLabProject: ("flags_read_at", "issues_read_at"),
    IncidentSource: ("read_at",),
}
GAP = ("instance_id", "project_id", "since", "until")


class NotSealed(ValueError):
    """There is nothing that could be proved yet."""


def export(
    to: TextIO,
    events: QuerySet[AuditEvent],
    tell: Callable[[AuditEvent], dict[str, Any]],
    query: Mapping[str, str],
    *,
    for_import: bool = False,
) -> dict[str, Any]:
    """Write these events in the order of their places, and the manifest, which it returns.

    ``for_import``: with all that another portal needs to take the history up (``audit.export_reading``).

    Raises ``NotSealed`` where there is no checkpoint yet.
    """
    newest = _newest()
    seals = Seal.objects.filter(position__lt=newest.size).order_by("position")
    if query:
        seals = seals.filter(event__in=events.order_by().values("pk"))
    written, count, last, forms, told = sha256(), 0, -1, _Forms(), tombstones.told()
    while batch := list(seals.filter(position__gt=last)[:BATCH]):
        for seal, event, form in forms.of(batch):
            if (teller := told.get(seal.event_id)) or form is None:
                sealed: dict[str, Any] = {"tombstone": forms.tombstone(seal, teller)}
            else:
                sealed = {"sealed": form.decode()}
            row = {"position": seal.position, **sealed, "event": tell(event) if event else None}
            if for_import:
                row |= {"salt": seal.salt, "row": forms.row(event) if event else None}
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
            written.update(line.encode())
            to.write(line)
            count += 1
        last = batch[-1].position
    manifest = {
        "version": canonical.VERSION,
        "history": sealing.origin(),
        "query": dict(query),
        "is_whole": not query,
        "events": count,
        "sha256": written.hexdigest(),
        "checkpoint": newest.note,
        "keys": newest.keys,
    }
    if for_import:
        manifest |= {"people": list(PersonSalt.objects.order_by("pk").values("name", "salt", "hidden")), **_beside()}
    to.write(json.dumps({"manifest": manifest}, ensure_ascii=False, default=str) + "\n")
    return manifest


def proof(event: int) -> dict[str, Any]:
    """That an event is one of those under the newest checkpoint.

    Raises ``NotSealed``, and ``AuditEvent.DoesNotExist``.
    """
    newest = _newest()
    seal = Seal.objects.filter(event=event, position__lt=newest.size).first()
    if seal is None:
        AuditEvent.objects.get(pk=event)
        raise NotSealed(
            say("Event {event} is not under a checkpoint yet: `audit checkpoint` seals it.", event=str(event))
        )
    ((_seal, _event, form),) = _Forms().of([seal])
    if form is None or event in tombstones.told():
        raise NotSealed(
            say("Event {event} is no longer what was sealed: its tombstone stands in an export.", event=str(event))
        )
    path = merkle.inclusion(list(sealing.leaves(0, newest.size)), seal.position)
    return {
        "event": event,
        "position": seal.position,
        "sealed": form.decode(),
        "path": [step.hex() for step in path],
        "checkpoint": newest.note,
        "keys": newest.keys,
    }


def growth(note: str) -> dict[str, Any]:
    """That the history of an earlier checkpoint is the beginning of today's. Raises ``NotSealed``, ``NoteRefused``."""
    newest, first = _newest(), read_note(note)
    if not 0 < first.size <= newest.size:
        raise NotSealed(
            say("The checkpoint is over {size} events, the newest of this portal is over {newest}.",
                size=first.size, newest=newest.size)
        )  # fmt: skip
    path = merkle.consistency(list(sealing.leaves(0, newest.size)), first.size)
    return {"first": note, "path": [step.hex() for step in path], "checkpoint": newest.note, "keys": newest.keys}


def _beside() -> dict[str, Any]:
    """What no event holds and the past is told by: when GitLab was read, and when it was not."""
    read = {
        model.__name__: {str(one.pop("pk")): one for one in model._default_manager.values("pk", *names)}
        for model, names in BESIDE.items()
    }
    return {"read": read, "gaps": list(ReadingGap.objects.order_by("pk").values(*GAP))}


def _newest() -> Checkpoint:
    newest = Checkpoint.objects.first()
    if newest is None:
        raise NotSealed(say("Nothing is sealed yet: `audit checkpoint` seals what there is."))
    return newest


class _Forms:
    """The sealed forms of events, as they are hashed; one after the other, what is known of people is kept."""

    def __init__(self) -> None:
        self._hide = sealing.Salts()
        self._earlier: dict[tuple[str, int], str] = {}
        self._concerns: dict[int, list[int]] = {}

    def of(self, seals: list[Seal]) -> list[tuple[Seal, AuditEvent | None, bytes | None]]:
        """Each with its event and form, or without where the event is gone."""
        events = AuditEvent.objects.select_related("rollout").in_bulk([seal.event_id for seal in seals])
        concerns = self._concerns = sealing.concerned(events)
        names = {pk: canonical.names_in(event) for pk, event in events.items()}
        self._hide.know(names.values())
        self._earlier = {
            (chain, number + 1): digest
            for chain, number, digest in Seal.objects.filter(
                chain__in={seal.chain for seal in seals}, number__in={seal.number - 1 for seal in seals}
            ).values_list("chain", "number", "digest")
        }
        forms: list[tuple[Seal, AuditEvent | None, bytes | None]] = []
        for seal in seals:
            event = events.get(seal.event_id)
            if event is None:
                forms.append((seal, None, None))
                continue
            form = canonical.sealed(
                event,
                names[event.pk],
                concerns[event.pk],
                self._hide,
                sealing.key(seal.salt),
                number=seal.number,
                previous=self._previous(seal),
            )
            forms.append((seal, event, canonical.written(form)))
        return forms

    def row(self, event: AuditEvent) -> dict[str, Any]:
        """All of an event as the database holds it; of one of those whose forms were asked for last."""
        columns = {column.attname: getattr(event, column.attname) for column in AuditEvent._meta.concrete_fields}
        said, at = canonical.kept(event), event.at.isoformat()
        return {**columns, "at": at, "said": said, "concerns": sorted(self._concerns[event.pk])}

    def tombstone(self, seal: Seal, teller: tombstones.Teller | None) -> dict[str, Any]:
        """Of one of those whose forms were asked for last."""
        place = {"event": seal.event_id, "chain": seal.chain, "number": seal.number, "previous": self._previous(seal)}
        return {**place, "digest": seal.digest, "told_by": teller.event if teller else None}

    def _previous(self, seal: Seal) -> str:
        return self._earlier.get((seal.chain, seal.number), "")
