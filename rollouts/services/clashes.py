"""Who else lets more people in on the days of what is asked for: told before somebody approves it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from ..models import Rollout
from ..rules.collisions import Clash, Widening, clashes
from ..rules.facts import RolloutFacts
from . import schedules

#: So far ahead it is looked, and at so many other rollouts: those that began last.
AHEAD = timedelta(days=60)
MOST = 300


def before_approval(asked: Sequence[RolloutFacts], now: datetime) -> dict[str, tuple[Clash, ...]]:
    """By the rollout's slug, for what is asked for in these; five queries, none where nothing is asked for."""
    about = {facts.slug: phase.name for facts in asked for phase in facts.phases if phase.request}
    if not about:
        return {}
    still = Rollout.objects.filter(Q(begins_at__lt=now + AHEAD) | Q(slug__in=about), ends_at=None)
    newest = list(still.order_by("-begins_at").values(*schedules.COLUMNS)[:MOST])
    missing = about.keys() - {row["slug"] for row in newest}
    if missing:
        newest += Rollout.objects.filter(slug__in=missing).values(*schedules.COLUMNS)
    locks = schedules.locks_between(now, now + AHEAD)
    widening = {
        each.slug: Widening(each.slug, each.row["title"], each.row["flag__instance_id"], each.demand.key, each.schedule)
        for each in schedules.scheduled(newest, now, locks)
    }
    return {slug: clashes(widening[slug], phase, widening.values(), now) for slug, phase in about.items()}
