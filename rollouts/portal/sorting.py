"""Lists that are filtered and sorted in their address: ``?sort=name`` up, ``?sort=-name`` down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from django.http import QueryDict

from .asking import PageQuery


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; with a ``url`` it sorts."""

    label: str
    url: str = ""
    sorted: str = ""


def column(label: str, query: QueryDict, key: str, now: str) -> Column:
    """A heading that sorts by ``key``, and the other way round if the list is sorted by it now."""
    changed = query.copy()
    changed.pop("page", None)
    changed["sort"] = f"-{key}" if now == key else key
    order = {key: "ascending", f"-{key}": "descending"}.get(now, "")
    return Column(label, f"?{changed.urlencode()}", order)


@dataclass(frozen=True, slots=True)
class ListFilter:
    """``asked`` is what the address asks for; ``narrows`` whether any of it leaves rows out.

    ``SORTS`` are what the list may be sorted by, of which ``USUAL`` is the one that nobody asked for.
    """

    ASKED: ClassVar[tuple[str, ...]]
    SORTS: ClassVar[Mapping[str, str]]
    USUAL: ClassVar[str]

    asked: dict[str, str]
    sort: str

    @classmethod
    def of(cls, asked: PageQuery, choices: Mapping[str, Iterable[str]]) -> Self:
        """``choices`` are those of each filter that is no text; what is none of them ``asked`` keeps in words."""
        for name, known in choices.items():
            asked.filter(name, known)
        sorts = [way for key in cls.SORTS for way in (key, f"-{key}")]
        return cls({name: asked.text(name) for name in cls.ASKED}, asked.choice("sort", sorts, cls.USUAL))

    @property
    def narrows(self) -> bool:
        return any(self.asked.values())
