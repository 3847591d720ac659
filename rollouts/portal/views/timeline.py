"""``/timeline/``: all rollouts on one time axis, planned and actual, with what collides."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from ...models import AIModel, Rollout, clock
from ...models.rollouts import RolloutQuerySet
from ...rules.machine import RolloutState
from ...services import schedules
from ...services.schedules import Scheduled
from ..asking import PageQuery
from ..presenters import timeline as present
from ..presenters.collisions import collisions
from ..presenters.timeline_axis import NAMES, Zoom, axis_of, day_of_axis, percent
from .feeds import addresses

ROWS = 60
FILTERS = ("q", "provider", "owner", "state")
#: Values of ``state`` besides those of a rollout.
GROUPS = {"open": Q(ends_at=None), "over": Q(ends_at__isnull=False)}
#: More change locks than these are bands only.
LOCKS_TOLD = 6


@require_safe
def timeline(request: HttpRequest) -> HttpResponse:
    """Window, zoom and filters in the address; rollouts of the window only, by keyset pages."""
    now, asked = clock.now(), PageQuery(request)
    zoom = Zoom(asked.choice("zoom", list(Zoom), Zoom.MONTH))
    axis = axis_of(zoom, asked.read("from", day_of_axis, narrows=False), now, timezone.get_current_timezone())
    since, until = axis.since, axis.until
    locks = schedules.locks_between(min(since, now), until)
    fitting = chosen(asked)
    scheduled, following = asked.cursor(
        lambda after: schedules.page(fitting, since, until, now, locks=locks, after=after, limit=ROWS)
    )
    told = collisions(scheduled, axis, now)
    bands = present.bands((lock for lock in locks if lock.window.ends_at > since), axis)
    context = {
        "axis": axis,
        "zooms": [(zoom.value, name, zoom is axis.zoom) for zoom, name in NAMES.items()],
        "rows": present.rows(scheduled, axis, told),
        "ahead": [collision for collision in told if collision.is_ahead or collision.is_short],
        "past": [collision for collision in told if not collision.is_ahead and not collision.is_short],
        "bands": bands,
        "bands_told": bands[:LOCKS_TOLD],
        "bands_more": max(0, len(bands) - LOCKS_TOLD),
        "today": axis.x(now) if axis.shows(now) else "",
        "today_label": percent(min(axis.share(now), 94)),
        "asked": {name: asked.text(name) for name in FILTERS},
        "is_filtered": any(asked.text(name) for name in FILTERS),
        "is_paged": bool(asked.text("after") or following),
        "after": asked.text("after"),
        "following": following,
        "providers": providers(),
        "feeds": _feeds(request, scheduled),
    }
    return asked.answer("portal/timeline.html", context)


def chosen(asked: PageQuery) -> RolloutQuerySet:
    """The rollouts that the filters leave."""
    rollouts: RolloutQuerySet = Rollout.objects.all()
    text, state = asked.text("q"), asked.filter("state", [*GROUPS, *RolloutState])
    if text:
        names = ("title", "slug", "flag__name", "ai_model__name", "ai_model__slug")
        hit = Q()
        for name in names:
            hit |= Q(**{f"{name}__icontains": text})
        rollouts = rollouts.filter(hit)
    if provider := asked.filter("provider", providers()):
        rollouts = rollouts.filter(ai_model__provider=provider)
    if owner := asked.text("owner"):
        rollouts = rollouts.owned_by(owner)
    if state in GROUPS:
        rollouts = rollouts.filter(GROUPS[state])
    elif state:
        rollouts = rollouts.filter(state=state)
    return asked.rows(rollouts)


def providers() -> list[str]:
    """All providers of AI models; a list that does not grow with the rollouts."""
    known = AIModel.objects.exclude(provider="").order_by("provider")
    return list(known.values_list("provider", flat=True).distinct())


def _feeds(request: HttpRequest, scheduled: list[Scheduled]) -> dict[str, Any] | None:
    """The addresses of the reader's feeds: of all, of the people and teams of this page, of its rollouts."""
    key = addresses(request)
    if key is None:
        return None
    owners = sorted({request.user.get_username(), *(name for each in scheduled for name in each.row["owners"])})
    teams = sorted({each.row["flag__group"] for each in scheduled} - {""})
    return {
        "all_rollouts": key.all_rollouts,
        "all_events": key.all_events,
        "made_at": key.made_at,
        "people": [(name, key.of_person(name)) for name in owners],
        "teams": [(name, key.of_team(name)) for name in teams],
        "rollouts": [(each.row["title"], *key.of_rollout(each.slug)) for each in scheduled],
    }
