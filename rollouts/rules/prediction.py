"""When steps to come may begin at the earliest, as a list for pages. The calculation is that of ``schedule``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from .locks import Window, merged
from .schedule import Kind, PhaseTimes, ahead


@dataclass(frozen=True, slots=True)
class Coming:
    """A start or step to come; ``reach`` is None for named people and groups, whose number is not known."""

    phase: str
    at: datetime
    percentage: Decimal | None
    reach: Decimal | None
    is_planned_time: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """What comes when at the earliest, and when the last phase may be complete. Empty where nothing goes on."""

    coming: tuple[Coming, ...] = ()
    complete_at: datetime | None = None

    @property
    def everybody_at(self) -> datetime | None:
        """When all that are meant are let in at the earliest: the last start or step of the last phase."""
        return self.coming[-1].at if self.complete_at and self.coming else None

    def of_step(self, percentage: Decimal) -> Coming | None:
        return next((each for each in self.coming if each.percentage == percentage), None)


def predict(phases: Sequence[PhaseTimes], now: datetime, locks: Iterable[Window] = ()) -> Prediction:
    """Everything that is still to come of these phases (newest attempts, in order), if nobody waits and GitLab follows
    at once.

    Nothing is predicted past a phase that was rolled back: somebody must decide first.
    """
    _, moments, cursor = ahead(phases, now, merged(locks))
    planned = {(phase.name, step.percentage): step.planned_at for phase in phases for step in phase.steps}
    coming = tuple(
        Coming(
            moment.phase.name,
            moment.at,
            moment.percentage,
            moment.reach,
            moment.percentage is not None and moment.at == planned.get((moment.phase.name, moment.percentage)),
        )
        for moment in moments
        if moment.phase and moment.kind is not Kind.COMPLETE
    )
    return Prediction(coming, cursor.at if moments and cursor.is_whole else None)
