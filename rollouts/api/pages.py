"""Pages of lists: ``cursor`` is the ``next`` of the page before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..models.keyset import Keyset
from ..services.lists.asked import Asked, Page
from .problems import Problem, error

MOST = 100
WRONG = "the cursor is none of this list. Take `next` of the page before, or leave it out for the first page."


def page(asked: Asked, keyset: Keyset, limit: int, tell: Callable[[Any], Any], rows: Any = None) -> dict[str, Any]:
    """``{"items", "next"}``. Raises ``Problem`` (422) for what there is not."""
    found = read(asked, keyset, limit, rows)
    return {"items": [tell(row) for row in found.rows], "next": found.next or None}


def read(asked: Asked, keyset: Keyset, limit: int, rows: Any = None) -> Page:
    """Raises ``Problem`` (422) where it asks for what there is not."""
    page_asked = asked.page(keyset, limit, rows, cursor="cursor")
    faults = {name: WRONG if name == "cursor" else str(words) for name, words in asked.faults.items()}
    if faults:
        errors = [error("query", name, words) for name, words in faults.items()]
        raise Problem(422, " ".join(faults.values()), errors=errors, kind="invalid")
    return page_asked
