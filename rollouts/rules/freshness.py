"""How fresh: what was read too long ago, or never, is not known. Pages, API, guards and lines judge by this."""

from __future__ import annotations

from datetime import datetime, timedelta


def is_stale(read_at: datetime | None, now: datetime, limit: timedelta) -> bool:
    return read_at is None or now - read_at > limit


def stood(counts_from: datetime, read_at: datetime | None, now: datetime, limit: timedelta) -> timedelta:
    """How long it has stood, as read: what is too old to know adds nothing (docs/decisions/0047)."""
    known_until = read_at if is_stale(read_at, now, limit) else now
    return max(timedelta(0), known_until - counts_from) if known_until else timedelta(0)
