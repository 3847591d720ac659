"""Transitions: the only way in which a phase or a rollout changes state, for every door."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..models import ChecklistItem, Phase, RampStep, Rollout, clock
from ..rules import guards
from ..rules.blockers import Blocker
from ..rules.expected import Audience
from ..rules.facts import RolloutFacts
from ..rules.machine import LIVE, PHASE_VERBS, ROLLOUT_VERBS, RolloutState, rollout_state
from . import facts as facts_of
from .reconcile import reconcile
from .refusals import Refused, refuse_if


def perform(
    verb: str,
    phase: Phase,
    *,
    by: Actor,
    reason: str = "",
    override: bool = False,
    seen: int | None = None,
) -> Phase:
    """Take one transition of ``rules.machine.PHASE_VERBS``; returns the phase as it is then.

    ``seen`` is the phase's version that the person looked at: if somebody was faster, the answer says so.
    Raises ``Refused`` with every blocker; then nothing changed.
    """
    with deed(f"phase.{verb}", by=by, reason=reason.strip()) as doing:
        Rollout.objects.lock(phase.rollout_id)
        now = clock.now()
        rollout = Rollout.objects.whole().get(pk=phase.rollout_id)
        current = next(p for p in facts_of.newest_attempts(rollout) if p.name == phase.name)
        facts = facts_of.for_rollout(rollout, now)
        _refuse_if_overtaken(current, phase, seen)
        if override:
            passed = guards.blockers(verb, facts, current.name, by.person, reason=reason)
        refuse_if(guards.blockers(verb, facts, current.name, by.person, reason=reason, override=override))
        if override and passed:
            _record_override(current, verb, by, reason, passed, now)
            doing.notes["overridden"] = [blocker.message for blocker in passed]
        result = _APPLY[verb](current, facts, by, reason.strip(), now)
        current.save()
        doing.rollout, doing.about = rollout, result
        if verb in ("start", "advance") and current.percentage is not None:
            doing.notes["percentage"] = current.percentage
        _follow(rollout.pk, now)
    return result


def perform_on_rollout(verb: str, rollout: Rollout, *, by: Actor, reason: str = "") -> Rollout:
    """``abandon`` or ``close`` a rollout. Raises ``Refused``."""
    with deed(f"rollout.{verb}", by=by, reason=reason.strip()) as doing:
        Rollout.objects.lock(rollout.pk)
        now = clock.now()
        rollout = Rollout.objects.whole().get(pk=rollout.pk)
        facts = facts_of.for_rollout(rollout, now)
        refuse_if(guards.rollout_blockers(verb, facts, by.person, reason=reason))
        if verb == "abandon":
            rollout.abandoned_at = now
            rollout.abandon()
        else:
            rollout.closed_at = now
            rollout.close()
        rollout.save()
        doing.rollout = doing.about = rollout
        reconcile(rollout, now)
    return rollout


def blockers_for(facts: RolloutFacts, by: Actor) -> dict[str, dict[str, list[Blocker]]]:
    """For each phase, each verb that fits its state, with what stands in its way: what pages and answers show."""
    return {
        phase.name: {
            verb.name: guards.blockers(verb.name, facts, phase.name, by.person, reason="-")
            for verb in PHASE_VERBS.values()
            if phase.state in verb.sources
        }
        for phase in facts.phases
    }


def is_known(verb: str, phase: str) -> bool:
    """Whether there is such a verb: of the rollout for the phase name ``rollout``, of a phase otherwise."""
    return verb in (ROLLOUT_VERBS if phase == "rollout" else PHASE_VERBS)


def url_of(blocker: Blocker, rollout: Rollout) -> str:
    """The address that clears a blocker: a place on the rollout's page, or a page of its own."""
    if blocker.where.startswith("/"):
        return blocker.where
    return f"{rollout.get_absolute_url()}{blocker.where}"


def _refuse_if_overtaken(current: Phase, phase: Phase, seen: int | None) -> None:
    if current.pk != phase.pk or (seen is not None and current.version != seen):
        state = current.state.replace("_", " ")
        raise Refused(
            [
                Blocker(
                    "changed_meanwhile",
                    f"Somebody was faster: {current.title} is {state} by now. Look at the page again.",
                    f"#phase-{current.name}",
                )
            ]
        )


