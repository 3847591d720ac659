"""The new model beside the baseline, as somebody recorded it at the end of a phase (guide, G6): was it faster or
slower, more or less often right, what does that make of it, by which numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

from .phrases import Phrase, invalid, joined, say, shorten

MOST_NUMBERS = 20
LONGEST_NAME = 60
_LINE = re.compile(r"(?P<name>[^=]+)=(?P<new>[^/]+)/(?P<baseline>[^/]+)")


class Beside(StrEnum):
    """How the new model does beside the baseline."""

    BETTER = "better"
    ALIKE = "alike"
    WORSE = "worse"


BESIDE_WORDS: dict[Beside, Phrase] = {
    Beside.BETTER: say("better"),
    Beside.ALIKE: say("alike"),
    Beside.WORSE: say("worse"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of both: «p50 ms = 655 / 637»."""

    name: str
    new: float
    baseline: float

    def __str__(self) -> str:
        return f"{self.name}: {self.new:g} / {self.baseline:g}"


@dataclass(frozen=True, slots=True)
class Comparison:
    latency: Beside
    correctness: Beside
    verdict: Beside
    numbers: tuple[Figure, ...] = ()

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Comparison | None:
        """As it is kept; None of what is empty."""
        if not kept:
            return None
        figures = tuple(Figure(one["name"], one["new"], one["baseline"]) for one in kept["numbers"])
        return cls(Beside(kept["latency"]), Beside(kept["correctness"]), Beside(kept["verdict"]), figures)

    def as_dict(self) -> dict[str, Any]:
        numbers = [{"name": one.name, "new": one.new, "baseline": one.baseline} for one in self.numbers]
        return {
            "latency": str(self.latency),
            "correctness": str(self.correctness),
            "verdict": str(self.verdict),
            "numbers": numbers,
        }

    @property
    def words(self) -> Phrase:
        told = say(
            "{verdict} than the baseline as a whole; latency {latency}, correctness {correctness}",
            verdict=BESIDE_WORDS[self.verdict],
            latency=BESIDE_WORDS[self.latency],
            correctness=BESIDE_WORDS[self.correctness],
        )
        if self.verdict is Beside.ALIKE:
            told = say(
                "like the baseline as a whole; latency {latency}, correctness {correctness}",
                latency=BESIDE_WORDS[self.latency],
                correctness=BESIDE_WORDS[self.correctness],
            )
        return joined([told, *map(str, self.numbers)], "; ")


def figures(written: str) -> tuple[Figure, ...]:
    """Lines «name = new / baseline». Raises ``ValueError`` that says which line is wrong and how to mend it."""
    found: list[Figure] = []
    for line in filter(None, map(str.strip, written.splitlines())):
        parts = _LINE.fullmatch(line)
        shown = shorten(line, 80)
        if parts is None:
            raise invalid("«{line}» is no number of both. Write: p50 ms = 655 / 637.", line=shown)
        name = parts["name"].strip()
        if not name or len(name) > LONGEST_NAME:
            raise invalid("«{line}»: the name has 1 to {most} characters.", line=shown, most=LONGEST_NAME)
        if any(one.name == name for one in found):
            raise invalid("«{name}» stands there twice. Write each once.", name=name)
        found.append(Figure(name, _number(parts["new"], shown), _number(parts["baseline"], shown)))
    if len(found) > MOST_NUMBERS:
        raise invalid("At most {most} numbers are recorded: link to the rest.", most=MOST_NUMBERS)
    return tuple(found)


def _number(written: str, line: str) -> float:
    text = written.strip()
    try:
        number = float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        number = None
    if number is None or not isfinite(number):
        raise invalid("«{line}»: «{text}» is no number. Write digits, with a point.", line=line, text=shorten(text, 40))
    return number
