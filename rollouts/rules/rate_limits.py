"""How much a GitLab may be asked, and when it is left alone: pure rules over what is known of it.

Sources: GitLab doc/administration/settings/user_and_ip_rate_limits.md (a limit counts one user's calls in a window,
60 s by default; 429 carries Retry-After); the circuit breaker is the usual one: closed, open for a while, one try.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)
#: What GitLab said of its limit counts so long: administrators change it.
BELIEVED_FOR = timedelta(hours=1)
#: Failed calls in a row after which nothing more is asked for a while.
FAILURES_TO_OPEN = 5
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=10)
#: How long the one call that tries an open circuit may take before another may try.
TRIAL = timedelta(seconds=40)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one GitLab. ``share`` is percent of its limit, ``most`` calls per minute, None for no limit."""

    share: int
    most: int | None = None
    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    rate_read_at: datetime | None = None
    window_at: datetime | None = None
    window_calls: int = 0
    paused_until: datetime | None = None
    failures: int = 0
    open_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing may be asked before ``until``. ``why``: ``told`` by GitLab, our own ``share``, or the ``circuit``."""

    until: datetime
    why: str


def allowance(standing: Standing, now: datetime) -> int | None:
    """Calls that we may make in a minute: our share of GitLab's limit, or less where that is configured."""
    known = standing.limit if _believed(standing, now) else None
    shared = None if known is None else max(1, known * standing.share // 100)
    return min((each for each in (shared, standing.most) if each is not None), default=None)


def wait(standing: Standing, now: datetime) -> Wait | None:
    """Why nothing may be asked now, the longest wait first; None when one call may be made."""
    waits = []
    if standing.paused_until and standing.paused_until > now:
        waits.append(Wait(standing.paused_until, "told"))
    if standing.open_until and standing.open_until > now:
        waits.append(Wait(standing.open_until, "circuit"))
    allowed = allowance(standing, now)
    if allowed is not None and calls_in_window(standing, now) >= allowed:
        waits.append(Wait((standing.window_at or now) + WINDOW, "share"))
    if _used_up(standing, now) and standing.resets_at:
        waits.append(Wait(standing.resets_at, "share"))
    return max(waits, key=lambda each: each.until, default=None)


def calls_in_window(standing: Standing, now: datetime) -> int:
    """Our calls in the minute that is running."""
    return standing.window_calls if standing.window_at and now < standing.window_at + WINDOW else 0


def pause_after(failures: int, opened: int) -> timedelta | None:
    """How long the circuit is open after so many failures in a row; None while it stays closed.

    ``opened`` says how often in a row it was opened before: each time doubles the pause.
    """
    if failures < FAILURES_TO_OPEN and not opened:
        return None
    return min(FIRST_PAUSE * 2.0 ** min(opened, 10), LONGEST_PAUSE)


def _believed(standing: Standing, now: datetime) -> bool:
    return standing.rate_read_at is not None and now - standing.rate_read_at < BELIEVED_FOR


def _used_up(standing: Standing, now: datetime) -> bool:
    """Others use the same token or address: what they left is less than a twentieth, and that is not ours."""
    if standing.remaining is None or not standing.limit or not standing.resets_at or standing.resets_at <= now:
        return False
    return standing.remaining * 20 < standing.limit
