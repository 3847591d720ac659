"""Buttons: which verbs a person may press on a rollout and its phases now, and what disables them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...audit.actor import Actor
from ...models import Phase, Rollout
from ...rules import guards
from ...rules.blockers import Blocker
from ...rules.facts import PhaseFacts, RolloutFacts
from ...rules.guards import Wish
from ...rules.machine import LEADS_ON, LIVE, PHASE_VERBS, ROLLOUT_VERBS, PhaseState
from ...rules.phrases import say
from ...services import facts as facts_of

#: The order of buttons: what leads on first, the way back last.
ORDER = ("approve", "start", "advance", "complete", "request", "resume", "retry", "pause", "reject", "withdraw", "skip")


ABOUT_A_REQUEST = ("approve", "reject", "withdraw")


@dataclass(frozen=True, slots=True)
class Action:
    """A button: ``blockers`` disable it; an admin may override them where ``can_override`` says so.

    ``looked_at`` is the digest and ``request`` the number of the request that the person decides about.
    """

    verb: str
    label: str
    phase: str
    version: int
    blockers: tuple[Blocker, ...]
    needs_reason: bool
    is_primary: bool
    can_override: bool
    looked_at: str = ""
    request: int | None = None


def actions_of(facts: RolloutFacts, phase: PhaseFacts, row: Phase, viewer: Actor, next_verb: str) -> tuple[Action, ...]:
    """What fits the phase's state; what must happen next stands out, where it is a button's to do."""
    fitting = [
        name
        for name in ORDER
        if phase.state in PHASE_VERBS[name].sources
        and guards.may(name, facts, phase, viewer.person)
        and _makes_sense(name, facts, phase)
    ]
    actions = (action_of(name, facts, phase, row.version, viewer) for name in fitting)
    return tuple(replace(action, is_primary=action.verb == next_verb) for action in actions)


def roll_backs(rollout: Rollout, facts: RolloutFacts, viewer: Actor) -> tuple[Action, ...]:
    """The way back, latest phase first; on every page of a rollout."""
    phases = {phase.name: phase for phase in facts_of.newest_attempts(rollout)}
    return tuple(
        action_of("roll_back", facts, phase, phases[phase.name].version, viewer)
        for phase in reversed(facts.phases)
        if phase.state in LIVE and viewer.person.has(PHASE_VERBS["roll_back"].role)
    )


def rollout_actions(facts: RolloutFacts, rollout: Rollout, viewer: Actor) -> tuple[Action, ...]:
    return tuple(
        Action(
            verb=verb.name,
            label=say("{verb} the rollout", verb=verb.label),
            phase="rollout",
            version=rollout.version,
            blockers=tuple(guards.rollout_blockers(verb.name, facts, viewer.person, reason="-")),
            needs_reason=verb.needs_reason,
            is_primary=verb.name == "close",
            can_override=False,
        )
        for verb in ROLLOUT_VERBS.values()
        if facts.state in verb.sources and viewer.person.has(verb.role)
        if verb.name != "abandon" or not any(phase.state in LIVE for phase in facts.phases)
    )


def action_of(verb: str, facts: RolloutFacts, phase: PhaseFacts, version: int, viewer: Actor) -> Action:
    """The button for a verb as this person sees it."""
    rule = PHASE_VERBS[verb]
    blockers = guards.blockers(verb, facts, phase.name, viewer.person, Wish.of_who_looks(phase))
    anyway = Wish(reason="-", override=True, confirm=facts.slug)
    return Action(
        verb=verb,
        label=_label(verb, facts, phase),
        phase=phase.name,
        version=version,
        blockers=tuple(blockers),
        needs_reason=rule.needs_reason or verb == "pause",
        is_primary=verb in LEADS_ON,
        can_override=bool(blockers)
        and rule.overridable
        and not guards.blockers(verb, facts, phase.name, viewer.person, anyway),
        looked_at=phase.request.stands if phase.request and verb in guards.BY_POLICY else "",
        request=phase.request.pk if phase.request and verb in ABOUT_A_REQUEST else None,
    )


def _label(verb: str, facts: RolloutFacts, phase: PhaseFacts) -> str:
    wanted = facts.target(phase)
    is_step = wanted is not None and not wanted.is_start
    what = say("{n} %", n=wanted.percentage) if wanted and is_step else phase.title
    match verb:
        case "advance":
            return say("Advance to {what}", what=what)
        case "request":
            return say("Ask for {what}", what=what)
        case "retry":
            return say("Try {phase} again", phase=phase.title)
        case "approve" | "reject" | "withdraw":
            return say("{verb} {what}", verb=PHASE_VERBS[verb].label, what=what)
    return say("{verb} {what}", verb=PHASE_VERBS[verb].label, what=phase.title)


def _makes_sense(verb: str, facts: RolloutFacts, phase: PhaseFacts) -> bool:
    """Whether a button for it says anything: no «skip» of what is required, no «approve» of nothing."""
    is_granted = phase.request is not None and phase.request.is_granted(facts.now)
    needs_request = facts.policy(phase) is not None
    match verb:
        case "approve" | "reject":
            return phase.request is not None and not is_granted
        case "withdraw":
            return phase.request is not None
        case "request":
            return phase.request is None and (phase.state == PhaseState.PLANNED or needs_request)
        case "advance":
            return facts.target(phase) is not None and (is_granted or not needs_request)
        case "complete":
            return facts.target(phase) is None or phase.opening.ramp is None
        case "skip":
            return phase.optional
    return True
