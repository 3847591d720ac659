"""Files of CSV that spreadsheets open: no cell of them is taken for a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """What csv writes, handed on at once."""

    def write(self, value: str) -> str:
        return value


def lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Rows as lines of CSV, one after the other."""
    write = csv.writer(_Echo()).writerow
    for row in rows:
        yield write(map(_as_cell, row))


def _as_cell(value: object) -> str:
    """A text that would be taken for a formula begins with an apostrophe, which spreadsheets do not show."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def from_cell(text: str) -> str:
    """The text of a cell that ``lines`` wrote."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
