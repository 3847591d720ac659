"""Whether a reading is too old to rely on: told beside each time at which GitLab was read."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from ..models import clock


def is_stale(read_at: datetime | None) -> bool:
    """As the guards judge it; what was never read is not known either."""
    return read_at is None or clock.now() - read_at > timedelta(seconds=settings.FRESHNESS_SECONDS)
