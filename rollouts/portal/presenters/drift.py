"""Drift cases as a page shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ...models import DriftCase, Rollout
from ...rules.blockers import in_words
from ...rules.drift_cases import CLASS_HELP, DriftClass
from ...rules.phrases import Phrase, joined

#: What a rollout's page still shows of those that have ended.
ENDED_SHOWN = 3


@dataclass(frozen=True, slots=True)
class CaseShown:
    """``help`` says what the class means, ``names`` who or what it is, ``lasted`` for how long it stood or stands."""

    case: DriftCase
    help: Phrase
    names: str
    lasted: str


def shown(rows: Iterable[DriftCase], now: datetime) -> tuple[CaseShown, ...]:
    return tuple(_shown(row, now) for row in rows)


def of_rollout(rollout: Rollout, now: datetime) -> tuple[CaseShown, ...]:
    """Its open ones, and the last that ended; one query."""
    rows: list[DriftCase] = list(rollout.drift_cases.all()[:20])
    for row in rows:
        row.rollout = rollout
    open_ones = [row for row in rows if row.is_open]
    return shown([*open_ones, *[row for row in rows if not row.is_open][:ENDED_SHOWN]], now)


def _shown(case: DriftCase, now: datetime) -> CaseShown:
    names = joined(case.what, ", ") if case.what else ""
    return CaseShown(case, CLASS_HELP[DriftClass(case.kind)], names, in_words(case.lasted(now)))
