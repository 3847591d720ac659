"""A plan's criteria as questions that somebody answers: at each step of a ramp, or before a phase completes.

Source: guide, G14: the plan says when it is a success, when to continue, to pause and to roll back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from .checklist import Answer, Gate
from .percentages import plain_number
from .phrases import Phrase, say

#: So many questions a phase may ask: more nobody answers.
MOST_QUESTIONS = 100


class Criterion(StrEnum):
    """What a sentence of the plan decides about, by the plan's own keys."""

    SUCCESS = "success"
    CONTINUE = "continue"
    PAUSE = "pause"
    ROLL_BACK = "roll_back"

    @property
    def words(self) -> Phrase:
        return CRITERION_WORDS[self]


CRITERION_WORDS: dict[Criterion, Phrase] = {
    Criterion.SUCCESS: say("Success"),
    Criterion.CONTINUE: say("Continue"),
    Criterion.PAUSE: say("Pause"),
    Criterion.ROLL_BACK: say("Roll back"),
}


class Asked(StrEnum):
    """When a phase asks for its criteria; a phase that does not say asks for none."""

    EACH_STEP = "each_step"
    AT_END = "at_end"


ASKED_WORDS: dict[Asked, Phrase] = {
    Asked.EACH_STEP: say("at each step"),
    Asked.AT_END: say("before it completes"),
}


@dataclass(frozen=True, slots=True)
class Question:
    """One sentence, asked at one step (a percentage), or with ``step`` None before the phase completes."""

    key: str
    criterion: Criterion
    sentence: str
    step: Decimal | None
    gate: Gate


def questions(criteria: Mapping[str, Sequence[str]], asked: str, steps: Iterable[Decimal]) -> tuple[Question, ...]:
    """Each question of a phase, in the order in which it is asked. ``criteria`` is by the plan's keys.

    At a step of a ramp that leads on: whether to continue, pause or roll back. Before the phase completes, which is
    at its last step: besides, whether it is a success.
    """
    if not asked:
        return ()
    on_the_way = sorted(steps)[:-1] if asked == Asked.EACH_STEP else []
    found: list[Question] = []
    for step in on_the_way:
        kinds = (Criterion.CONTINUE, Criterion.PAUSE, Criterion.ROLL_BACK)
        found += _of(criteria, kinds, step, Gate.ADVANCE)
    return (*found, *_of(criteria, Criterion, None, Gate.COMPLETE))


def _of(
    criteria: Mapping[str, Sequence[str]], kinds: Iterable[Criterion], step: Decimal | None, gate: Gate
) -> Iterator[Question]:
    for kind in kinds:
        for number, sentence in enumerate(criteria.get(kind, ()), start=1):
            where = f"at-{plain_number(step)}" if step is not None else "at-end"
            yield Question(f"{kind}-{number}-{where}", kind, sentence, step, gate)


def wanted(criterion: str) -> Answer:
    """The answer that lets it go on: a sentence about success or continuing holds, one about pausing does not."""
    return Answer.YES if criterion in (Criterion.SUCCESS, Criterion.CONTINUE) else Answer.NO
