"""Once a week people are told of loose ends: by one event, whose notices and mails are made as those of any other."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.db import transaction

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import Condition, clock
from ..rules.phrases import joined, say
from . import loose_ends

JOB = Actor.job("notifications")
#: Mondays, UTC.
HOUR = 7


def begins(now: datetime) -> datetime:
    """When the week began that this moment lies in: the last Monday at ``HOUR``."""
    monday = now.date() - timedelta(days=now.weekday())
    at = datetime.combine(monday, time(HOUR), tzinfo=now.tzinfo)
    return at if at <= now else at - timedelta(days=7)


def work() -> bool:
    """Tell of what there is, once for each week, whoever looks and however often.

    Where there is nothing, nobody is told in this week: what comes later waits for the next.
    """
    now = clock.now()
    week = begins(now)
    key = f"loose_ends:{week.date()}"
    if Condition.objects.filter(key=key).exists():
        return False
    with transaction.atomic():
        title = say("week of {day}", day=week.date().isoformat())
        row, is_ours = Condition.objects.get_or_create(
            key=key, defaults={"title": str(title), "began_at": now, "ended_at": now}
        )
        kinds = [kind for kind in loose_ends.find(now) if kind.count] if is_ours else []
        if not kinds:
            return False
        told = joined([say("{title}: {count}.", title=kind.title, count=kind.count) for kind in kinds])
        with recorded("loose_ends.found", by=JOB, about=row, reason=told) as recording:
            recording.notes |= {"count": sum(kind.count for kind in kinds)}
    return True
