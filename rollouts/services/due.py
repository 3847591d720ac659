"""What falls due: one table of moments (the portfolio's rows), one job.

A rollout is due by a mark, when something was written that it rests on (``models.portfolio_rows``), or by the clock, at
the moment that its row names: a soak over, a lock that begins or ends, a request that expires, a reading that grows
stale. Whoever comes next looks at it, whatever process wrote the mark: it is settled, a step that begins by itself is
taken, its row is worked out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import InterfaceError, OperationalError

from ..models import PortfolioRow, Rollout, clock
from ..models.portfolio_rows import up_to
from . import guarding, portfolio_rows, ramps
from .locks import standing
from .reconcile import READER, look
from .rollout_work import working_on

log = logging.getLogger(__name__)
#: So many rollouts are loaded together.
BATCH = 100


class CouldNotLook(RuntimeError):
    """At some rollouts the portal failed itself."""


@dataclass(slots=True)
class Done:
    """What one look at what was due did: ``advanced`` and ``held`` are short names of rollouts with a ramp, ``acted``
    of those that a guard metric paused or rolled back.
    """

    advanced: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    acted: list[str] = field(default_factory=list)
    looked: int = field(default=0, compare=False)


def work(*, most: int = BATCH) -> Done:
    """Look at so many rollouts at most that are due; safe to run twice at once."""
    now = clock.now()
    rows = PortfolioRow.objects.due_or_marked(now).order_by("pk").values_list("rollout_id", "marks", "pk")[:most]
    marks, keys, done = {}, {}, Done()
    for rollout_id, mark, pk in rows:
        marks[rollout_id], keys[rollout_id] = mark, pk
    if not marks:
        return done
    done.looked = len(marks)
    broken = _settle(marks)
    locks = standing(now)
    for rollout in Rollout.objects.for_rules().filter(pk__in=marks.keys() - broken):
        try:
            if not guarding.look(rollout, now, done):
                ramps.take_next(rollout, now, locks, done)
        except (OperationalError, InterfaceError):
            raise  # no database, no ramps: the next ring looks again
        except Exception:  # one ramp that can't be looked at holds no other
            log.exception("the ramp of %s could not be looked at", rollout.slug)
            ramps.say_that_it_broke(rollout)
            broken.add(rollout.pk)
    if broken:  # they stand in nobody's way, and are looked at again in a minute
        seen = {pk: marks[pk] for pk in broken}
        PortfolioRow.objects.filter(rollout__in=broken).touch(due_at=now + portfolio_rows.AGAIN, settled=up_to(seen))
    portfolio_rows.bring_up_to_date(among=[keys[pk] for pk in marks.keys() - broken], most=most)
    return done


def settle(**rows_of: Any) -> None:
    """Look now at what is due of these rows (a filter).

    One that breaks holds up no other; when all are through, raises ``CouldNotLook``, and it is due still.
    """
    broken, due = 0, PortfolioRow.objects.due_or_marked(clock.now()).filter(**rows_of)
    marks = list(due.distinct().values_list("rollout_id", "marks"))
    for start in range(0, len(marks), BATCH):
        broken += len(_settle(dict(marks[start : start + BATCH])))
    if broken:
        raise CouldNotLook(f"{broken} of {len(marks)} rollouts could not be looked at: see the log.")


def settle_alone(pk: int) -> None:
    """Write down what follows from what is there, each finding as an event of its own; none where nothing does."""
    with working_on(pk, "rollout.reconcile", by=READER) as work:
        work.settle()
        work.recording.about = work.rollout


def _settle(marks: Mapping[int, int]) -> set[int]:
    """Look at these rollouts, each up to its mark; those that can't be looked at."""
    now, broken = clock.now(), set()
    for rollout in Rollout.objects.for_rules().filter(pk__in=marks).open():
        try:
            if look(rollout, now):
                settle_alone(rollout.pk)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("rollout %s could not be looked at", rollout.slug)
            broken.add(rollout.pk)
    seen = {pk: mark for pk, mark in marks.items() if pk not in broken}
    PortfolioRow.objects.filter(rollout__in=seen).touch(settled=up_to(seen))
    return broken
