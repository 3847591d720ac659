"""A history taken up by an empty portal: its events as they were sealed, and the rows that they tell of.

Events, seals and tombstones come as they are, so the history verifies and goes on. Rows of rollouts and of what they
rest on are folded out of the events (``audit.replay``), as «as of» does. What opens the portal or acts by itself is not
taken up: accounts come switched off and without a password; tokens, feeds, calendars and what was owed to GitLab not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Length

from ..audit import export_reading, exporting, replay, sealing, triggers, word_index
from ..audit.actor import Actor
from ..audit.export_reading import Export, ExportRefused, Line
from ..audit.recording import recorded
from ..audit.replay import row_of
from ..models import (
    AIModel,
    AlsoTouched,
    Approval,
    ApprovalRequest,
    AuditEvent,
    ChangeLock,
    ChecklistItem,
    Checkpoint,
    DriftCase,
    EventWords,
    FeatureFlag,
    FlagReading,
    GitLabActor,
    GitLabInstance,
    GitLabProject,
    IncidentSource,
    Override,
    PersonSalt,
    Phase,
    PlanTemplate,
    PortfolioRow,
    RampStep,
    ReadingGap,
    Rollout,
    RolloutIssue,
    RolloutOrder,
    Seal,
    Tombstone,
    TrackedIssue,
    Waiver,
    clock,
)
from ..models.touched import SHARED
from ..rules.as_of import told_by
from ..rules.phrases import say
from . import schedules

#: What is folded out of events.
FOLDED: tuple[type[models.Model], ...] = (
    GitLabInstance, GitLabProject, GitLabActor, IncidentSource, AIModel, PlanTemplate, FeatureFlag, FlagReading,
    TrackedIssue, Rollout, Phase, RampStep, ChecklistItem, RolloutIssue, RolloutOrder, ApprovalRequest, Approval,
    Override, Waiver, DriftCase, ChangeLock,
)  # fmt: skip
CONCERNS = AuditEvent.concerns.through
#: What an empty portal has all the same, by ``migrate``, and what goes with it.
BY_MIGRATE: tuple[type[models.Model], ...] = (
    EventWords, AlsoTouched, CONCERNS, AuditEvent, PersonSalt, PlanTemplate, GitLabInstance,
)  # fmt: skip
BATCH = 500


@dataclass(slots=True)
class TakenUp:
    """How many events, of which portal, and how many rows of each table they told."""

    events: int = 0
    origin: str = ""
    rows: dict[str, int] = field(default_factory=dict)


def take_up(path: Path, *, by: Actor, key: str = "") -> TakenUp:
    """All of it in one transaction. Raises ``ExportRefused``, ``NoteRefused``, ``OSError`` and ``DatabaseError``."""
    taken = TakenUp()
    with export_reading.opened(path) as file:
        export = Export(file, key)
        taken.origin = export.note.origin
        with transaction.atomic():
            _refuse_unless_empty()
            triggers.drop(connection)
            connection.check_constraints()  # from here on at the end: events come before the rollouts that they are of
            for model in BY_MIGRATE:
                _past_the_model(model)._raw_delete("default")
            taken.events = _events(export)
            _rows(export, taken)
            _keep_as_touched()
            word_index.fill(AuditEvent.objects, EventWords.objects.keep)
            triggers.create(connection)
            _go_on_counting()
            _extents()
            with recorded("history.import", by=by) as recording:
                manifest = export.manifest
                recording.notes |= {name: manifest[name] for name in ("history", "events", "sha256", "checkpoint")}
            PortfolioRow.objects.look_again(Rollout.objects.all(), [], clock.now(), {})
    sealing.work(now=True)
    return taken


def _refuse_unless_empty() -> None:
    """What ``migrate`` writes is nobody's history."""
    by_people = AuditEvent.objects.exclude(actor_kind=AuditEvent.ActorKind.JOB)
    for what in (Rollout.objects.all(), Checkpoint.objects.all(), Seal.objects.all(), User.objects.all(), by_people):
        if what.exists():
            name = str(what.model._meta.verbose_name_plural)
            raise ExportRefused(
                say("This portal is not empty, there are {what}: take the history up into a new database, right after "
                    "«migrate», before anything runs on it.", what=name)
            )  # fmt: skip


