"""Cells of CSV files that spreadsheets open: none of them is taken for a formula."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_cell(value: object) -> str:
    """A text that would be taken for a formula begins with an apostrophe, which spreadsheets do not show."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def from_cell(text: str) -> str:
    """The text that ``as_cell`` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
