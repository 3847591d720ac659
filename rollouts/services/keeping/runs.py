"""The run itself: small batches, each in a transaction of its own, so that nobody waits long and no crash loses any.

Two workers at it share the work: rows that one has locked the other passes by.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction

from ...audit.actor import Actor
from ...audit.recording import recorded
from ...models import KeepingRun, clock
from ...rules.machine import Role
from ...rules.phrases import say
from ..refusals import refuse_if, role_missing
from . import sizes
from .rules import RULES, Rule, of

EVERY = timedelta(days=1)
#: Rows that one transaction deletes: some milliseconds on either database.
BATCH = 500
#: Batches after which a worker lets others have a turn.
BATCHES = 200
JOB = Actor.job("keeping")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a run would do now by one rule; whether whoever is connected to the database may."""

    rule: Rule
    older_than: datetime
    rows: int
    may: bool = True


def work(*, by: Actor = JOB, batches: int = BATCHES, asked: bool = False) -> KeepingRun | None:
    """Go on with the run that was begun, or begin one where it is due or ``asked`` for; so many batches at most.

    None where nothing is due. A run without an end has more to do.
    """
    run = KeepingRun.objects.filter(ended_at=None).order_by("pk").first()
    if run is None:
        if not (asked or is_due()):
            return None
        run = KeepingRun.objects.create(begun_at=clock.now())
    for rule in RULES:
        place: int | None = None if rule.is_off or not rule.may() else -1
        while batches > 0 and place is not None and (place := _let_go(run, rule, by, place)) is not None:
            batches -= 1
    if batches > 0:
        _end(run, by)
    return run


def refuse_others(by: Actor) -> None:
    """Admins only, whatever it is. Raises ``Refused``."""
    refuse_if(role_missing(by, Role.ADMIN, say("Deleting what is past its age")))


def foreseen() -> list[Foreseen]:
    """What the next run would let go; changes nothing."""
    now = clock.now()
    found = []
    for rule in RULES:
        older_than = rule.older_than(now)
        rows = 0 if rule.is_off else rule.past(older_than).count()
        found.append(Foreseen(rule, older_than, rows, rule.may()))
    return found


def newest_two() -> list[KeepingRun]:
    """The newest runs that came to their end: what there is, and what there was a day before."""
    return list(KeepingRun.objects.exclude(ended_at=None)[:2])


def next_at() -> datetime:
    """When the next run begins, or the one that was broken off goes on."""
    newest = KeepingRun.objects.first()
    if newest is None or newest.ended_at is None:
        return clock.now()
    return newest.begun_at + EVERY


def is_due() -> bool:
    return next_at() <= clock.now()


def _let_go(run: KeepingRun, rule: Rule, by: Actor, after: int) -> int | None:
    """One batch beyond a place, which counts where the rule says so: up to where it looked. None where there is none
    left, or the run has ended meanwhile.
    """
    with transaction.atomic():
        mine = KeepingRun.objects.select_for_update().get(pk=run.pk)
        if mine.ended_at is not None:
            return None
        if rule.let_go:
            count, place = rule.let_go(mine, rule.older_than(mine.begun_at), by, after)
            _count(mine, rule, count)
            return place if place > after else None
        past = rule.past(rule.older_than(mine.begun_at)).order_by("pk").select_for_update(skip_locked=True)
        keys = list(past.values_list("pk", flat=True)[:BATCH])
        if not keys:
            return None
        # Past the audited models' own delete(): the rows' own events tell what they were, the run's that they went.
        rows: models.QuerySet[Any] = models.QuerySet(of(rule.model))
        rows.filter(pk__in=keys).delete()
        _count(mine, rule, len(keys))
        return after


def _count(run: KeepingRun, rule: Rule, rows: int) -> None:
    if rows:
        run.gone[rule.name] = run.gone.get(rule.name, 0) + rows
        run.save(update_fields=["gone"])


def _end(run: KeepingRun, by: Actor) -> None:
    """Measure, tell the history what went, and end the run: by whoever comes first."""
    measured = sizes.measure()
    with recorded("keeping.delete", by=by) as recording:
        mine = KeepingRun.objects.select_for_update().get(pk=run.pk)
        if mine.ended_at is None:
            recording.about = mine
            recording.notes |= {
                rule.name: {"rows": mine.gone[rule.name], "older_than": rule.older_than(mine.begun_at).isoformat()}
                for rule in RULES
                if mine.gone.get(rule.name)
            }
            mine.sizes, mine.ended_at = measured, clock.now()
            mine.save(update_fields=["sizes", "ended_at"])
    run.refresh_from_db()
