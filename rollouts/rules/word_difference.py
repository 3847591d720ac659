"""Two values side by side, part by part: which words of a text, which items of a list went and came."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

#: So many parts are compared with so many; of more all are taken to differ.
MOST_COMPARED = 400
#: So many parts that went or came are shown in a row, and of those that stayed so many at each end.
MOST_SHOWN, NEIGHBOURS = 80, 8

Look = Literal["", "del", "ins"]


@dataclass(frozen=True, slots=True)
class Part:
    """Some words or items in a row that stayed (``look`` is empty), went (``del``) or came (``ins``)."""

    look: Look
    text: str


def words(was: str, now: str) -> tuple[Part, ...]:
    """The difference of two texts, word by word."""
    before, after = re.findall(r"\S+\s*", was), re.findall(r"\S+\s*", now)
    return tuple(_apart([word.strip() for word in before], [word.strip() for word in after], before, after))


def items(was: Sequence[str], now: Sequence[str], between: str = ", ") -> tuple[Part, ...]:
    """The difference of two lists, item by item."""
    return tuple(_apart(was, now, *([*(f"{one}{between}" for one in side[:-1]), *side[-1:]] for side in (was, now))))


def _apart(was: Sequence[str], now: Sequence[str], before: Sequence[str], after: Sequence[str]) -> Iterator[Part]:
    """What is compared on both sides, and how each part of it is written."""
    runs = list(_runs(was, now))
    for place, (look, begin, end) in enumerate(runs):
        if look:
            yield Part(look, _shortened((before if look == "del" else after)[begin:end], MOST_SHOWN, 0))
        else:  # of what stayed only what stands beside a change
            head, tail = (NEIGHBOURS if place else 0), (NEIGHBOURS if place < len(runs) - 1 else 0)
            stayed = before[begin:end]
            yield Part("", _shortened(stayed, *((head, tail) if head or tail else (MOST_SHOWN, 0))))


def _runs(was: Sequence[str], now: Sequence[str]) -> Iterator[tuple[Look, int, int]]:
    """How each run of parts looks, and where on its side it begins and ends."""
    head = 0
    while head < min(len(was), len(now)) and was[head] == now[head]:
        head += 1
    tail = 0
    while tail < min(len(was), len(now)) - head and was[-1 - tail] == now[-1 - tail]:
        tail += 1
    if head:
        yield "", 0, head
    gone, come = was[head : len(was) - tail], now[head : len(now) - tail]
    changed: Iterable[tuple[str, int, int, int, int]] = [("replace", 0, len(gone), 0, len(come))]
    if max(len(gone), len(come)) <= MOST_COMPARED:
        changed = SequenceMatcher(None, gone, come, autojunk=False).get_opcodes()
    for kind, a, b, c, d in changed:
        if kind == "equal":
            yield "", head + a, head + b
            continue
        if b > a:
            yield "del", head + a, head + b
        if d > c:
            yield "ins", head + c, head + d
    if tail:
        yield "", len(was) - tail, len(was)


def _shortened(parts: Sequence[str], head: int, tail: int) -> str:
    """So many parts at each end, and a sign between them for what is left out."""
    if len(parts) <= head + tail + NEIGHBOURS:
        return "".join(parts).rstrip(" ")
    ends = "".join(parts[:head]).rstrip(), "".join(parts[len(parts) - tail :]).rstrip(" ")
    return " … ".join(ends).strip(" ")
