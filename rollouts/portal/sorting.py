"""Columns of a list that is sorted in its address: ``?sort=name`` up, ``?sort=-name`` down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import QueryDict


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; with a ``url`` it sorts. ``is_number`` aligns it with its figures."""

    label: str
    url: str = ""
    sorted: str = ""
    is_number: bool = False


def column(label: str, query: QueryDict, key: str, now: str, *, is_number: bool = False) -> Column:
    """A heading that sorts by ``key``, and the other way round if the list is sorted by it now."""
    changed = query.copy()
    changed.pop("page", None)
    changed["sort"] = f"-{key}" if now == key else key
    order = {key: "ascending", f"-{key}": "descending"}.get(now, "")
    return Column(label, f"?{changed.urlencode()}", order, is_number)


def wanted(query: QueryDict, keys: Mapping[str, object], usual: str) -> str:
    """The sort that the address asks for, or the usual one."""
    asked = query.get("sort", "")
    return asked if asked.removeprefix("-") in keys else usual
