"""Two people change one plan: the text that both began with and what each made of it, merged line by line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

Lines = Sequence[str]


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same lines, which both changed to something else."""

    base: tuple[str, ...]
    mine: tuple[str, ...]
    theirs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """``text`` has what only one of them changed; where both did, mine, and ``conflicts`` say so."""

    text: str
    conflicts: tuple[Conflict, ...]


def digest(text: str) -> str:
    """What a plan document is known by: SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def merge(base: str, mine: str, theirs: str) -> Merged:
    begun, ours, others = (text.replace("\r\n", "\n").splitlines() for text in (base, mine, theirs))
    lines: list[str] = []
    conflicts: list[Conflict] = []
    for old, own, other in _regions(begun, ours, others):
        if own == other or other == old:
            lines += own
        elif own == old:
            lines += other
        else:
            lines += own
            conflicts.append(Conflict(tuple(old), tuple(own), tuple(other)))
    return Merged("\n".join(lines) + "\n", tuple(conflicts))


def _regions(base: Lines, mine: Lines, theirs: Lines) -> Iterator[tuple[Lines, Lines, Lines]]:
    """In order: what all three have, and what lies between, as each has it."""
    at, own_at, other_at = 0, 0, 0
    for start, own, other, length in [*_common(base, mine, theirs), (len(base), len(mine), len(theirs), 0)]:
        yield base[at:start], mine[own_at:own], theirs[other_at:other]
        yield (base[start : start + length],) * 3
        at, own_at, other_at = start + length, own + length, other + length


def _common(base: Lines, mine: Lines, theirs: Lines) -> Iterator[tuple[int, int, int, int]]:
    """Runs of lines that all three have: where each begins, and how long it is."""
    ours = SequenceMatcher(None, base, mine, autojunk=False).get_matching_blocks()
    others = SequenceMatcher(None, base, theirs, autojunk=False).get_matching_blocks()
    for a in ours:
        for b in others:
            start, end = max(a.a, b.a), min(a.a + a.size, b.a + b.size)
            if start < end:
                yield start, a.b + start - a.a, b.b + start - b.a, end - start
