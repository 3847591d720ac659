"""Ramps that run themselves: a step that is set to begin by itself does so when its time has come and nothing blocks.

Exactly once however many workers or beats run: the step is taken by the same transition as a person's, under the same
lock, and after it the next one has its own soak before it. Nothing is scheduled ahead, so an edited plan is what holds.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from typing import Protocol

from django.db import InterfaceError, OperationalError

from ..audit.actor import Actor
from ..models import Phase, RampStep, Rollout
from ..rules import guards
from ..rules.blockers import Blocker
from ..rules.datetimes import day_and_clock
from ..rules.facts import RolloutFacts
from ..rules.machine import PhaseState
from ..rules.phrases import joined, say
from . import facts as facts_of
from . import transitions
from .locks import Locks
from .refusals import Refused
from .rollout_work import working_on

log = logging.getLogger(__name__)
JOB = Actor.ramp()
#: What is only a matter of time: no reason to call a person.
PATIENT = frozenset({"soak", "too_early"})
#: So long a step may wait for GitLab before that counts as held.
GRACE = timedelta(minutes=15)


class Told(Protocol):
    """Where it is kept what became of ramps: short names of rollouts."""

    advanced: list[str]
    held: list[str]


def take_next(rollout: Rollout, now: datetime, locks: Locks, told: Told) -> None:
    """Take the next step of its active ramp, if that begins by itself, is due, and nothing blocks it.

    ``rollout`` comes from ``Rollout.objects.for_rules()``.
    """
    for phase in facts_of.newest_attempts(rollout):
        if phase.state == PhaseState.ACTIVE and phase.current_step_id is not None:
            facts = facts_of.for_rollout(rollout, now, locks)
            if (step := next_by_itself(facts, phase)) is not None:
                _take(rollout, facts, phase, step, told)


def say_that_it_broke(rollout: Rollout) -> None:
    """On the phase's page too, where it can be: nobody reads the log of a step that just does not come."""
    try:
        for phase in facts_of.newest_attempts(rollout):
            if phase.state == PhaseState.ACTIVE:
                _say(phase, say("The portal itself failed at looking at the ramp: see the log."))
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("nor could that be noted")


def next_by_itself(facts: RolloutFacts, phase: Phase) -> RampStep | None:
    """The next step, if it is set to begin by itself."""
    wanted = facts.target(facts.phase(phase.name))
    if wanted is None or wanted.passes_over:
        return None
    step = next((step for step in phase.steps.all() if step.percentage == wanted.percentage), None)
    return step if step is not None and step.auto else None


def _take(rollout: Rollout, facts: RolloutFacts, phase: Phase, step: RampStep, told: Told) -> None:
    now, blockers = facts.now, guards.blockers("advance", facts, phase.name, JOB.person)
    if step.planned_at is not None and now < step.planned_at:
        blockers.append(
            Blocker(
                "too_early",
                say("It is planned for {moment} UTC.", moment=day_and_clock(step.planned_at, with_year=True)),
            )
        )
    if not blockers:
        try:
            transitions.perform("advance", phase, by=JOB, to=step.percentage, seen=phase.version)
        except Refused as refused:  # somebody was faster, or something has changed since the look
            blockers = refused.blockers
        else:
            told.advanced.append(rollout.slug)
            return
    if {blocker.code for blocker in blockers} & {"changed_meanwhile", "state", "last_step"}:
        return
    is_new = phase.stepped_at is not None and now - phase.stepped_at < GRACE
    patient = PATIENT | {"not_confirmed"} if is_new else PATIENT
    in_the_way = [blocker.message for blocker in blockers if blocker.code not in patient]
    if in_the_way:
        told.held.append(rollout.slug)
    _say(phase, joined(in_the_way))


def _say(phase: Phase, words: str) -> None:
    """Keep what holds the step, with one event when that begins, becomes something else, and ends."""
    if _without_figures(phase.held_by) == _without_figures(words):
        return
    with working_on(phase.rollout_id, "ramp.held" if words else "ramp.freed", by=JOB, reason=words) as work:
        row = work.phase(phase.name)
        if row.state != PhaseState.ACTIVE or _without_figures(row.held_by) == _without_figures(words):
            return
        row.held_by, row.held_since = words, (row.held_since or work.now) if words else None
        row.save()
        work.recording.about = row


def _without_figures(words: str) -> str:
    """An age that grows, or a share that moves, is no news: what holds the step is still the same."""
    return re.sub(r"\d[\d.,]*", "", words)
