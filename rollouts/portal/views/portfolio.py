"""``/``: every rollout on a line or on the board, the views that people keep of it, and the same as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from ...audit.actor import Actor
from ...models import clock
from ...rules.health import Health
from ...rules.machine import Role
from ...rules.phrases import spoken
from ...rules.spreadsheet import lines
from ...services import choices, portfolio_rows, views
from ...services.lists.asked import Shown
from ...services.lists.rollouts import RolloutFilter, owners
from .. import listing, lists, refusals
from ..answers import download
from ..presenters import first_start
from ..presenters.portfolio import ShownRow

GROUPS = {
    "": gettext_lazy("who must act"),
    "health": gettext_lazy("health"),
    "phase": gettext_lazy("phase"),
    "owner": gettext_lazy("owner"),
    "provider": gettext_lazy("provider"),
    "none": gettext_lazy("nothing"),
}
SORTS = {
    "urgency": gettext_lazy("urgency"),
    "since": gettext_lazy("longest in phase"),
    "title": gettext_lazy("title"),
    "phase": gettext_lazy("phase"),
    "owner": gettext_lazy("owner"),
    "provider": gettext_lazy("provider"),
}
STATES = [("", gettext_lazy("Open")), ("over", gettext_lazy("Finished")), ("all", gettext_lazy("All"))]
COLUMNS = (
    "rollout", "title", "model", "baseline", "provider", "flag", "state", "phase", "standing", "health", "expected",
    "read", "read_at", "next", "detail", "waits_for", "since", "days_in_phase", "usual", "owners", "url",
)  # fmt: skip


class PortfolioFilter(RolloutFilter):
    group = Shown(GROUPS)
    sort = Shown(SORTS, usual="urgency")
    view = Shown(("list", "board"), usual="list")
    usual_state = "open"


@require_safe
def portfolio(request: HttpRequest) -> HttpResponse:
    viewer, now = Actor.of(request.user), clock.now()
    asked = PortfolioFilter(request.GET, by=viewer)
    summary = listing.summary(viewer, now)
    if summary.pop("due"):
        portfolio_rows.for_a_page()
        summary = listing.summary(viewer, now)
    group, sort, is_board = asked["group"], asked["sort"], asked["view"] == "board"
    known_phases = choices.phases()
    context: dict[str, Any] = {
        "states": STATES,
        "providers": choices.providers(),
        "owners": owners(viewer, asked["owner"]),
        "phases": known_phases,
        "healths": [(kind.value, kind.words) for kind in Health if kind is not Health.OVER],
        "summary": summary,
        "most_counted": listing.MOST_COUNTED,
        "is_filtered": any(value for key, value in request.GET.items() if key in views.KEPT[views.Page.PORTFOLIO]),
        "group": group,
        "group_choices": GROUPS.items(),
        "sort": sort,
        "sort_choices": SORTS.items(),
        "is_board": is_board,
        "saved": views.of(viewer),
    }
    if is_board:
        context["groups"] = listing.board(asked.rows, known_phases, now)
    else:
        if group:
            page = asked.paged(lambda after: listing.by_field(asked.rows, group, sort, after, now))
        else:
            page = asked.paged(lambda after: listing.by_turn(asked.rows, viewer, sort, after, now))
        context |= {"listing": page, "groups": page.groups, "is_further": bool(page.previous)}
        if not any((page.groups, context["is_filtered"], context["is_further"])) and viewer.person.has(Role.MANAGER):
            context["first_start"] = first_start.checks(viewer)
    return lists.answer(request, "portal/portfolio.html", context, asked)


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """The same selection as a file, all of its rows; headings and words are English, times are UTC."""
    now, asked = clock.now(), PortfolioFilter(request.GET, by=Actor.of(request.user))
    while portfolio_rows.for_a_page():
        pass
    if asked.faults:
        return refusals.in_words(request, " ".join(spoken(fault) for fault in asked.faults.values()), 422)
    cells = _cells(listing.everything(asked.rows, now), now, request)
    return download(f"rollouts-{now:%Y-%m-%d}.csv", lines(cells), "text/csv")


def _cells(rows: Iterator[ShownRow], now: datetime, request: HttpRequest) -> Iterator[Sequence[object]]:
    yield COLUMNS
    for one in rows:
        yield (
            one.slug, one.title, one.model, one.baseline, one.provider, one.flag, one.state, one.phase,
            "; ".join([one.where, *one.details]), one.health, one.expected, one.read, _utc(one.read_at), one.next_words,
            one.next_detail, one.who, _utc(one.since), f"{(now - one.since).total_seconds() / 86_400:.1f}", one.usual,
            ", ".join(one.owners), request.build_absolute_uri(one.url),
        )  # fmt: skip


def _utc(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""
