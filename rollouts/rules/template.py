"""A plan template: the phases and checklist of a practice, as data. The built-in one carries GitLab's guide.

Source: guide, rules G1 to G14 (DESIGN section 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from .approval_policy import USUAL, PhasePolicy
from .checklist import Gate, ItemKind
from .metrics import Deed
from .ramp import SAFE_FINAL_SOAK, SAFE_SOAK, SAFE_STEPS
from .waivers import Waivable

AudienceKind = Literal["actors", "groups", "everyone"]
Method = Literal["percentage", "all_at_once"]


@dataclass(frozen=True, slots=True)
class TemplatePhase:
    """One audience in order, with what a plan gets that says nothing else. ``recommended`` is advice in a sentence.

    ``approvals`` says who must agree to its start and its steps. Method, steps and their soak speak for phases with
    audience ``everyone`` only, ``final_soak`` for any: so long it must have stood, as read, before it is complete.
    ``waivable`` says on whose waiver an optional phase is skipped.
    """

    name: str
    title: str
    audience: AudienceKind
    optional: bool = False
    recommended: str = ""
    actors: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    method: Method = "percentage"
    steps: tuple[Decimal, ...] = SAFE_STEPS
    soak: timedelta = SAFE_SOAK
    final_soak: timedelta = SAFE_FINAL_SOAK
    approvals: PhasePolicy = USUAL
    waivable: Waivable | None = None


@dataclass(frozen=True, slots=True)
class TemplateItem:
    """One prerequisite. ``phase`` None is the whole rollout; ``guide`` is the rule that it comes from («G7»).
    ``waivable`` says on whose waiver a rollout goes on without it; None: it does not.
    """

    key: str
    title: str
    kind: ItemKind
    gate: Gate = Gate.START
    help: str = ""
    role: str = ""
    phase: str | None = None
    required: bool = True
    guide: str = ""
    waivable: Waivable | None = None


@dataclass(frozen=True, slots=True)
class IssueTemplate:
    """The issue for a role that a rollout lacks. ``{title}``, ``{model}``, ``{flag}`` … stand for the rollout's."""

    title: str
    description: str = ""
    labels: tuple[str, ...] = ()
    confidential: bool = False
    project: str = ""

    @staticmethod
    def fill(text: str, words: Mapping[str, str]) -> str:
        """The text with each ``{name}`` that is known replaced; anything else in braces stays."""
        return re.sub(r"\{(\w+)\}", lambda found: words.get(found[1], found[0]), text)


@dataclass(frozen=True, slots=True)
class Template:
    """Phases in order and their checklist; ``issues`` are patterns by role.

    ``metrics_may`` is the most that a guard metric does by itself; ``capacity_margin`` what of a quota is kept free
    besides what is asked, in per cent of that.
    """

    slug: str
    title: str
    phases: tuple[TemplatePhase, ...]
    items: tuple[TemplateItem, ...] = ()
    description: str = ""
    issues: Mapping[str, IssueTemplate] = field(default_factory=dict, hash=False)
    metrics_may: Deed = Deed.HOLD
    capacity_margin: int = 20

    def phase(self, name: str) -> TemplatePhase:
        """The phase of this name. Raises ``KeyError``."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise KeyError(name)

    @property
    def phase_names(self) -> tuple[str, ...]:
        return tuple(phase.name for phase in self.phases)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that issues play in this template, in its order."""
        return tuple(dict.fromkeys(item.role for item in self.items if item.role))

    def waivable(self, phase: str | None, item: str = "") -> Waivable | None:
        """Who may waive an item, or let an optional phase be skipped; None where nobody may, or there is none such."""
        if item:
            found = next((one for one in self.items if (one.phase, one.key) == (phase, item)), None)
            return found.waivable if found else None
        return next((one.waivable for one in self.phases if one.name == phase and one.optional), None)

    def items_of(self, phase: str | None) -> tuple[TemplateItem, ...]:
        """The items of a phase, or of the rollout (None)."""
        return tuple(item for item in self.items if item.phase == phase)