def _events(export: Export) -> int:
    lines, count = export.lines(), 0
    while some := list(islice(lines, BATCH)):
        events = [line.event for line in some if line.event is not None]
        _past_the_model(AuditEvent).bulk_create(events)
        CONCERNS._default_manager.bulk_create(
            CONCERNS(auditevent_id=line.pk, rollout_id=key) for line in some for key in line.concerns
        )
        AlsoTouched.objects.bulk_create(touched for event in events for touched in _touched(event))
        Seal.objects.bulk_create(_seal(line) for line in some)
        Tombstone.objects.bulk_create(
            Tombstone(event_id=line.pk, told_by_id=line.told_by) for line in some if line.told_by is not None
        )
        count += len(some)
    PersonSalt.objects.bulk_create((PersonSalt(**one) for one in export.manifest["people"]), batch_size=BATCH)
    return count


def _seal(line: Line) -> Seal:
    return Seal(event_id=line.pk, position=line.position, chain=line.chain, number=line.place, salt=line.salt,
                digest=line.digest)  # fmt: skip


def _touched(event: AuditEvent) -> Iterable[AlsoTouched]:
    """All that the event tells of, to find it again: more than is kept of it in the end."""
    about = (event.object_type, event.object_id)
    parts = told_by(event.pk, event.at, about, event.before, event.after, event.confidential)
    keys = dict.fromkeys(key for key, _ in parts)
    return [AlsoTouched(event=event, object_type=kind, object_id=key) for kind, key in keys]


def _keep_as_touched() -> None:
    """What the portal's own index has: what several rollouts rest on, in events that are about something else."""
    rows = _past_the_model(AlsoTouched)
    rows.exclude(object_type__in=SHARED)._raw_delete("default")
    about = AuditEvent.objects.order_by().filter(
        pk=OuterRef("event"), object_type=OuterRef("object_type"), object_id=OuterRef("object_id")
    )
    rows.filter(Exists(about))._raw_delete("default")


def _rows(export: Export, taken: TakenUp) -> None:
    now = clock.now()
    _people(now, taken)
    read = export.manifest["read"]
    for model in FOLDED:
        beside, name, count = read.get(model.__name__, {}), model._meta.db_table.removeprefix("rollouts_"), 0
        for some in _folded(model, now):
            rows = [row_of(model, {**values, "id": int(key)}) for key, values in some.items() if values is not None]
            for row in rows:
                for column, moment in beside.get(str(row.pk), {}).items():
                    setattr(row, column, _moment(moment))
            _past_the_model(model).bulk_create(rows)
            count += len(rows)
        taken.rows[name] = count
    gaps = [dict.fromkeys(exporting.GAP) | gap for gap in export.manifest["gaps"]]
    ReadingGap.objects.bulk_create(
        ReadingGap(**gap | {name: _moment(gap[name]) for name in ("since", "until")}) for gap in gaps
    )


def _folded(model: type[models.Model], now: datetime) -> Iterator[dict[str, dict[str, Any] | None]]:
    """The fields of all objects of a kind, by key and in the order of keys, some at a time; None of what is gone."""
    kind = model.__name__
    told = AlsoTouched.objects.order_by().filter(object_type=kind).annotate(length=Length("object_id"))
    keys = told.order_by("length", "object_id").values_list("object_id", flat=True).distinct().iterator(BATCH)
    while some := list(islice(keys, BATCH)):
        yield replay.folded(AlsoTouched.events_about(kind, some, now), kind, some)


def _people(now: datetime, taken: TakenUp) -> None:
    """Accounts that open nothing: whom rows refer to, with the roles that they had."""
    groups = {group.name: group for group in Group.objects.all()}
    count = 0
    for some in _folded(User, now):
        for key, known in some.items():
            values = known or {}
            person = User(pk=int(key), username=values.get("username") or f"account-{key}", is_active=False)
            person.set_unusable_password()
            _past_the_model(User).bulk_create([person])
            _past_the_model(User.groups.through).bulk_create(
                User.groups.through(user=person, group=groups[name])
                for name in values.get("groups") or ()
                if name in groups
            )
        count += len(some)
    taken.rows["user"] = count


def _extents() -> None:
    for rollout in Rollout.objects.whole():
        schedules.keep_extent(rollout)
        names = ("begins_at", "ends_at", "until", "takes")
        _past_the_model(Rollout).filter(pk=rollout.pk).update(**{name: getattr(rollout, name) for name in names})


def _go_on_counting() -> None:
    """The next numbers are after those that were taken up."""
    tables: list[Any] = [*FOLDED, *BY_MIGRATE, Seal, Tombstone, ReadingGap, User, User.groups.through]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(statement)


def _past_the_model(model: type[models.Model]) -> models.QuerySet[Any]:
    """Its own manager would write history, or refuse."""
    return models.QuerySet(model)


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
