"""When everybody will have a rollout: finished rollouts of its template out of what is stored, and where it stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Max

from ..models import Phase, Rollout
from ..rules.forecast import Finished, Forecast, forecast
from ..rules.machine import LIVE, OVER, SETTLED, RolloutState
from ..rules.percentages import FULL
from ..rules.prediction import Prediction
from . import schedules
from .facts import newest_attempts
from .schedules import Lock

#: So many finished rollouts of a template at most tell how long they take, the newest: older ones are of other days.
LATELY = 100
DONE = (RolloutState.COMPLETED, RolloutState.CLOSED)


class Experience:
    """What finished rollouts tell, by template; two queries for each."""

    def __init__(self) -> None:
        self._known: dict[int, list[Finished]] = {}

    def of(self, template: int) -> list[Finished]:
        if template not in self._known:
            self._known[template] = _finished(template)
        return self._known[template]


def of(
    rollout: Rollout, now: datetime, experience: Experience, prediction: Prediction | None = None,
    locks: Iterable[Lock] | None = None,
) -> Forecast | None:  # fmt: skip
    """None where all users have it, or nothing goes on. ``rollout`` comes from ``Rollout.objects.for_rules()``."""
    phases = newest_attempts(rollout)
    here = next((phase for phase in phases if phase.state not in SETTLED), None)
    if rollout.state in OVER or here is None or _all_are_in(phases):
        return None
    earlier = phases[: phases.index(here)]
    ends = [at for phase in earlier for at in (phase.completed_at, phase.ended_at) if at is not None]
    ahead = prediction or schedules.coming(rollout, now, locks)
    entered = max(ends, default=rollout.created_at)
    return forecast(experience.of(rollout.template_id), here.name, entered, now, ahead.everybody_at)


def _all_are_in(phases: list[Phase]) -> bool:
    last = phases[-1]
    return last.state in LIVE and last.percentage in (None, FULL)


def _finished(template: int) -> list[Finished]:
    """Those that were completed last. A phase's turn begins where those before it were completed or skipped."""
    rows = Rollout.objects.filter(template=template, state__in=DONE, completed_at__isnull=False)
    made = dict(rows.order_by("-completed_at").values_list("pk", "created_at")[:LATELY])
    attempts: dict[int, dict[int, tuple[str, datetime | None, datetime | None]]] = defaultdict(dict)
    phases = Phase.objects.filter(rollout__in=list(made)).annotate(last_step=Max("steps__began_at"))
    columns = ("rollout_id", "position", "name", "started_at", "completed_at", "ended_at", "last_step")
    for pk, position, name, started, completed, ended, stepped in phases.order_by("attempt").values_list(*columns):
        attempts[pk][position] = (name, completed or ended, stepped or started)
    found = []
    for pk, by_position in attempts.items():
        turn, entered, everybody = made[pk], {}, None
        for _, (name, over_at, wide_at) in sorted(by_position.items()):
            entered[name] = turn
            turn = max(turn, over_at) if over_at else turn
            everybody = wide_at or everybody
        if everybody is not None:
            found.append(Finished(entered, everybody))
    return found
