"""A recorded change: one transaction, an event for it and for each thing found by the way. Nothing audited changes
outside one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import models, transaction

from ..models import AlsoTouched, ApprovalRequest, AuditEvent, PortfolioRow, Rollout, clock
from ..models.change_log import AuditedModel, Change, ChangeLog, Unaudited, opened, plain
from ..models.history import phrases_in
from ..models.touched import SHARED
from . import source
from .actor import Actor
from .bounds import bound


@dataclass(slots=True)
class Recording:
    """What the event will say; the block may complete it while it works.

    ``concerns`` are rollouts besides ``rollout`` in whose history it stands too.
    """

    verb: str
    by: Actor
    about: models.Model | None = None
    rollout: Rollout | None = None
    reason: str = ""
    notes: dict[str, Any] = field(default_factory=dict)
    confidential_notes: dict[str, Any] = field(default_factory=dict)
    concerns: Sequence[Rollout] = ()
    change_log: ChangeLog = field(default_factory=ChangeLog)
    #: What was found before and after what is done itself; each is an event of its own.
    before: list[Recording] = field(default_factory=list)
    after: list[Recording] = field(default_factory=list)
    #: Rollouts that were looked at in this recorded change with all that it changes, each up to which of its marks.
    settled: dict[int, int] = field(default_factory=dict)
    was_marked: bool = False

    def note(self, thing: models.Model, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Note a change of something that is not ours to track (a Django user, a group)."""
        if before != after:
            self.change_log.note(Change(thing._meta.label, thing.pk, str(thing)[:200], before, after))

    @contextmanager
    def finding(self, verb: str, *, by: Actor, about: models.Model, first: bool = False) -> Iterator[Recording]:
        """Something that is found while this is done: an event of its own, ``first`` before that of the recorded
        change.
        """
        with opened(by, inside=self.change_log) as change_log:
            recording = Recording(verb, by, about, self.rollout, change_log=change_log)
            yield recording
        if recording.is_told:
            (self.before if first else self.after).append(recording)

    @property
    def is_told(self) -> bool:
        """Nothing is written where nothing changed."""
        return bool(self.change_log.changes or self.notes)


@contextmanager
def recorded(
    verb: str, *, by: Actor, about: models.Model | None = None, rollout: Rollout | None = None, reason: str = ""
) -> Iterator[Recording]:
    """Do something in this block: all of it happens with its audit events, or nothing does.

    One event for the recorded change, and one for each thing that was found by the way; none when nothing changed.
    """
    with transaction.atomic(), opened(by) as change_log:
        recording = Recording(verb, by, about, rollout, reason, change_log=change_log)
        yield recording
        _note_authors(recording)
        told = [each for each in (*recording.before, recording, *recording.after) if each.is_told]
        if told or recording.was_marked:
            _write(told, recording.settled)


def _write(recordings: Sequence[Recording], settled: Mapping[int, int]) -> None:
    """The events, in their order; and whoever shows or settles rollouts is told which ones to look at."""
    rows = AuditEvent.objects.bulk_create([_event(each) for each in recordings], batch_size=100)
    concerned = {rollout.pk: rollout for each in recordings for rollout in (each.rollout, *each.concerns) if rollout}
    through = AuditEvent.concerns.through
    through.objects.bulk_create(
        through(auditevent_id=row.pk, rollout_id=rollout.pk)
        for row, each in zip(rows, recordings, strict=True)
        for rollout in each.concerns
    )
    AlsoTouched.objects.bulk_create(
        AlsoTouched(event=row, object_type=kind, object_id=key)
        for row, each in zip(rows, recordings, strict=True)
        for kind, key in _besides(row, each.change_log.changes)
    )
    changes = [change for each in recordings for change in each.change_log.changes]
    PortfolioRow.objects.look_again(concerned.values(), changes, clock.now(), settled)


def _besides(event: AuditEvent, changes: Sequence[Change]) -> list[tuple[str, str]]:
    """What several rollouts rest on and this event, which is about something else, changes by the way."""
    touched = [(change.label.rpartition(".")[2], str(change.pk)) for change in changes]
    return [each for each in touched if each[0] in SHARED and each != (event.object_type, event.object_id)]


@dataclass(slots=True)
class BulkRecording:
    """Many recorded changes of one job in one transaction, each with an event of its own."""

    by: Actor
    change_log: ChangeLog
    done: list[Recording] = field(default_factory=list)

    def close(
        self,
        verb: str,
        about: models.Model,
        *others: models.Model,
        rollouts: Sequence[Rollout] = (),
        notes: dict[str, Any] | None = None,
        confidential_notes: dict[str, Any] | None = None,
    ) -> None:
        """End the recorded change about one object: what was changed of it and of ``others`` is one event, if anything
        was.

        ``rollouts`` are all that it concerns; the first is the one whose change it is.
        ``confidential_notes`` are shown only to those with the role for it.
        """
        taken = [self.change_log.take(each._meta.label, each.pk) for each in (about, *others)]
        change_log = ChangeLog()
        for change in filter(None, taken):
            change_log.note(change)
        if change_log.changes:
            mine, others_too = (rollouts[0], rollouts[1:]) if rollouts else (None, ())
            self.done.append(
                Recording(verb, self.by, about, mine, "", notes or {}, confidential_notes or {}, others_too, change_log)
            )


@contextmanager
def recorded_in_bulk(*, by: Actor) -> Iterator[BulkRecording]:
    """Do the same to many objects in this block, written in bulk; each must be closed. All happens, or nothing does."""
    with transaction.atomic(), opened(by) as change_log:
        recording = BulkRecording(by, change_log)
        yield recording
        if left := change_log.changes:
            raise Unaudited(f"{left[0].label} {left[0].pk} was changed in bulk without an event")
        if recording.done:
            _write(recording.done, {})


def _note_authors(recording: Recording) -> None:
    """Whatever door it was: who edits what stands over has a hand in it. Jobs, which read GitLab, write nothing."""
    by, changes = recording.by, recording.change_log.changes
    if by.kind != AuditEvent.ActorKind.JOB:
        own = recording.rollout.pk if recording.rollout else None
        over = ApprovalRequest.objects.note_authors(by.names, changes)
        recording.concerns = list({each.pk: each for each in (*recording.concerns, *over) if each.pk != own}.values())


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
        snapshot=_snapshot(about) if first is not None and not first.before else {},
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
    """All fields of an object that was made, but those that need a role to see; of others the changes tell enough."""
    if not isinstance(thing, AuditedModel) or thing.pk is None:
        return {}
    values = thing.as_shown(thing.as_it_is())
    return {name: plain(value) for name, value in values.items() if name not in thing.confidential_fields}
