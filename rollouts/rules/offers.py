"""Which transitions are offered to somebody now, in which words, with what stands in the way: for every door.

Facts in, offers out: a page and the admin make buttons of them, the API and the command tell them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import guards
from .blockers import Blocker
from .facts import PhaseFacts, RolloutFacts
from .guards import Wish
from .machine import LEADS_ON, LIVE, PHASE_VERBS, ROLLOUT_VERBS, PhaseState
from .next_action import next_action
from .people import Person
from .phrases import say

#: What leads on first, the way back last.
ORDER = (
    "approve", "start", "advance", "complete", "request", "resume", "retry",
    "pause", "reject", "withdraw", "skip", "roll_back",
)  # fmt: skip
#: These name the request that they are about.
ABOUT_A_REQUEST = ("approve", "reject", "withdraw")
#: What whoever presses it must say why, besides what the machine asks a reason for.
ASKS_WHY = ("pause",)


@dataclass(frozen=True, slots=True)
class Offer:
    """A verb for a phase, or for the ``rollout``; ``version`` is the one that was looked at.

    ``blockers`` stand in the way; an admin may override them where ``may_override`` says so. ``looked_at`` is the
    digest and ``request`` the number of the request that the person decides about; ``stands_out`` what leads on now.
    """

    verb: str
    label: str
    phase: str
    version: int
    blockers: tuple[Blocker, ...]
    needs_reason: bool
    stands_out: bool
    may_override: bool = False
    looked_at: str = ""
    request: int | None = None

    @property
    def is_grave(self) -> bool:
        """Whether it takes something away from people."""
        return self.verb in ("roll_back", "abandon")


def of_phase(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> tuple[Offer, ...]:
    """What this person may press on a phase; what must happen next stands out, where it is a button's to do."""
    coming = next_action(facts)
    following = coming.verb if coming.phase == phase.name else ""
    return tuple(
        replace(of_verb(verb, facts, phase, person), stands_out=verb == following)
        for verb in fitting(facts, phase)
        if guards.may(verb, facts, phase, person)
    )


def ways_on(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> tuple[Offer, ...]:
    return tuple(offer for offer in of_phase(facts, phase, person) if offer.verb != "roll_back")


def ways_back(facts: RolloutFacts, person: Person) -> tuple[Offer, ...]:
    """Latest phase first; on every page of a rollout."""
    return tuple(
        of_verb("roll_back", facts, phase, person)
        for phase in reversed(facts.phases)
        if phase.state in LIVE and guards.may("roll_back", facts, phase, person)
    )


def of_rollout(facts: RolloutFacts, person: Person) -> tuple[Offer, ...]:
    """What this person may press on the rollout as a whole."""
    return tuple(
        Offer(
            verb=verb.name,
            label=say("{verb} the rollout", verb=verb.label),
            phase="rollout",
            version=facts.version,
            blockers=tuple(guards.rollout_blockers(verb.name, facts, person, reason="-")),
            needs_reason=verb.needs_reason,
            stands_out=verb.name == "close",
        )
        for verb in ROLLOUT_VERBS.values()
        if facts.state in verb.sources and person.has(verb.role)
        if verb.name != "abandon" or not any(phase.state in LIVE for phase in facts.phases)
    )


def of_verb(verb: str, facts: RolloutFacts, phase: PhaseFacts, person: Person) -> Offer:
    """One verb as this person sees it, whether it fits now or not."""
    rule = PHASE_VERBS[verb]
    blockers = guards.blockers(verb, facts, phase.name, person, Wish.of_who_looks(phase))
    anyway = Wish(reason="-", override=True, confirm=facts.slug)
    return Offer(
        verb=verb,
        label=_label(verb, facts, phase),
        phase=phase.name,
        version=phase.version,
        blockers=tuple(blockers),
        needs_reason=rule.needs_reason or verb in ASKS_WHY,
        stands_out=verb in LEADS_ON,
        may_override=bool(blockers)
        and rule.overridable
        and not guards.blockers(verb, facts, phase.name, person, anyway),
        looked_at=phase.request.stands if phase.request and verb in guards.BY_POLICY else "",
        request=phase.request.pk if phase.request and verb in ABOUT_A_REQUEST else None,
    )


def fitting(facts: RolloutFacts, phase: PhaseFacts) -> list[str]:
    """The verbs that fit the phase now, whoever presses them."""
    return [verb for verb in ORDER if phase.state in PHASE_VERBS[verb].sources and _makes_sense(verb, facts, phase)]


def following(facts: RolloutFacts, phase: PhaseFacts) -> str:
    """The verb that leads on from here, whoever presses it; none where a phase is settled."""
    return next((verb for verb in fitting(facts, phase) if verb in LEADS_ON), "")


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
