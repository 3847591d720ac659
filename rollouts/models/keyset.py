"""Keyset pages: a page begins after the last row of the one before, so rows that come, go or move shift nothing.

The cursor holds the sort key of that row and not the row: the list goes on where it was, though the row is gone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import attrgetter, or_
from typing import Any

from django.db.models import Q, QuerySet

from ..rules.datetimes import in_bounds
from ..rules.phrases import say

#: As texts in addresses, opaque to whoever sends them back; an owner of 150 and a title of 200 emoji fit.
LONGEST = 2_000
MOST = 2**63 - 1
WRONG = say("The address names no place of this list. Begin at its first page.")


class WrongCursor(ValueError):
    """The cursor is none that this list has given."""


@dataclass(frozen=True, slots=True)
class Keyset:
    """How one list is ordered: ``keys`` are columns with their types, a minus before what falls; the last is unique.

    No column of them may be null. ``of`` names the list, and its order where it has several.
    """

    of: str
    keys: Mapping[str, type]

    def page(self, rows: QuerySet[Any], cursor: str, limit: int) -> tuple[list[Any], str]:
        """Rows in order from after the cursor on, and the cursor of the next page, empty on the last.

        Raises ``WrongCursor``.
        """
        read = list(self.after(rows, cursor)[: limit + 1])
        return read[:limit], self.cursor(read[limit - 1]) if len(read) > limit else ""

    def after(self, rows: QuerySet[Any], cursor: str) -> QuerySet[Any]:
        """All rows in order from after the cursor on. Raises ``WrongCursor``."""
        rows = rows.order_by(*self.keys)
        key = self.key(cursor)
        if key is None:
            return rows
        columns = [(name.removeprefix("-"), "lt" if name.startswith("-") else "gt") for name in self.keys]
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
        """After this row, which is an instance, or a mapping that holds the columns."""
        names = [name.removeprefix("-") for name in self.keys]
        values = [row[name] if isinstance(row, Mapping) else attrgetter(name)(row) for name in names]
        return written(self.of, *values)

    def key(self, cursor: str) -> tuple[Any, ...] | None:
        """The sort key in a cursor, None for the first page. Raises ``WrongCursor``."""
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


def owner(keysets: Iterable[Keyset], cursor: str) -> int:
    """Which of these lists, that follow on each other, the page begins in: the first, or the cursor's.

    Raises ``WrongCursor``.
    """
    owners = [number for number, keyset in enumerate(keysets) if not cursor or keyset.owns(cursor)]
    if not owners:
        raise WrongCursor(WRONG)
    return owners[0]


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
