"""A rollout in the admin: each phase with state, ramp, transitions and checklist, from one look at the facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..audit.actor import Actor
from ..models import Phase, Rollout
from ..portal.presenters import checklist
from ..portal.presenters.checklist import ChecklistSection
from ..rules.blockers import in_words
from ..rules.facts import PhaseFacts, RolloutFacts
from ..services import facts

LOOKS = {"active": "go", "paused": "wait", "requested": "wait", "approved": "wait", "rolled_back": "stop"}


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of a ramp; ``look`` is done, now or rest."""

    percentage: Decimal
    soak: str
    look: str


@dataclass(frozen=True, slots=True)
class PhaseOverview:
    """A phase and all that belongs to it; ``phase`` is None for what holds for the whole rollout."""

    phase: Phase | None
    look: str
    who: tuple[str, ...]
    steps: tuple[StepLine, ...]
    buttons: tuple[Any, ...]
    checklist: ChecklistSection | None
    earlier: tuple[Phase, ...] = ()
    policy: str = ""

    @property
    def anchor(self) -> str:
        return f"phase-{self.phase.name}" if self.phase else "whole"


def of(rollout: Rollout, told: RolloutFacts, by: Actor, buttons: Callable[[Phase], list[Any]]) -> list[PhaseOverview]:
    """``rollout`` is loaded with ``Rollout.objects.whole()``; no queries but those of ``buttons``."""
    attempts = list(rollout.phases.all())
    checklists = {part.phase: part for part in checklist.sections(rollout, told, by)}
    sections = [PhaseOverview(None, "", (), (), (), checklists.get(""))]
    for phase in facts.newest_attempts(rollout):
        about = told.phase(phase.name)
        sections.append(
            PhaseOverview(
                phase=phase,
                look=LOOKS.get(phase.state, ""),
                who=(*phase.actors, *phase.groups),
                steps=tuple(_step(step.percentage, about) for step in phase.steps.all()),
                buttons=tuple(buttons(phase)),
                checklist=checklists.get(phase.name),
                earlier=tuple(one for one in attempts if one.name == phase.name and one.pk != phase.pk),
                policy=about.policy.words(has_ramp=about.opening.ramp is not None),
            )
        )
    return sections


def _step(percentage: Decimal, phase: PhaseFacts) -> StepLine:
    stands_at = phase.opening.step or 0
    look = "done" if percentage < stands_at or phase.state == "completed" else "rest"
    if percentage == stands_at and phase.state != "completed":
        look = "now"
    return StepLine(percentage, in_words(phase.soak_at(percentage)), look)
