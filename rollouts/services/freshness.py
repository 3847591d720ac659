"""Whether what was read is fresh, by the portal's own limit."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from ..models import clock
from ..rules import freshness


def limit() -> timedelta:
    """How long a reading counts."""
    return timedelta(seconds=settings.FRESHNESS_SECONDS)


def is_stale(read_at: datetime | None, now: datetime | None = None) -> bool:
    """Older than the limit, or never read: the portal does not know."""
    return freshness.is_stale(read_at, now or clock.now(), limit())
