"""Who else lives on an AI model's quota: other open rollouts of the same model, with what they ask for now."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Prefetch

from ..models import Phase, Rollout
from ..rules.capacity import requests_at
from ..rules.expected import Audience
from ..rules.machine import LIVE
from ..rules.percentages import FULL, NOTHING, share_of
from . import facts as facts_of

#: More than so many rollouts do not share one quota; if they do, the first by title count.
MOST = 50


@dataclass(frozen=True, slots=True)
class Sharer:
    """Another rollout on the quota. ``needed`` is None where its plan says no requests a minute."""

    title: str
    url: str
    needed: int | None


def sharers_of(rollout: Rollout) -> tuple[Sharer, ...]:
    """Those that let anybody in now; two queries."""
    others = (
        Rollout.objects.open()
        .filter(ai_model=rollout.ai_model_id)
        .exclude(pk=rollout.pk)
        .prefetch_related(Prefetch("phases", Phase.objects.select_related("current_step").order_by("position")))
        .order_by("title")[:MOST]
    )
    return tuple(
        Sharer(other.title, other.get_absolute_url(), _needed(other))
        for other in others
        if any(phase.state in LIVE for phase in facts_of.newest_attempts(other))
    )


def _needed(other: Rollout) -> int | None:
    if other.peak_requests_per_minute is None:
        return None
    reach = NOTHING
    for phase in facts_of.newest_attempts(other):
        if phase.state in LIVE:
            at_once = phase.audience == Audience.ALL_AT_ONCE
            reach = max(reach, share_of(FULL if at_once else phase.percentage or NOTHING))
    return requests_at(other.peak_requests_per_minute, reach)
