"""When somebody is told by mail: at once, once a day, or not; and never in the hours that they want quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from .notices import Kind
from .phrases import say
from .zones import edge, zone


class When(StrEnum):
    NOW = "now"
    DIGEST = "digest"
    OFF = "off"


WHEN_WORDS: Mapping[str, str] = {
    When.NOW: say("at once"),
    When.DIGEST: say("in the daily digest"),
    When.OFF: say("not"),
}
#: What asks something of somebody comes at once; what they only want to know waits for the digest.
USUAL: Mapping[Kind, When] = dict.fromkeys(Kind, When.NOW) | {
    Kind.MOVED: When.DIGEST,
    Kind.CONFIRMED: When.DIGEST,
}
#: What changes again within this time is one thing to tell, and is told after it at the latest.
MERGED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What somebody chose: ``by_mail`` and ``by_bell`` hold what is not as usual. Hours are of their ``zone``."""

    by_mail: Mapping[str, str] = field(default_factory=dict)
    by_bell: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    digest_hour: int = 8
    quiet: tuple[int, int] | None = None

    def mail(self, kind: str) -> When:
        return When(self.by_mail.get(kind) or USUAL[Kind(kind)])

    def bell(self, kind: str) -> When:
        return When(self.by_bell.get(kind) or When.NOW)

    def due(self, when: When, at: datetime, since: datetime, settling: timedelta) -> datetime:
        """The moment to send what happened ``at``, and began ``since`` if it stands for something earlier."""
        here = zone(self.zone)
        if when == When.DIGEST:
            return _next(at, self.digest_hour, here)
        return self.after_quiet(min(at + settling, max(at, since + MERGED)))

    def after_quiet(self, moment: datetime) -> datetime:
        """The moment itself, or the end of the quiet hours that it lies in."""
        if self.quiet is None:
            return moment
        begins, ends = self.quiet
        here = zone(self.zone)
        hour = moment.astimezone(here).hour
        is_quiet = begins <= hour < ends if begins < ends else hour >= begins or hour < ends
        return _next(moment, ends, here) if is_quiet else moment


def _next(moment: datetime, hour: int, here: ZoneInfo) -> datetime:
    """When clocks show this hour next; one that they leave out is the first time that there is after it."""
    day = moment.astimezone(here).date()
    for days in range(3):
        at = edge(datetime.combine(day + timedelta(days=days), time(hour)), here, latest=False)
        if at > moment:
            return at.astimezone(UTC)
    raise AssertionError("a day has each hour within two days")
