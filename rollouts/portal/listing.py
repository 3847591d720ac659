"""Which rows the portfolio shows, in which groups and order: a page of them costs the same however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import IntegerField, Subquery
from django.utils.translation import gettext as _

from ..audit.actor import Actor
from ..models import PortfolioRow, keyset
from ..models.keyset import Keyset
from ..models.portfolio_rows import PortfolioRowQuerySet
from ..services import portfolio_rows as worked_out
from ..services.asked_people import stand_ins_of
from ..services.freshness import limit
from ..services.lists.rollouts import counted
from .presenters import portfolio as present
from .presenters.portfolio import FIELDS, ShownRow

Place = PortfolioRow.Place
#: The values of ``FIELDS``.
StoredRow = dict[str, Any]
PAGE = 50
#: Counts are exact up to here, and «999+» beyond: counting on would cost more than it tells.
MOST_COUNTED = 999
#: What the sentence on top counts.
COUNTED = ("underway", "yours", "drifting", "overdue", "reviews")
#: Rows in a column of the board.
COLUMN = 20
SORTS: Mapping[str, tuple[str, ...]] = {
    "urgency": ("urgency", "since"),
    "since": ("since",),
    "title": ("title",),
    "phase": ("phase_position",),
    "owner": ("owner", "urgency"),
    "provider": ("provider", "urgency"),
}
#: What the columns of ``SORTS`` and ``GROUPS`` hold.
TYPES = {
    "urgency": int, "since": datetime, "title": str, "phase_position": int, "owner": str, "provider": str,
}  # fmt: skip
#: By what rows are grouped but for who must act; the field orders the groups.
GROUPS: Mapping[str, str] = {"health": "urgency", "phase": "phase_position", "owner": "owner", "provider": "provider"}


@dataclass(slots=True)
class Group:
    """Rows under a heading; ``count`` is how many there are in all, None where that is not told."""

    key: str
    title: str
    rows: list[ShownRow] = field(default_factory=list)
    count: str | None = None
    has_more: bool = False


@dataclass(slots=True)
class Listing:
    """A page of rows in groups, and the cursors of the pages before and after."""

    groups: list[Group]
    previous: str
    next: str


def count(rows: PortfolioRowQuerySet) -> str:
    """How many, in words of a heading."""
    total = number(rows)
    return f"{MOST_COUNTED}+" if total > MOST_COUNTED else str(total)


def number(rows: PortfolioRowQuerySet) -> int:
    """How many, ``MOST_COUNTED + 1`` for more."""
    return rows.order_by()[: MOST_COUNTED + 1].count()


def summary(viewer: Actor, now: datetime) -> dict[str, int]:
    """The numbers of the sentence on top, over all open rollouts, and how many rows are due to be worked out first."""
    rows: PortfolioRowQuerySet = PortfolioRow.objects.order_by()
    asked = {"due": rows.due(now), **{what: counted(rows, what, viewer, now) for what in COUNTED}}
    counts = {what: _HowMany(selected[: MOST_COUNTED + 1]) for what, selected in asked.items()}
    return rows.values(**counts).first() or dict.fromkeys(counts, 0)


class _HowMany(Subquery):
    """Several counts in one question."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def by_turn(selection: PortfolioRowQuerySet, viewer: Actor, sort: str, after: str, now: datetime) -> Listing:
    """Grouped by who must act. Raises ``WrongCursor``."""
    sections = {
        "yours": selection.waiting_for(viewer.person),
        "others": selection.waiting_for_others(viewer.person),
        "runs": selection.filter(place=Place.RUNS),
        "overdue": selection.filter(place=Place.OVERDUE),
        "over": selection.filter(place=Place.OVER),
    }
    keysets = {key: _keyset(f"{key}-{sort}", SORTS[sort]) for key in sections}
    parts = [(keysets[key], section.values(*FIELDS, *SORTS[sort])) for key, section in sections.items()]
    page = keyset.page_of(parts, after, PAGE)
    shown = [(key, found) for key, found in zip(sections, page.rows, strict=True) if found]
    rows = {row.pk: row for row in rows_of([row for found in page.rows for row in found], now)}
    titles = present.group_titles()
    groups = []
    for place, (key, found) in enumerate(shown):
        is_cut = (page.previous and not place) or (page.next and place == len(shown) - 1)
        total = count(sections[key]) if is_cut else str(len(found))
        groups.append(Group(key, titles[key], _those_of(found, rows), total))
    return Listing(groups, page.previous, page.next)


