"""Who changed a flag that drifts: what GitLab's log of flag changes says of a case."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..audit.actor import Actor
from ..models import DriftCase
from ..rules.drift_cases import DriftClass
from .rollout_work import working_on

#: So long after a case began its log is looked for, and so long before it the change may have been.
EXPLAINED_WITHIN = timedelta(hours=1)


def unexplained(instance: int, now: datetime) -> list[DriftCase]:
    """Open cases of this GitLab's flags of which nobody knows yet who changed them; the log comes in a moment."""
    rows = DriftCase.objects.with_rollout().open().filter(log_url="", found_at__gte=now - EXPLAINED_WITHIN)
    of_flags = rows.exclude(kind=DriftClass.REOPENED).filter(rollout__flag__project=None)
    return list(of_flags.filter(rollout__flag__instance=instance).order_by("pk"))


def explain(case: DriftCase, *, by: str, at: datetime, command: str, url: str) -> None:
    """Who changed the flag by which command, as GitLab's log of changes says: an event of its own."""
    with working_on(case.rollout_id, "drift.explain", by=Actor.job("sync")) as work:
        work.recording.about = current = DriftCase.objects.locked().get(pk=case.pk)
        current.rollout = work.rollout
        current.changed_by, current.changed_at = by[:255], at
        current.command, current.log_url = command[:500], url
        current.save()
