"""Drift cases as a page shows them, with the answers that its reader may give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ...audit.actor import Actor
from ...models import DriftCase, Rollout
from ...rules.blockers import in_words
from ...rules.drift_cases import ANSWER_HELP, ANSWER_WORDS, CLASS_HELP, Answer, DriftClass
from ...rules.machine import Role
from ...rules.phrases import Phrase, joined

#: What a rollout's page still shows of those that have ended.
ENDED_SHOWN = 3
MOST = 20
#: Which answers there are to each class: who adopts lets a live phase grow.
ADOPTABLE = frozenset({DriftClass.AHEAD, DriftClass.FOREIGN_ACTOR})
NOT_OF_FLAG = frozenset({DriftClass.REOPENED, DriftClass.MISSING})


@dataclass(frozen=True, slots=True)
class AnswerShown:
    """A button that opens a form; ``asks_until`` where it also takes an end."""

    name: str
    label: Phrase
    help: Phrase
    asks_until: bool


@dataclass(frozen=True, slots=True)
class CaseShown:
    """``help`` says what the class means, ``names`` who or what it is, ``lasted`` for how long it stood or stands."""

    case: DriftCase
    help: Phrase
    names: str
    lasted: str
    is_accepted: bool
    answers: tuple[AnswerShown, ...] = ()


def shown(rows: Iterable[DriftCase], now: datetime, viewer: Actor | None) -> tuple[CaseShown, ...]:
    return tuple(_shown(row, now, viewer) for row in rows)


def of_rollout(rollout: Rollout, now: datetime, viewer: Actor | None) -> tuple[CaseShown, ...]:
    """Its open ones, and the last that ended, of those that were loaded with it or by one query."""
    rows: list[DriftCase] = list(rollout.drift_cases.all()[:MOST])
    for row in rows:
        row.rollout = rollout
    open_ones = [row for row in rows if row.is_open]
    return shown([*open_ones, *[row for row in rows if not row.is_open][:ENDED_SHOWN]], now, viewer)


def _shown(case: DriftCase, now: datetime, viewer: Actor | None) -> CaseShown:
    return CaseShown(
        case,
        CLASS_HELP[DriftClass(case.kind)],
        joined(case.what, ", ") if case.what else "",
        in_words(case.lasted(now)),
        case.is_open and case.waiver is not None and case.waiver.stands(now),
        _answers(case) if case.is_open and viewer is not None and viewer.person.has(Role.MANAGER) else (),
    )


def _answers(case: DriftCase) -> tuple[AnswerShown, ...]:
    """Those that could pass; what else stands in the way is said when it is pressed."""
    kind = DriftClass(case.kind)
    names = [Answer.RESTORE] if kind not in NOT_OF_FLAG else []
    names += [Answer.ADOPT] if kind in ADOPTABLE else []
    return tuple(
        AnswerShown(name.value, ANSWER_WORDS[name], ANSWER_HELP[name], name is Answer.ACCEPT)
        for name in [*names, Answer.ACCEPT]
    )
