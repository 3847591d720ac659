"""``/timeline/``: all rollouts on one time axis, planned and actual, with what collides."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from ...audit.actor import Actor
from ...models import clock
from ...services import choices, portfolio_rows, schedules
from ...services.lists.asked import Day, Shown
from ...services.lists.rollouts import RolloutFilter, owners
from ...services.schedules import Scheduled
from .. import lists
from ..charts.scale import percent
from ..charts.timeline import NAMES, Zoom, axis_of, day_of_axis
from ..presenters import timeline as present
from ..presenters.collisions import collisions
from .feeds import addresses

ROWS = 60
#: More change locks than these are bands only.
LOCKS_TOLD = 6


class TimelineFilter(RolloutFilter):
    zoom = Shown(list(Zoom), usual=Zoom.MONTH)
    from_ = Day(day_of_axis)


@require_safe
def timeline(request: HttpRequest) -> HttpResponse:
    """Window, zoom and filters in the address; rollouts of the window only, by keyset pages."""
    now, asked = clock.now(), TimelineFilter(request.GET, by=Actor.of(request.user))
    axis = axis_of(Zoom(asked["zoom"]), asked["from"] or None, now, timezone.get_current_timezone())
    since, until = axis.since, axis.until
    locks = schedules.locks_between(min(since, now), until)
    fitting = asked.rollouts()
    page = asked.paged(lambda after: schedules.page(fitting, since, until, now, locks=locks, after=after, limit=ROWS))
    scheduled = page.rows
    told = collisions(scheduled, axis, now)
    likely = portfolio_rows.likely_ranges(each.row["id"] for each in scheduled)
    bands = present.bands((lock for lock in locks if lock.window.ends_at > since), axis)
    context = {
        "axis": axis,
        "zooms": [(zoom.value, name, zoom is axis.zoom) for zoom, name in NAMES.items()],
        "rows": present.rows(scheduled, axis, told, likely),
        "ahead": [collision for collision in told if collision.is_ahead or collision.is_short],
        "past": [collision for collision in told if not collision.is_ahead and not collision.is_short],
        "bands": bands,
        "bands_told": bands[:LOCKS_TOLD],
        "bands_more": max(0, len(bands) - LOCKS_TOLD),
        "today": axis.x(now) if axis.shows(now) else "",
        "today_label": percent(min(axis.share(now), 94)),
        "page": page,
        "is_paged": bool(page.previous or page.next),
        "providers": choices.providers(),
        "owners": owners(Actor.of(request.user), asked.asked["owner"]),
        "feeds": _feeds(request, scheduled),
    }
    return lists.answer(request, "portal/timeline.html", context, asked)


def _feeds(request: HttpRequest, scheduled: list[Scheduled]) -> dict[str, Any] | None:
    """The addresses of the reader's feeds: of all, of the people and teams of this page, of its rollouts."""
    key = addresses(request)
    if key is None:
        return None
    people = sorted({request.user.get_username(), *(name for each in scheduled for name in each.row["owners"])})
    teams = sorted({each.row["flag__group"] for each in scheduled} - {""})
    return {
        "all_rollouts": key.all_rollouts,
        "all_events": key.all_events,
        "made_at": key.made_at,
        "people": [(name, key.of_person(name)) for name in people],
        "teams": [(name, key.of_team(name)) for name in teams],
        "rollouts": [(each.row["title"], *key.of_rollout(each.slug)) for each in scheduled],
    }
