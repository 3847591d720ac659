"""Keyset pages: a page begins after the last row of the one before, so rows that come, go or move shift nothing.

The cursor holds the sort key of that row and not the row: the list goes on where it was, though the row is gone. One
with a minus before it leads back: to what stands before the first row of a page.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import attrgetter, or_
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from ..rules.datetimes import in_bounds
from ..rules.phrases import say

#: As texts in addresses, opaque to whoever sends them back; an owner of 150 and a title of 200 emoji fit.
LONGEST = 2_000
#: Begins a cursor that leads back; all others begin as the list in them is written.
BACK = "-"
MOST = 2**63 - 1
WRONG = say("The address names no place of this list. Begin at its first page.")


class WrongCursor(ValueError):
    """The cursor is none that this list has given."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, or of several lists those of each, and the cursors of the pages before and after; empty where none is."""

    rows: list[Any]
    previous: str
    next: str


@dataclass(frozen=True, slots=True)
class Keyset:
    """How one list is ordered: ``keys`` are columns with their types, a minus before what falls; the last is unique.

    No column of them may be null. ``of`` names the list, and its order where it has several.
    """

    of: str
    keys: Mapping[str, type]

    def page(self, rows: QuerySet[Any], cursor: str, limit: int) -> Page:
        """The page of this list that the cursor leads to. Raises ``WrongCursor``."""
        page = page_of([(self, rows)], cursor, limit)
        return Page(page.rows[0], page.previous, page.next)

    def beyond(self, rows: QuerySet[Any], cursor: str, *, back: bool = False) -> QuerySet[Any]:
        """All rows from the cursor on: those after it in order, or ``back`` from it. Raises ``WrongCursor``."""
        rows, key = rows.order_by(*self.keys), self.key(cursor)
        rows = rows.reverse() if back else rows
        if key is None:
            return rows
        columns = [(name.removeprefix("-"), "lt" if name.startswith("-") is not back else "gt") for name in self.keys]
        equal: dict[str, Any] = {}
        beyond = []
        for (name, side), value in zip(columns, key, strict=True):
            beyond.append(Q(**equal, **{f"{name}__{side}": value}))
            equal[name] = value
        name, side = columns[0]
        return rows.filter(reduce(or_, beyond), **{f"{name}__{side}e": key[0]})  # the second is what an index takes

    def owns(self, cursor: str) -> bool:
        """Whether this list, of several that follow on each other, has given the cursor."""
        try:
            return self.key(cursor) is not None
        except WrongCursor:
            return False

    def cursor(self, row: Any) -> str:
        """Of the place of this row, which is an instance, or a mapping that holds the columns."""
        names = [name.removeprefix("-") for name in self.keys]
        values = [row[name] if isinstance(row, Mapping) else attrgetter(name)(row) for name in names]
        return written(self.of, *values)

    def key(self, cursor: str) -> tuple[Any, ...] | None:
        """The sort key in a cursor, None for the first page. Raises ``WrongCursor``."""
        cursor = cursor.removeprefix(BACK)
        if not cursor:
            return None
        try:
            if len(cursor) > LONGEST:
                raise ValueError(cursor)
            of, *values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
            if of != self.of or len(values) != len(self.keys):
                raise ValueError(cursor)
            return tuple(map(_value, values, self.keys.values(), self.keys))
        except (ValueError, TypeError, RecursionError):
            raise WrongCursor(WRONG) from None


def page_of(lists: Iterable[tuple[Keyset, QuerySet[Any]]], cursor: str, limit: int) -> Page:
    """A page of several lists that follow on each other.

    Less than a page is never before another: what leads back to the beginning leads to the whole first page.
    Raises ``WrongCursor`` where none of the lists has given the cursor.
    """
    lists, back = list(lists), cursor.startswith(BACK)
    with snapshot() if len(lists) > 1 else nullcontext():
        found, is_more = _read(lists[::-1] if back else lists, cursor, limit, back=back)
        if back and not is_more:
            cursor, back = "", False
            found, is_more = _read(lists, cursor, limit, back=back)
    if back:
        found = [rows[::-1] for rows in reversed(found)]
    places = [keyset.cursor(rows[at]) for (keyset, _), rows in zip(lists, found, strict=True) if rows for at in (0, -1)]
    first, last = (places[0], places[-1]) if places else ("", "")  # without a row it is the end that leads back
    return Page(found, f"{BACK}{first}" if cursor else "", last if back or is_more else "")


def _read(
    lists: Iterable[tuple[Keyset, QuerySet[Any]]], cursor: str, limit: int, *, back: bool
) -> tuple[list[list[Any]], bool]:
    """Of each of these lists what a page holds, from the cursor on, and whether there is more."""
    found: list[list[Any]] = []
    left, is_begun = limit + 1, cursor in ("", BACK)
    for keyset, rows in lists:
        begins = not is_begun and keyset.owns(cursor)
        is_begun = is_begun or begins
        read = list(keyset.beyond(rows, cursor if begins else "", back=back)[:left]) if is_begun and left else []
        left -= len(read)
        if read and not left:  # the one too many only says that there is more
            read.pop()
        found.append(read)
    if not is_begun:
        raise WrongCursor(WRONG)
    return found, not left


@contextmanager
def snapshot() -> Iterator[None]:
    """Whatever is read in this block stands as at one moment: what moves from one list to another is in just one.

    For reading only. Inside of a transaction it adds nothing.
    """
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor != "sqlite":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    database: Any = connection
    usual, database.transaction_mode = database.transaction_mode, "DEFERRED"  # takes no lock from who writes
    try:
        with transaction.atomic():
            yield
    finally:
        database.transaction_mode = usual


def written(of: str, *values: Any) -> str:
    """A cursor as it stands in addresses."""
    key = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    text = json.dumps([of, *key], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode(errors="surrogatepass")).decode().rstrip("=")


def _value(value: Any, type_: Any, name: str) -> Any:
    if type_ is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or not in_bounds(moment):
            raise ValueError(value)
        return moment
    least = 1 if name.endswith(("pk", "id")) else 0
    if type(value) is not type_ or (type_ is int and not least <= value <= MOST) or "\x00" in str(value):
        raise ValueError(value)
    return value.encode().decode() if type_ is str else value  # refuses half of a surrogate pair
