"""Keyset pages: a page begins after the last row of the one before, so rows that are added move nothing."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from .problems import Problem, error

MOST = 100
LARGEST_KEY = 2**63 - 1
WRONG = "the cursor is none of this list. Take `next` of the page before, or leave it out for the first page."


def cursor(of: str, *key: Any) -> str:
    """Opaque to callers: the list that it belongs to, and the sort key of the last row that was given."""
    written = json.dumps([of, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def key(of: str, text: str, *types: type) -> tuple[Any, ...] | None:
    """The sort key in a cursor, None for the first page. Raises ``Problem`` (422) for another list's."""
    if not text:
        return None
    try:
        named, *values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if named != of or len(values) != len(types):
            raise ValueError(named)
        return tuple(_value(value, type_) for value, type_ in zip(values, types, strict=True))
    except (ValueError, TypeError, RecursionError):
        raise Problem(422, WRONG, errors=[error("query", "cursor", WRONG)], kind="invalid") from None


def _value(value: Any, type_: Any) -> Any:
    if type_ is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or not 1970 <= moment.year <= 9000:
            raise ValueError(value)
        return moment
    if type(value) is not type_ or (type_ is int and not 0 < value <= LARGEST_KEY) or "\x00" in str(value):
        raise ValueError(value)
    return value.encode().decode() if type_ is str else value  # refuses half of a surrogate pair


def after(rows: QuerySet[Any], field: str, values: tuple[Any, ...] | None, *, newest_first: bool = False) -> Any:
    """Rows in the order of ``field`` and then primary key, from after the key ``values`` on."""
    sign, beyond = ("-", "lt") if newest_first else ("", "gt")
    rows = rows.order_by(f"{sign}{field}", f"{sign}pk")
    if values is None:
        return rows
    value, pk = values
    return rows.filter(Q(**{f"{field}__{beyond}": value}) | Q(**{field: value, f"pk__{beyond}": pk}))
