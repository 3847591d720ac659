"""The checklist as a page shows it: by phase, and folded where it is long."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from ...audit.actor import Actor
from ...models import Rollout
from ...rules.facts import RolloutFacts
from ...services import items
from ...services.items import Item

#: From so many on, items that are done are folded beside those that are not.
MANY = 3


@dataclass(frozen=True, slots=True)
class ChecklistSection:
    """The items of the whole rollout or of one phase; open where something of it matters now."""

    phase: str
    title: str
    shown: tuple[Item, ...]
    folded: tuple[Item, ...]
    done: int
    count: int
    is_open: bool

    @property
    def items(self) -> tuple[Item, ...]:
        return self.shown + self.folded


def sections(rollout: Rollout, facts: RolloutFacts, viewer: Actor) -> tuple[ChecklistSection, ...]:
    by_phase: dict[str, list[Item]] = {}
    asked = {(item.phase or "", item.key) for item in facts.items if facts.is_asked(item)}
    for item in items.of(rollout, facts, viewer):
        if (item.phase, item.key) not in asked and not item.confirmed_at:
            continue  # a criterion of a step that is still to come, or that was never asked for
        by_phase.setdefault(item.phase, []).append(item)
    current = facts.current.name if facts.current else None
    titles = {phase.name: phase.title for phase in facts.phases}
    return tuple(_section(name, titles.get(name, ""), found, name == current) for name, found in by_phase.items())


def _section(phase: str, title: str, found: list[Item], is_current: bool) -> ChecklistSection:
    required = [item for item in found if item.required]
    folds = sum(item.ok for item in found) >= MANY and not all(item.ok for item in found)
    return ChecklistSection(
        phase=phase,
        title=title or _("Whole rollout"),
        shown=tuple(item for item in found if not (folds and item.ok)),
        folded=tuple(item for item in found if folds and item.ok),
        done=sum(item.ok for item in required),
        count=len(required),
        is_open=is_current or (not phase and not all(item.ok for item in required)),
    )
