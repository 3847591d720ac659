"""Two documents side by side, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff

#: So many lines that stayed are shown around those that differ.
AROUND = 1


@dataclass(frozen=True, slots=True)
class DiffLine:
    """``look`` is add, del or same; ``text`` begins with its sign."""

    look: str
    text: str


def diff(before: str, after: str) -> tuple[DiffLine, ...]:
    """Only where there is something to differ from."""
    if not before or before == after:
        return ()
    lines = list(unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=AROUND))[2:]
    looks = {"+": "add", "-": "del"}
    return tuple(DiffLine(looks.get(line[:1], "same"), line) for line in lines)
