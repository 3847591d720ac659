"""``/``: every rollout on a line, grouped by who must act."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ...audit.actor import Actor
from ...models import Rollout, clock
from ...rules.health import Health
from ...rules.next_action import Turn
from ...services import locks
from ..filters import RolloutFilter, providers
from ..presenters import portfolio as present

#: What the sentence on top links to: just those rows.
SHOW = {
    "yours": lambda row: row.next.turn is Turn.YOURS and not row.is_overdue and not row.is_over,
    "drifting": lambda row: row.health is Health.DRIFTING,
    "overdue": lambda row: row.is_overdue,
    "reviews": lambda row: row.debts_overdue > 0,
}


@require_safe
def portfolio(request: HttpRequest) -> HttpResponse:
    viewer, now = Actor.of(request.user), clock.now()
    chosen = RolloutFilter(request.GET, queryset=Rollout.objects.whole())
    holding = locks.standing(now)
    rows = [present.row(rollout, viewer, now, holding) for rollout in chosen.qs]
    show = SHOW.get(request.GET.get("show", ""))
    shown = [row for row in rows if show(row)] if show else rows
    context = {
        "filter": chosen,
        "providers": providers(),
        "groups": present.groups(shown),
        "summary": present.summary(rows),
        "shown": len(shown),
        "is_filtered": bool(request.GET),
        "show": request.GET.get("show", ""),
    }
    return render(request, "portal/portfolio.html", context)
