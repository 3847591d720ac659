"""Which lines the portfolio shows, in which groups and order: a page of them costs the same however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_

from django.db.models import IntegerField, Q, Subquery
from django.utils.translation import gettext as _

from ..audit.actor import Actor
from ..models import PortfolioLine
from ..models.lines import LineQuerySet
from ..services import lines as worked_out
from .filters import counted, freshness
from .presenters import portfolio as present
from .presenters.portfolio import FIELDS, Row

Place = PortfolioLine.Place
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
#: By what rows are grouped but for who must act; the field orders the groups.
GROUPS: Mapping[str, str] = {"health": "urgency", "phase": "phase_position", "owner": "owner", "provider": "provider"}


@dataclass(slots=True)
class Group:
    """Rows under a heading; ``count`` is how many there are in all, None where that is not told."""

    key: str
    title: str
    rows: list[Row] = field(default_factory=list)
    count: str | None = None
    has_more: bool = False


@dataclass(slots=True)
class Listing:
    """A page of rows in groups; ``next`` is where the next page begins."""

    groups: list[Group]
    next: int | None


def count(lines: LineQuerySet) -> str:
    """How many, in words of a heading."""
    found = number(lines)
    return f"{MOST_COUNTED}+" if found > MOST_COUNTED else str(found)


def number(lines: LineQuerySet) -> int:
    """How many, ``MOST_COUNTED + 1`` for more."""
    return lines.order_by()[: MOST_COUNTED + 1].count()


def summary(viewer: Actor, now: datetime) -> dict[str, int]:
    """The numbers of the sentence on top, over all open rollouts."""
    lines: LineQuerySet = PortfolioLine.objects.order_by()
    counts = {what: _HowMany(counted(lines, what, viewer, now)[: MOST_COUNTED + 1]) for what in COUNTED}
    return lines.values(**counts).first() or dict.fromkeys(COUNTED, 0)


class _HowMany(Subquery):
    """Several counts in one question."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def by_turn(lines: LineQuerySet, viewer: Actor, sort: str, after: int | None, now: datetime) -> Listing:
    """Grouped by who must act."""
    sections = {
        "yours": lines.waiting_for(viewer.person),
        "others": lines.waiting_for_others(viewer.person),
        "runs": lines.filter(place=Place.RUNS),
        "overdue": lines.filter(place=Place.OVERDUE),
        "over": lines.filter(place=Place.OVER),
    }
    titles, room, begun = present.group_titles(), PAGE, after is None
    groups: list[Group] = []
    following: int | None = None
    for key, section in sections.items():
        if not begun:
            begun = section.filter(pk=after or 0).exists()
            if not begun:
                continue
            shown = _after(section, SORTS[sort], after)
        else:
            shown = section
        if room <= 0:
            if shown.exists():
                following = groups[-1].rows[-1].pk
                break
            continue
        rows = rows_of(shown, SORTS[sort], room + 1, now)
        if rows:
            total = count(section) if len(rows) > room or shown is not section else str(len(rows))
            groups.append(Group(key, titles[key], rows[:room], total))
        if len(rows) > room:
            following = rows[room - 1].pk
            break
        room -= len(rows)
    return Listing(groups, following)


def by_field(lines: LineQuerySet, group: str, sort: str, after: int | None, now: datetime) -> Listing:
    """Grouped by what the rows have in common, or in one list."""
    first = (GROUPS[group],) if group in GROUPS else ()
    order = (*first, *(name for name in SORTS[sort] if name not in first))
    shown = _after(lines, order, after) if after is not None else lines
    rows = rows_of(shown, order, PAGE + 1, now)
    groups: list[Group] = []
    for one in rows[:PAGE]:
        key = _key(one, group)
        if not groups or groups[-1].key != key:
            groups.append(Group(key, _title(one, group)))
        groups[-1].rows.append(one)
    return Listing(groups, rows[PAGE - 1].pk if len(rows) > PAGE else None)


def board(lines: LineQuerySet, phases: Sequence[tuple[str, str]], now: datetime) -> list[Group]:
    """A column for each phase with what stands in it, then what is finished in all phases."""
    columns = [(name, title, lines.filter(phase=name)) for name, title in phases]
    columns.append(("", str(present.group_titles()["over"]), lines.filter(phase="")))
    found = []
    for key, title, column in columns:
        rows = rows_of(column, SORTS["urgency"], COLUMN + 1, now)
        total = count(column) if len(rows) > COLUMN else str(len(rows))
        found.append(Group(key, title, rows[:COLUMN], total, len(rows) > COLUMN))
    return found


def rows_of(lines: LineQuerySet, order: Sequence[str], most: int, now: datetime) -> list[Row]:
    """The first rows in an order, up to date whatever was changed meanwhile."""
    read = list(lines.with_reading().order_by(*order, "pk").values(*FIELDS)[:most])
    due = [line["pk"] for line in read if line["due_at"] is not None and line["due_at"] <= now]
    if due and worked_out.bring_up_to_date(among=due):
        anew = {line["pk"]: line for line in PortfolioLine.objects.filter(pk__in=due).with_reading().values(*FIELDS)}
        read = [anew.get(line["pk"], line) for line in read]
    fresh = freshness()
    return [present.row(line, now, fresh) for line in read]


def everything(lines: LineQuerySet, now: datetime) -> Iterator[Row]:
    """All rows of a selection, in the order of the page, without keeping them in memory."""
    for line in lines.with_reading().order_by("urgency", "since", "pk").values(*FIELDS).iterator(500):
        yield present.row(line, now, freshness())


def _after(lines: LineQuerySet, order: Sequence[str], pk: int | None) -> LineQuerySet:
    """The rows that follow one in this order, wherever it is kept; all, where it is gone."""
    last = PortfolioLine.objects.filter(pk=pk or 0).values(*order, "pk").first()
    if last is None:
        return lines
    names = (*order, "pk")
    follows = [
        Q(**{name: last[name] for name in names[:place]}, **{f"{names[place]}__gt": last[names[place]]})
        for place in range(len(names))
    ]
    return lines.filter(reduce(or_, follows), **{f"{names[0]}__gte": last[names[0]]})


def _key(one: Row, group: str) -> str:
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


def _title(one: Row, group: str) -> str:
    if group == "health":
        return one.health.words
    if group == "phase" and not one.phase:
        return str(present.group_titles()["over"])
    return _key(one, group) or _("not said")
