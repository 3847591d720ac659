"""How messages about a document name what stands in it."""

from __future__ import annotations

from typing import Any

from .phrases import say


def shorten(text: str, most: int = 60) -> str:
    """Text for a message: on one line, not longer than a person reads."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def kind_of(value: Any) -> str:
    """What a value is, in a person's words."""
    match value:
        case None:
            return say("empty")
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return say("the number {written}", written=shorten(str(value)))
        case str():
            return say("the text «{written}»", written=shorten(value))
        case list():
            return say("a list")
        case _:
            return say("a mapping of keys to values")
