"""Whether what was read is fresh, by the portal's own limit, and where nobody knew: the holes of reading."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Q, QuerySet

from ..models import FeatureFlag, GitLabInstance, GitLabProject, ReadingGap, clock
from ..rules import freshness
from ..rules.exposure_history import Span, holes

#: So many gaps are looked at, the newest.
GAPS = 200


def limit() -> timedelta:
    """How long a reading counts."""
    return timedelta(seconds=settings.FRESHNESS_SECONDS)


def is_stale(read_at: datetime | None, now: datetime | None = None) -> bool:
    """Older than the limit, or never read: the portal does not know."""
    return freshness.is_stale(read_at, now or clock.now(), limit())


def newest() -> datetime | None:
    """When anything of a GitLab that is followed was last read, None for never. Two queries."""
    instances = GitLabInstance.objects.followed()
    of_projects = GitLabProject.objects.filter(instance__in=instances).aggregate(
        Max("flags_read_at"), Max("issues_read_at")
    )
    moments = [*of_projects.values(), instances.aggregate(at=Max("flags_read_at"))["at"]]
    return max((at for at in moments if at), default=None)


def gap_at(flag: FeatureFlag, moment: datetime) -> ReadingGap | None:
    """The time without a reading in which a moment lies, if it does; one query."""
    begun = Q(since__isnull=True) | Q(since__lte=moment)
    gaps = _gaps(flag, moment).filter(begun).order_by("until")
    return gaps.first()


def _gaps(flag: FeatureFlag, since: datetime) -> QuerySet[ReadingGap]:
    return ReadingGap.objects.filter(instance=flag.instance_id, project=flag.project_id, until__gt=since)


def unread(flag: FeatureFlag, by_hand: Iterable[datetime], since: datetime, until: datetime) -> list[Span]:
    """When, between the two, nobody knew where a flag stood, in order: it was not read for longer than a reading
    counts, and none of the readings ``by_hand`` held then. One query.
    """
    rows = _gaps(flag, since)
    gaps = [(start or since, end) for start, end in rows.order_by("-until").values_list("since", "until")[:GAPS]]
    if is_stale(flag.scope_read_at, until):
        gaps.append((flag.scope_read_at or since, until))
    return holes((since, until), gaps, [(at, at + limit()) for at in by_hand])
