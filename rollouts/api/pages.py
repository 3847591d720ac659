"""Pages of lists: ``cursor`` is the ``next`` of the page before, or the ``previous`` of the page after."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse

from ..models.keyset import Keyset, Page
from ..services.lists.asked import Asked
from .problems import Problem, error

MOST = 100
WRONG = "the cursor is none of this list. Take `next` or `previous` of a page, or leave it out for the first page."


def page(asked: Asked, keyset: Keyset, limit: int, tell: Callable[[Any], Any], rows: Any = None) -> dict[str, Any]:
    """``{"items", "next", "previous"}``. Raises ``Problem`` (422) for what there is not."""
    found = read(asked, keyset, limit, rows)
    return holding([tell(row) for row in found.rows], found)


def holding(items: list[Any], page: Page) -> dict[str, Any]:
    """A page as the API tells it."""
    return {"items": items, "next": page.next or None, "previous": page.previous or None}


def written(page: dict[str, Any]) -> HttpResponse:
    """A page of plain values as it stands: it is not held against its description once more for each row."""
    return HttpResponse(json.dumps(page), content_type="application/json; charset=utf-8")


def read(asked: Asked, keyset: Keyset, limit: int, rows: Any = None) -> Page:
    """Raises ``Problem`` (422) where it asks for what there is not."""
    page_asked = asked.page(keyset, limit, rows, cursor="cursor")
    refuse(asked)
    return page_asked


def refuse(asked: Asked) -> None:
    """Raises ``Problem`` (422) with all that was not understood."""
    faults = {name: WRONG if name == "cursor" else str(words) for name, words in asked.faults.items()}
    if faults:
        errors = [error("query", name, words) for name, words in faults.items()]
        raise Problem(422, " ".join(faults.values()), errors=errors, kind="invalid")
