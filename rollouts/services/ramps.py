"""Ramps that run themselves: a step that is set to begin by itself does so when its time has come and nothing blocks.

Exactly once however many workers or beats run: the step is taken by the same transition as a person's, under the same
lock, and after it the next one has its own soak before it. Nothing is scheduled ahead, so an edited plan is what holds.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import InterfaceError, OperationalError

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import Phase, RampStep, Rollout, clock
from ..rules import guards
from ..rules.blockers import Blocker
from ..rules.datetimes import day_and_clock
from ..rules.facts import RolloutFacts
from ..rules.machine import PhaseState
from ..rules.phrases import joined, say
from . import facts as facts_of
from . import transitions
from .refusals import Refused

log = logging.getLogger(__name__)
JOB = Actor.ramp()
#: What is only a matter of time: no reason to call a person.
PATIENT = frozenset({"soak", "too_early"})
#: So long a step may wait for GitLab before that counts as held.
GRACE = timedelta(minutes=15)


@dataclass(slots=True)
class Advanced:
    """What one look at the ramps did: short names of rollouts."""

    advanced: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)


def advance_due() -> Advanced:
    """Look at each active ramp whose next step begins by itself."""
    advanced = Advanced()
    due = Phase.objects.filter(state=PhaseState.ACTIVE, current_step__isnull=False, steps__auto=True).distinct()
    for rollout_id, name in due.values_list("rollout_id", "name"):
        try:
            _look(rollout_id, name, advanced)
        except (OperationalError, InterfaceError):
            raise  # no database, no ramps: the next ring looks again
        except Exception:  # one ramp that can't be looked at holds no other
            log.exception("the ramp of rollout %s could not be looked at", rollout_id)
            _say_that_it_broke(rollout_id, name)
    return advanced


def _say_that_it_broke(rollout_id: int, name: str) -> None:
    """On the phase's page too, where it can be: nobody reads the log of a step that just does not come."""
    try:
        phase = Phase.objects.filter(rollout=rollout_id, name=name).latest("attempt")
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


def _look(rollout_id: int, name: str, advanced: Advanced) -> None:
    rollout, now = transitions.whole(rollout_id), clock.now()
    phase = next(p for p in facts_of.newest_attempts(rollout) if p.name == name)
    facts = facts_of.for_rollout(rollout, now)
    step = next_by_itself(facts, phase) if phase.state == PhaseState.ACTIVE else None
    if step is None:
        return
    blockers = guards.blockers("advance", facts, name, JOB.person)
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
            advanced.advanced.append(rollout.slug)
            return
    if {blocker.code for blocker in blockers} & {"changed_meanwhile", "state", "last_step"}:
        return
    is_new = phase.stepped_at is not None and now - phase.stepped_at < GRACE
    patient = PATIENT | {"not_confirmed"} if is_new else PATIENT
    in_the_way = [blocker.message for blocker in blockers if blocker.code not in patient]
    if in_the_way:
        advanced.held.append(rollout.slug)
    _say(phase, joined(in_the_way))


def _say(phase: Phase, words: str) -> None:
    """Keep what holds the step, with one event when that begins, becomes something else, and ends."""
    if _without_figures(phase.held_by) == _without_figures(words):
        return
    with recorded("ramp.held" if words else "ramp.freed", by=JOB, reason=words) as recording:
        recording.rollout = Rollout.objects.lock(phase.rollout_id)
        row = Phase.objects.get(pk=phase.pk)
        if row.state != PhaseState.ACTIVE or _without_figures(row.held_by) == _without_figures(words):
            return
        row.held_by, row.held_since = words, (row.held_since or clock.now()) if words else None
        row.save()
        recording.about = row


def _without_figures(words: str) -> str:
    """An age that grows, or a share that moves, is no news: what holds the step is still the same."""
    return re.sub(r"\d[\d.,]*", "", words)
