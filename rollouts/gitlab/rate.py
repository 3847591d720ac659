"""What GitLab says of its rate limit with each answer (doc/administration/settings/user_and_ip_rate_limits.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

LARGEST = 10_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls of our user in GitLab's window: allowed, made, left; when it begins anew; when we were told. In UTC."""

    limit: int
    observed: int
    remaining: int
    reset_at: datetime | None
    read_at: datetime

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], now: datetime) -> Rate | None:
        """None where GitLab does not tell, or tells nonsense."""
        limit, observed = (_count(headers, f"RateLimit-{name}") for name in ("Limit", "Observed"))
        remaining = _count(headers, "RateLimit-Remaining")
        if not limit or remaining is None:
            return None
        return cls(limit, limit - remaining if observed is None else observed, remaining, _reset(headers, now), now)


def _count(headers: Mapping[str, str], name: str) -> int | None:
    written = headers.get(name, "").strip()
    if not (written.isascii() and written.isdigit() and len(written) <= 8):
        return None
    return min(int(written), LARGEST)


def _reset(headers: Mapping[str, str], now: datetime) -> datetime | None:
    written = headers.get("RateLimit-Reset", "").strip()
    if not (written.isascii() and written.isdigit() and len(written) <= 11):
        return None
    reset = datetime.fromtimestamp(int(written), UTC)
    return reset if abs((reset - now).total_seconds()) < 86_400 else None