def _record_override(phase: Phase, verb: str, by: Actor, reason: str, passed: list[Blocker], now: datetime) -> None:
    phase.overrides = [
        *phase.overrides,
        {
            "verb": verb,
            "by": by.name,
            "at": now.isoformat(),
            "reason": reason.strip(),
            "blockers": [blocker.message for blocker in passed],
        },
    ]


def _request(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    phase.request(by=by.name, at=now, digest=facts.phase(phase.name).digest)
    return phase


def _approve(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    phase.approve(by=by.name, at=now)
    return phase


def _reject(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    phase.reject(reason=reason)
    return phase


def _withdraw(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    phase.withdraw(reason=reason)
    return phase


def _start(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    phase.start(at=now, step=_step_at(phase, facts.phase(phase.name).opening.first_step))
    return phase


def _advance(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    opening = facts.phase(phase.name).opening
    following = opening.ramp.after(opening.step) if opening.ramp else None
    step = _step_at(phase, following.percentage if following else None)
    if step is None:
        raise Refused([Blocker("last_step", "There is no further step: complete the phase.")])
    phase.advance(at=now, step=step)
    return phase


def _step_at(phase: Phase, percentage: int | None) -> RampStep | None:
    if phase.audience != Audience.PERCENTAGE:
        return None
    return next((step for step in phase.steps.all() if step.percentage == percentage), None)


def _pause(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    phase.pause(at=now, reason=reason)
    return phase


def _resume(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    phase.resume()
    return phase


def _complete(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    phase.complete(at=now)
    return phase


def _skip(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    phase.skip(at=now, reason=reason)
    return phase


def _roll_back(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    """The phase and every later one that rests on it."""
    for later in facts_of.newest_attempts(phase.rollout):
        if later.position > phase.position and later.state in LIVE:
            later.roll_back(at=now, reason=reason)
            later.save()
    phase.roll_back(at=now, reason=reason)
    return phase


def _retry(phase: Phase, facts: RolloutFacts, by: Actor, reason: str, now: datetime) -> Phase:
    """The next attempt: the same plan, a checklist that must be confirmed anew."""
    attempt = Phase.objects.create(
        rollout=phase.rollout,
        name=phase.name,
        title=phase.title,
        position=phase.position,
        attempt=phase.attempt + 1,
        optional=phase.optional,
        audience=phase.audience,
        actors=phase.actors,
        groups=phase.groups,
        final_soak=phase.final_soak,
    )
    for step in phase.steps.all():
        RampStep.objects.create(phase=attempt, percentage=step.percentage, soak=step.soak)
    for item in phase.rollout.items.all():
        if item.phase_id == phase.pk:
            ChecklistItem.objects.create(
                rollout=phase.rollout,
                phase=attempt,
                **{name: getattr(item, name) for name in _ITEM_PATTERN},
            )
    return attempt


#: What a checklist item of the next attempt takes over: what it asks, not who confirmed it.
_ITEM_PATTERN = ("key", "title", "help", "kind", "role", "gate", "required", "guide", "position")

_APPLY: dict[str, Any] = {
    "request": _request,
    "approve": _approve,
    "reject": _reject,
    "withdraw": _withdraw,
    "start": _start,
    "advance": _advance,
    "pause": _pause,
    "resume": _resume,
    "complete": _complete,
    "skip": _skip,
    "roll_back": _roll_back,
    "retry": _retry,
}

_FOLLOW = {
    RolloutState.DRAFT: "back_to_draft",
    RolloutState.UNDERWAY: "go_underway",
    RolloutState.COMPLETED: "finish",
    RolloutState.ROLLED_BACK: "fall_back",
}


def _follow(pk: int, now: datetime) -> None:
    """Let the rollout's own state follow from its phases, then look again whether GitLab stands as expected."""
    rollout = Rollout.objects.whole().get(pk=pk)
    phases = [(phase.state, phase.started_at is not None) for phase in facts_of.newest_attempts(rollout)]
    state = rollout_state(phases)
    if rollout.state not in (state, RolloutState.ABANDONED, RolloutState.CLOSED):
        if state is RolloutState.COMPLETED:
            rollout.completed_at = now
        getattr(rollout, _FOLLOW[state])()
        rollout.save()
    reconcile(rollout, now)
