"""Guard metrics that act: a figure that was beyond for as long as its plan says pauses its phase, or rolls it back.

Exactly once however many workers look: it is done by the same transition as a person's, under the same lock, and looked
at again there; afterwards the phase is in another state, from which it is not done again.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Protocol

from ..audit.actor import Actor
from ..models import Rollout
from ..rules.metrics import acting
from . import facts as facts_of
from . import series, transitions
from .refusals import Refused

log = logging.getLogger(__name__)
JOB = Actor.metrics()


class Told(Protocol):
    """Where it is kept what the portal did by itself: short names of rollouts."""

    acted: list[str]


def look(rollout: Rollout, now: datetime, told: Told) -> bool:
    """Look at the figures of one rollout, and do what they ask for; whether something was done.

    ``rollout`` comes from ``Rollout.objects.for_rules()``. Nothing acts before GitLab was read at the present step.
    """
    phase = series.live_phase(rollout)
    if phase is None or not rollout.guard_metrics:
        return False
    series.rejudge(rollout, now)
    wanted = acting(facts_of.metrics_of(rollout), phase.state, rollout.template.template.metrics_may)
    if wanted is None:
        return False
    saw = {"metrics": {metric.bound.name: metric.seen() for metric in wanted.by}}
    try:
        transitions.perform(wanted.deed.value, phase, by=JOB, reason=wanted.words, seen=phase.version, saw=saw)
    except Refused as refused:  # somebody was faster, or the figure has mended since the look
        log.info("%s: %s was not done: %s", rollout.slug, wanted.deed, "; ".join(refused.codes))
        return False
    told.acted.append(rollout.slug)
    return True
