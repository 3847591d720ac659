"""What the plan takes over of what GitLab has, when somebody adopts drift."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .approval_policy import Target
from .blockers import Blocker
from .drift_cases import DriftClass, classify
from .expected import Audience
from .facts import RolloutFacts
from .machine import LIVE, PhaseState
from .percentages import NOTHING
from .phrases import Phrase, say

D = DriftClass


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a live phase takes over of GitLab: a step, or who is let in by name."""

    phase: str
    step: Decimal | None = None
    actors: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


def approvals_needed(facts: RolloutFacts, found: Adoption) -> int:
    """How many approvals the same step would take, at least one; of names as many as the phase's start."""
    phase = facts.phase(found.phase)
    if found.step is None or phase.opening.ramp is None:
        return phase.policy.start.needed
    reached = phase.opening.step or NOTHING
    passed = tuple(s.percentage for s in phase.opening.ramp.steps if reached < s.percentage < found.step)
    after = facts.expected.plus(phase.opening.at(found.step))
    policy = phase.policy.for_target(Target(False, found.step, facts.expected, after, passed))
    return policy.needed if policy else 1


def adoption(facts: RolloutFacts, kind: DriftClass) -> Adoption | Blocker:
    """What the plan would take over, or why it can't: only a live phase grows, as if it had been planned so.

    Everybody at once, fewer people, and gates that no plan has are reached by their own ways.
    """
    read = facts.reading.exposure
    if kind not in {each.kind for each in classify(facts)} or read is None:
        return Blocker("case_over", say("GitLab does not stand so any more: there is nothing to take over."), "#drift")
    match kind:
        case D.AHEAD if read.percentage_of_actors > facts.expected.percentage_of_actors:
            active = (phase for phase in facts.phases if phase.state == PhaseState.ACTIVE)
            if phase := next((phase for phase in active if phase.opening.ramp), None):
                return Adoption(phase.name, step=read.percentage_of_actors)
        case D.FOREIGN_ACTOR:
            actors, groups = read.named_actors - facts.expected.named_actors, read.groups - facts.expected.groups
            wanted = {Audience.ACTORS} if actors else set()
            wanted |= {Audience.GROUPS} if groups else set()
            if len(wanted) == 1:
                audience = wanted.pop()
                live_or_done = (phase for phase in facts.phases if phase.state in LIVE)
                if phase := next((p for p in live_or_done if p.opening.audience is audience), None):
                    return Adoption(phase.name, actors=actors, groups=groups)
    message = say("No live phase of the plan can take it over. {way}", way=_WAYS.get(kind, _RESTORE))
    return Blocker("not_adoptable", message, "#drift")


_RESTORE = say("Restore the flag, or accept it for a while.")
_WAYS: dict[DriftClass, Phrase] = {
    D.BEHIND: say("Roll the phase back, or restore the flag."),
    D.MISSING: say("Bring the flag back, or abandon the rollout."),
    D.REOPENED: say("Close the issue again, or accept it for a while."),
}
