"""A recorded change: one transaction, one log of what differs, one event. Nothing audited changes outside one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import models, transaction

from ..models import ApprovalRequest, AuditEvent, PortfolioRow, Rollout, clock
from ..models.change_log import AuditedModel, Change, ChangeLog, Unaudited, opened, plain
from ..models.history import phrases_in
from . import source
from .actor import Actor
from .bounds import bound


@dataclass(slots=True)
class Recording:
    """What the event will say; the block may complete it while it works."""

    verb: str
    by: Actor
    about: models.Model | None = None
    rollout: Rollout | None = None
    reason: str = ""
    notes: dict[str, Any] = field(default_factory=dict)
    confidential_notes: dict[str, Any] = field(default_factory=dict)
    change_log: ChangeLog = field(default_factory=ChangeLog)

    def note(self, thing: models.Model, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Note a change of something that is not ours to track (a Django user, a group)."""
        if before != after:
            self.change_log.note(Change(thing._meta.label, thing.pk, str(thing)[:200], before, after))


@contextmanager
def recorded(
    verb: str, *, by: Actor, about: models.Model | None = None, rollout: Rollout | None = None, reason: str = ""
) -> Iterator[Recording]:
    """Do something in this block: all of it happens with one audit event, or nothing does.

    No event is written when nothing changed.
    """
    with transaction.atomic(), opened() as change_log:
        change_log.by = by
        recording = Recording(verb, by, about, rollout, reason, change_log=change_log)
        yield recording
        _note_authors(by, change_log.changes)
        if change_log.changes or recording.notes:
            _event(recording).save(force_insert=True)
            PortfolioRow.objects.look_again(recording.rollout, change_log.changes, clock.now())


@dataclass(slots=True)
class BulkRecording:
    """Many recorded changes of one job in one transaction, each with an event of its own."""

    by: Actor
    change_log: ChangeLog
    events: list[AuditEvent] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def close(
        self,
        verb: str,
        about: models.Model,
        *others: models.Model,
        rollout: Rollout | None = None,
        notes: dict[str, Any] | None = None,
        confidential_notes: dict[str, Any] | None = None,
    ) -> None:
        """End the recorded change about one object: what was changed of it and of ``others`` is one event, if anything
        was.

        ``confidential_notes`` are shown only to those with the role for it.
        """
        taken = [self.change_log.take(each._meta.label, each.pk) for each in (about, *others)]
        change_log = ChangeLog()
        for change in filter(None, taken):
            change_log.note(change)
        if change_log.changes:
            self.changes += change_log.changes
            recording = Recording(verb, self.by, about, rollout, notes=notes or {}, change_log=change_log)
            recording.confidential_notes = confidential_notes or {}
            self.events.append(_event(recording))


@contextmanager
def recorded_in_bulk(*, by: Actor) -> Iterator[BulkRecording]:
    """Do the same to many objects in this block, written in bulk; each must be closed. All happens, or nothing does."""
    with transaction.atomic(), opened() as change_log:
        change_log.by = by
        recording = BulkRecording(by, change_log)
        yield recording
        if left := change_log.changes:
            raise Unaudited(f"{left[0].label} {left[0].pk} was changed in bulk without an event")
        AuditEvent.objects.bulk_create(recording.events, batch_size=100)
        PortfolioRow.objects.look_again(None, recording.changes, clock.now())


def _note_authors(by: Actor, changes: list[Change]) -> None:
    """Whatever door it was: who edits what stands over has a hand in it. Jobs, which read GitLab, write nothing."""
    if by.kind != AuditEvent.ActorKind.JOB:
        ApprovalRequest.objects.note_authors(by.names, changes)


def _event(recording: Recording) -> AuditEvent:
    about = recording.about
    changes = recording.change_log.changes
    first = next((c for c in changes if about is not None and (c.label, c.pk) == (about._meta.label, about.pk)), None)
    if about is None and changes:
        first = changes[0]
    others = [change for change in changes if change is not first]
    came = source.current()
    label = about._meta.label if about is not None else (first.label if first else "portal")
    name = _name(about) if about is not None else first.title if first else ""
    before = {**(first.before if first else {}), **_others(others, "before")}
    after = {**(first.after if first else {}), **_others(others, "after"), **recording.notes}
    names = {_key(change): change.title for change in others}
    texts = {"reason": recording.reason, "object_name": name, "before": before, "after": after, "names": names}
    event = AuditEvent(
        at=clock.now(),
        actor_kind=recording.by.kind,
        actor=recording.by.name,
        verb=recording.verb,
        object_type=label.rpartition(".")[2],
        object_id=str(about.pk if about is not None else first.pk if first else ""),
        object_name="".join(name)[:200],
        rollout=recording.rollout,
        chain=f"rollout:{recording.rollout.slug}" if recording.rollout else "portal",
        reason=recording.reason,
        source=came.name,
        request_id=came.request_id,
        way=dict(came.way()) or None,
        before=before,
        after=after,
        confidential=_confidential(recording),
        snapshot=_snapshot(about),
        said=phrases_in(texts),
    )
    return bound(event)


def _confidential(recording: Recording) -> dict[str, Any]:
    """What needs a role to see, by object; notes stand with the object that the recorded change is about."""
    by_object = {_key(change): change.confidential for change in recording.change_log.changes if change.confidential}
    if recording.confidential_notes and (about := recording.about) is not None:
        key = _key(Change(about._meta.label, about.pk, _name(about), {}, {}))
        held = by_object.setdefault(key, {"before": {}, "after": {}})
        by_object[key] = {**held, "after": {**held["after"], **recording.confidential_notes}}
    return by_object


def _key(change: Change) -> str:
    return f"{change.label.rpartition('.')[2]} {change.pk}: {''.join(change.title)[:200]}"


def _others(changes: list[Change], side: str) -> dict[str, Any]:
    return {_key(change): values for change in changes if (values := getattr(change, side))}


def _name(thing: models.Model) -> str:
    return thing.public_name() if isinstance(thing, AuditedModel) else str(thing)


def _snapshot(thing: models.Model | None) -> dict[str, Any]:
    """All fields of the object as it is now, but those that need a role to see."""
    if not isinstance(thing, AuditedModel) or thing.pk is None:
        return {}
    values = thing.as_shown(thing.as_it_is())
    return {name: plain(value) for name, value in values.items() if name not in thing.confidential_fields}
