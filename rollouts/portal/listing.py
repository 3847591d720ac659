"""Which lines the portfolio shows, in which groups and order: a page of them costs the same however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from itertools import islice
from operator import or_
from typing import Any

from django.db.models import IntegerField, Q, Subquery
from django.utils.translation import gettext as _

from ..audit.actor import Actor
from ..models import FeatureFlag, PortfolioLine
from ..models.lines import LineQuerySet, read_last
from ..services import lines as worked_out
from .filters import counted, freshness
from .presenters import portfolio as present
from .presenters.portfolio import FIELDS, Row

Place = PortfolioLine.Place
#: The values of ``FIELDS``.
Line = dict[str, Any]
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
    """The numbers of the sentence on top, over all open rollouts, and how many lines are due to be worked out first."""
    lines: LineQuerySet = PortfolioLine.objects.order_by()
    asked = {"due": lines.due(now), **{what: counted(lines, what, viewer, now) for what in COUNTED}}
    counts = {what: _HowMany(found[: MOST_COUNTED + 1]) for what, found in asked.items()}
    return lines.values(**counts).first() or dict.fromkeys(counts, 0)


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
    found: list[tuple[str, list[Line], str]] = []
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
                following = found[-1][1][-1]["pk"]
                break
            continue
        read = _first(shown, SORTS[sort], room + 1)
        if read:
            total = count(section) if len(read) > room or shown is not section else str(len(read))
            found.append((key, read[:room], total))
        if len(read) > room:
            following = read[room - 1]["pk"]
            break
        room -= len(read)
    rows = iter(rows_of([line for _, read, _ in found for line in read], now))
    groups = [Group(key, titles[key], list(islice(rows, len(read))), total) for key, read, total in found]
    return Listing(groups, following)


def by_field(lines: LineQuerySet, group: str, sort: str, after: int | None, now: datetime) -> Listing:
    """Grouped by what the rows have in common, or in one list."""
    first = (GROUPS[group],) if group in GROUPS else ()
    order = (*first, *(name for name in SORTS[sort] if name not in first))
    shown = _after(lines, order, after) if after is not None else lines
    read = _first(shown, order, PAGE + 1)
    groups: list[Group] = []
    for one in rows_of(read[:PAGE], now):
        key = _key(one, group)
        if not groups or groups[-1].key != key:
            groups.append(Group(key, _title(one, group)))
        groups[-1].rows.append(one)
    return Listing(groups, read[PAGE - 1]["pk"] if len(read) > PAGE else None)


def board(lines: LineQuerySet, phases: Sequence[tuple[str, str]], now: datetime) -> list[Group]:
    """A column for each phase with what stands in it, then what is finished in all phases."""
    columns = [(name, title, lines.filter(phase=name)) for name, title in phases]
    columns.append(("", str(present.group_titles()["over"]), lines.filter(phase="")))
    found = [(key, title, column, _first(column, SORTS["urgency"], COLUMN + 1)) for key, title, column in columns]
    rows = iter(rows_of([line for *_, read in found for line in read[:COLUMN]], now))
    return [
        Group(
            key,
            title,
            list(islice(rows, min(len(read), COLUMN))),
            count(column) if len(read) > COLUMN else str(len(read)),
            len(read) > COLUMN,
        )
        for key, title, column, read in found
    ]


def rows_of(read: list[Line], now: datetime) -> list[Row]:
    """Lines as rows, up to date whatever was changed meanwhile.

    When their flags were read is asked apart: joined to each selection, PostgreSQL plans longer than it reads.
    """
    due = [line["pk"] for line in read if line["due_at"] is not None and line["due_at"] <= now]
    if due:
        worked_out.for_a_page(among=due)
        anew = {line["pk"]: line for line in PortfolioLine.objects.filter(pk__in=due).values(*FIELDS)}
        read = [anew.get(line["pk"], line) for line in read]
    read = [line for line in read if line["content"]]  # without the one that never could be worked out
    flags = FeatureFlag.objects.filter(pk__in={line["content"]["flag_key"] for line in read})
    read_at, fresh = dict(flags.values_list("pk", read_last())), freshness()
    return [present.row(line, read_at.get(line["content"]["flag_key"]), now, fresh) for line in read]


def _first(lines: LineQuerySet, order: Sequence[str], most: int) -> list[Line]:
    return list(lines.order_by(*order, "pk").values(*FIELDS)[:most])


def everything(lines: LineQuerySet, now: datetime) -> Iterator[Row]:
    """All rows of a selection, in the order of the page, without keeping them in memory."""
    fresh = freshness()
    worked = lines.exclude(content={}).with_reading().order_by("urgency", "since", "pk")
    for line in worked.values(*FIELDS, "read_at").iterator(500):
        yield present.row(line, line["read_at"], now, fresh)


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
