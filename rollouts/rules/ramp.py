"""The ramp: rising percentages of actors, each with its soak.

Source: guide, "Rollout to all users"; GitLab doc/development/feature_flags/controls.md, "Process"
(at least 15 minutes between steps; 1, 10, 25, 50, 75, 100 where nobody knows better).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from .percentages import FULL, LEAST
from .phrases import invalid

SAFE_STEPS = tuple(map(Decimal, (1, 10, 25, 50, 75, 100)))
SAFE_SOAK = timedelta(minutes=15)
SAFE_FINAL_SOAK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """``percentage`` of actors, 0.001 to 100; ``soak`` is how long it must have stood in GitLab, as read."""

    percentage: Decimal
    soak: timedelta


@dataclass(frozen=True, slots=True)
class Ramp:
    """Steps in rising order. Raises ``ValueError`` for a ramp that is empty, falls, or leaves 0.001 to 100."""

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        percentages = [step.percentage for step in self.steps]
        if not percentages or not all(LEAST <= percentage <= FULL for percentage in percentages):
            raise invalid("a ramp has steps of 0.001 to 100 %")
        if percentages != sorted(set(percentages)):
            raise invalid("a ramp's steps rise")

    @property
    def first(self) -> Step:
        return self.steps[0]

    def at(self, percentage: Decimal) -> Step:
        """The step with this percentage. Raises ``KeyError``."""
        for step in self.steps:
            if step.percentage == percentage:
                return step
        raise KeyError(percentage)

    def after(self, percentage: Decimal | None) -> Step | None:
        """The step that follows; the first one after None, None after the last."""
        return next((step for step in self.steps if percentage is None or step.percentage > percentage), None)

    def number(self, percentage: Decimal | None) -> int:
        """Which step this is, from 1; 0 before the first."""
        return sum(1 for step in self.steps if percentage is not None and step.percentage <= percentage)


def soak_at(steps: Sequence[Any], percentage: Decimal | None, final: timedelta) -> timedelta:
    """How long a phase stands at a step before what follows; at the last one ``final``, as long as the whole phase."""
    return next((step.soak for step in steps[:-1] if step.percentage == percentage), final)