def by_field(rows: PortfolioRowQuerySet, group: str, sort: str, after: str, now: datetime) -> Listing:
    """Grouped by what the rows have in common, or in one list. Raises ``WrongCursor``."""
    first = (GROUPS[group],) if group in GROUPS else ()
    order = (*first, *(name for name in SORTS[sort] if name not in first))
    page = _keyset(f"{group}-{sort}", order).page(rows.values(*FIELDS, *order), after, PAGE)
    groups: list[Group] = []
    for one in rows_of(page.rows, now):
        key = _key(one, group)
        if not groups or groups[-1].key != key:
            groups.append(Group(key, _title(one, group)))
        groups[-1].rows.append(one)
    return Listing(groups, page.previous, page.next)


def _keyset(of: str, order: Sequence[str]) -> Keyset:
    return Keyset(f"portfolio-{of}", {**{name: TYPES[name] for name in order}, "pk": int})


def board(selection: PortfolioRowQuerySet, phases: Sequence[tuple[str, str]], now: datetime) -> list[Group]:
    """A column for each phase with what stands in it, then what is finished in all phases."""
    columns = [(name, title, selection.filter(phase=name)) for name, title in phases]
    columns.append(("", str(present.group_titles()["over"]), selection.filter(phase="")))
    with keyset.snapshot():
        sections = [
            (key, title, column, _first(column, SORTS["urgency"], COLUMN + 1)) for key, title, column in columns
        ]
    rows = {row.pk: row for row in rows_of([row for *_, read in sections for row in read[:COLUMN]], now)}
    return [
        Group(
            key,
            title,
            _those_of(read[:COLUMN], rows),
            count(column) if len(read) > COLUMN else str(len(read)),
            len(read) > COLUMN,
        )
        for key, title, column, read in sections
    ]


def rows_of(read: list[StoredRow], now: datetime) -> list[ShownRow]:
    """Stored rows as shown ones, up to date whatever was changed meanwhile; without what never was worked out."""
    fresh = limit()
    worked = [row for row in worked_out.as_of_now(read, now) if row["content"]]
    instead = stand_ins_of([row["pk"] for row in worked])
    return [present.shown_row(row, row["read_at"], now, fresh, instead.get(row["pk"], ())) for row in worked]


def _those_of(read: list[StoredRow], rows: Mapping[int, ShownRow]) -> list[ShownRow]:
    return [rows[row["pk"]] for row in read if row["pk"] in rows]


def _first(rows: PortfolioRowQuerySet, order: Sequence[str], most: int) -> list[StoredRow]:
    return list(rows.order_by(*order, "pk").values(*FIELDS)[:most])


def everything(rows: PortfolioRowQuerySet, now: datetime) -> Iterator[ShownRow]:
    """All rows of a selection, in the order of the page, without keeping them in memory."""
    fresh, instead = limit(), stand_ins_of(rows.order_by().values("pk"))
    worked = rows.exclude(content={}).with_reading().order_by("urgency", "since", "pk")
    for row in worked.values(*FIELDS, "read_at").iterator(500):
        yield present.shown_row(row, row["read_at"], now, fresh, instead.get(row["pk"], ()))


def _key(one: ShownRow, group: str) -> str:
    match group:
        case "health":
            return one.health
        case "phase":
            return one.phase
        case "owner":
            return one.owner
        case "provider":
            return one.provider
    return ""


def _title(one: ShownRow, group: str) -> str:
    if group == "health":
        return one.health.words
    if group == "phase" and not one.phase:
        return str(present.group_titles()["over"])
    return _key(one, group) or _("not said")
