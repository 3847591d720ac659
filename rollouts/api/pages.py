"""Pages of lists: ``cursor`` is the ``next`` of the page before."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from ..models.keyset import Keyset, WrongCursor
from .problems import Problem, error

MOST = 100
WRONG = "the cursor is none of this list. Take `next` of the page before, or leave it out for the first page."


def page(keyset: Keyset, rows: QuerySet[Any], cursor: str, limit: int) -> tuple[list[Any], str | None]:
    """Rows, and ``next``. Raises ``Problem`` (422) for another list's cursor."""
    try:
        found, following = keyset.page(rows, cursor, limit)
    except WrongCursor:
        raise wrong() from None
    return found, following or None


def wrong() -> Problem:
    """Of a cursor that the list has not given."""
    return Problem(422, WRONG, errors=[error("query", "cursor", WRONG)], kind="invalid")
