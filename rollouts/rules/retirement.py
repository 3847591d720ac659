"""When an AI model retires, and whether somebody should do something about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

#: From so many days before it on, the retirement of a model that is still in use is flagged.
NEAR_DAYS = 90


@dataclass(frozen=True, slots=True)
class Retirement:
    """``days`` until it retires; below zero: since it has. ``in_use``: live somewhere, or a feature's default."""

    on: date
    days: int
    in_use: bool

    @property
    def is_past(self) -> bool:
        return self.days < 0

    @property
    def is_near(self) -> bool:
        return self.days <= NEAR_DAYS

    @property
    def needs_eyes(self) -> bool:
        return self.in_use and self.is_near


def retirement(on: date | None, today: date, *, in_use: bool) -> Retirement | None:
    """None where no date was announced."""
    return None if on is None else Retirement(on, (on - today).days, in_use)
