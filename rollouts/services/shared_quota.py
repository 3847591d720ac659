"""Who else lives on an AI model's quota: other open rollouts of the same model, with what they ask for now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch

from ..models import Phase, Rollout
from ..rules.capacity import StepLoad, loads, requests_at, whole_requests
from ..rules.expected import Audience
from ..rules.facts import RolloutFacts
from ..rules.machine import LIVE
from ..rules.percentages import FULL, NOTHING, plain_number, share_of
from ..rules.prediction import Prediction
from . import facts as facts_of
from .exposure_history import history_of

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


def loads_of(facts: RolloutFacts, prediction: Prediction) -> tuple[StepLoad, ...]:
    """What each step of the ramp asks of the quota, and by when a larger one is to be asked for."""
    ramp = next((phase.opening.ramp for phase in facts.phases if phase.opening.ramp), None)
    coming = {step.percentage: prediction.of_step(step.percentage) for step in ramp.steps} if ramp else {}
    steps = [(percentage, station.at if station else None) for percentage, station in coming.items()]
    return loads(facts.capacity, steps, facts.now)


def as_json(rollout: Rollout, facts: RolloutFacts) -> dict[str, Any]:
    """As the API and ``manage.py capacity`` give it; ``rollout`` was loaded whole."""
    capacity, prediction = facts.capacity, history_of(rollout, facts.now).prediction
    lead = capacity.lead_time
    return {
        "slug": rollout.slug,
        "model": rollout.ai_model.slug,
        "quota": capacity.quota,
        "lead_time_seconds": None if lead is None else int(lead.total_seconds()),
        "peak": capacity.peak,
        "others": whole_requests(capacity.others),
        "untold": capacity.untold,
        "margin": capacity.margin,
        "words": str(capacity.words),
        "steps": [
            {
                "percentage": plain_number(load.percentage),
                "needed": load.needed,
                "total": load.total,
                "is_short": load.is_short,
                "at": load.at.isoformat() if load.at else None,
                "ask_by": load.ask_by.isoformat() if load.ask_by else None,
                "is_late": load.is_late,
            }
            for load in loads_of(facts, prediction)
        ],
    }


def _needed(other: Rollout) -> int | None:
    if other.peak_requests_per_minute is None:
        return None
    reach = NOTHING
    for phase in facts_of.newest_attempts(other):
        if phase.state in LIVE:
            at_once = phase.audience == Audience.ALL_AT_ONCE
            reach = max(reach, share_of(FULL if at_once else phase.percentage or NOTHING))
    return requests_at(other.peak_requests_per_minute, reach)
