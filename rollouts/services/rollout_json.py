"""A rollout in JSON, as far as it is the same for everybody: lists tell it as it was worked out with its portfolio row.

What time changes by itself is told as it is when somebody asks (``as_of_now``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from ..models import Phase, Rollout
from ..rules import health
from ..rules.facts import PhaseFacts, RolloutFacts
from ..rules.forecast import Forecast
from ..rules.health import Health
from ..rules.metrics import Metric
from ..rules.ordering import Neighbour
from ..rules.percentages import plain_number
from . import facts as facts_of


def of(rollout: Rollout, facts: RolloutFacts, state: health.State, likely: Forecast | None = None) -> dict[str, Any]:
    """A rollout loaded whole: no queries. Times are texts."""
    rows = {phase.name: phase for phase in facts_of.newest_attempts(rollout)}
    read, read_at = facts.reading.exposure, facts.reading.read_at
    return {
        "slug": rollout.slug,
        "title": rollout.title,
        "state": rollout.state,
        "health": state.health,
        "flag": {
            "name": rollout.flag.name,
            "expected": facts.expected.as_json(),
            "read": read.as_json() if read is not None else None,
            "read_at": read_at.isoformat() if read_at else None,
            "drift": state.drift,
        },
        "model": rollout.ai_model.slug,
        "baseline": rollout.baseline.slug if rollout.baseline else None,
        "order": [_ordered(other) for other in facts.neighbours],
        "phases": [_phase(phase, rows[phase.name], facts) for phase in facts.phases],
        "guard_metrics": [_metric(metric) for metric in facts.metrics],
        "prediction": likely.as_json() if likely else None,
        "url": rollout.get_absolute_url(),
    }


def as_of_now(row: Mapping[str, Any], now: datetime, fresh: timedelta) -> dict[str, Any]:
    """Out of the ``told``, ``health`` and ``read_at`` of a portfolio row."""
    told: dict[str, Any] = json.loads(row["told"])
    read_at = row["read_at"]
    told["health"] = Health(row["health"]).as_read(read_at, now, fresh)
    told["flag"]["read_at"] = read_at.isoformat() if read_at else None
    return told


def _ordered(other: Neighbour) -> dict[str, str]:
    return {"order": other.order, "slug": other.slug, "title": other.title, "state": other.state, "url": other.where}


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        **asdict(metric.bound),
        "outcome": metric.outcome,
        "baseline": metric.baseline,
        "values": metric.count,
        "beyond_since": metric.hurt_since.isoformat() if metric.hurt_since else None,
        "words": "".join(metric.words),
        "value": metric.value,
        "measured_at": metric.measured_at.isoformat() if metric.measured_at else None,
        "measured_by": metric.measured_by,
        "beyond": metric.is_beyond,
    }


def _phase(phase: PhaseFacts, row: Phase, facts: RolloutFacts) -> dict[str, Any]:
    gating = [
        item for item in facts.items_due if item.phase == phase.name or (item.phase is None and item.gate == "start")
    ]
    opening = phase.opening
    return {
        "name": phase.name,
        "state": phase.state,
        "attempt": row.attempt,
        "version": row.version,
        "optional": phase.optional,
        "checklist": {"done": sum(item.verdict.satisfied for item in gating), "required": len(gating)},
        "step": None if opening.step is None else plain_number(opening.step),
        "steps": [plain_number(step.percentage) for step in opening.ramp.steps] if opening.ramp else [],
    }
