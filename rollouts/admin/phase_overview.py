"""A rollout in the admin: each phase with state, ramp, transitions and checklist, from one look at the facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..audit.actor import Actor
from ..models import ChecklistItem, Phase, Rollout
from ..rules.blockers import in_words
from ..rules.checklist import Gate, ItemKind
from ..rules.facts import RolloutFacts
from ..rules.machine import OVER, Role
from ..rules.progress import blockers_of_exit_item
from ..services import checklist, facts

LOOKS = {"active": "go", "paused": "wait", "requested": "wait", "approved": "wait", "rolled_back": "stop"}


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of a ramp; ``look`` is done, now or rest."""

    percentage: Decimal
    soak: str
    look: str


@dataclass(frozen=True, slots=True)
class ItemLine:
    """One checklist item as judged, and what this person may do to it here."""

    row: ChecklistItem
    is_done: bool
    words: str
    may_confirm: bool
    may_undo: bool
    is_announcement: bool


@dataclass(frozen=True, slots=True)
class PhaseOverview:
    """A phase and all that belongs to it; ``phase`` is None for what holds for the whole rollout."""

    phase: Phase | None
    look: str
    who: tuple[str, ...]
    steps: tuple[StepLine, ...]
    buttons: tuple[Any, ...]
    items: tuple[ItemLine, ...]
    earlier: tuple[Phase, ...] = ()
    policy: str = ""

    @property
    def anchor(self) -> str:
        return f"phase-{self.phase.name}" if self.phase else "whole"

    @property
    def is_open(self) -> bool:
        """Unfolded: what somebody can do something about."""
        past = ("planned", "completed", "skipped")
        return self.phase.state not in past if self.phase else self.done < len(self.items)

    @property
    def done(self) -> int:
        return sum(item.is_done for item in self.items)


def of(rollout: Rollout, told: RolloutFacts, by: Actor, buttons: Callable[[Phase], list[Any]]) -> list[PhaseOverview]:
    """``rollout`` is loaded with ``Rollout.objects.whole()``; no queries but those of ``buttons``."""
    attempts = list(rollout.phases.all())
    sections = [PhaseOverview(None, "", (), (), (), _items(rollout, None, told, by))]
    for phase in facts.newest_attempts(rollout):
        about = told.phase(phase.name)
        sections.append(
            PhaseOverview(
                phase=phase,
                look=LOOKS.get(phase.state, ""),
                who=(*phase.actors, *phase.groups),
                steps=tuple(_step(step, phase) for step in phase.steps.all()),
                buttons=tuple(buttons(phase)),
                items=_items(rollout, phase, told, by),
                earlier=tuple(one for one in attempts if one.name == phase.name and one.pk != phase.pk),
                policy=about.policy.words(has_ramp=about.opening.ramp is not None),
            )
        )
    return sections


def _step(step: Any, phase: Phase) -> StepLine:
    stands_at = phase.percentage or 0
    look = "done" if step.percentage < stands_at or phase.state == "completed" else "rest"
    if step.percentage == stands_at and phase.state != "completed":
        look = "now"
    return StepLine(step.percentage, in_words(step.soak), look)


def _items(rollout: Rollout, phase: Phase | None, facts: RolloutFacts, by: Actor) -> tuple[ItemLine, ...]:
    verdicts = {(item.phase, item.key): item.verdict for item in facts.items}
    name = phase.name if phase else None
    is_past = rollout.state in OVER or (phase is not None and phase.state in checklist.PAST)
    may = by.person.has(Role.MANAGER) and not is_past
    lines = []
    for row in rollout.items.all():
        if row.phase_id != (phase.pk if phase else None) or (name, row.key) not in verdicts:
            continue
        verdict = verdicts[name, row.key]
        early = row.gate == Gate.COMPLETE and phase is not None and bool(blockers_of_exit_item(facts.phase(phase.name)))
        lines.append(
            ItemLine(
                row=row,
                is_done=verdict.satisfied,
                words=verdict.words,
                may_confirm=may and not early and not row.is_automatic and row.confirmed_at is None,
                may_undo=may and row.confirmed_at is not None,
                is_announcement=row.kind == ItemKind.ANNOUNCEMENT,
            )
        )
    return tuple(lines)
