"""What ``/style/`` shows: a component's template, and its states with what each is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ...models import FlagReading, clock
from ...rules.expected import FlagReading as Latest
from ...rules.expected import Presence
from ...rules.exposure import Exposure
from ..charts.readings import picture
from ..charts.track import Part, Track
from ..presenters.flags import Age
from ..presenters.models import QuotaUse

LOOKS = ("", "go", "wait", "stop")


@dataclass(frozen=True, slots=True)
class Sample:
    """One component: ``states`` are (in words, what its template is given)."""

    name: str
    template: str
    states: tuple[tuple[str, dict[str, Any]], ...]


def samples() -> tuple[Sample, ...]:
    now = clock.now()
    return (
        Sample("Buttons", "style/buttons.html", (("all", {}),)),
        Sample("Fields", "style/fields.html", (("empty, filled, wrong", {}),)),
        Sample("Tag", "style/tag.html", tuple((look or "plain", {"look": look}) for look in LOOKS)),
        Sample("Notice", "style/notice.html", tuple((look or "plain", {"look": look}) for look in LOOKS)),
        Sample("Card, empty card", "style/card.html", (("all", {}),)),
        Sample("Age", "style/age.html", tuple((words, {"moment": at}) for words, at in _moments(now))),
        Sample("Phase track", "style/phase_track.html", tuple(_tracks())),
        Sample("Blockers", "components/blockers.html", (("open and done", {"checks": _checks()}),)),
        Sample("Request", "components/request.html", tuple(_requests(now))),
        Sample("Quota and its use", "components/quota_use.html", tuple(_quotas())),
        Sample("Age of a flag", "components/flag_age.html", tuple(_ages())),
        Sample("Readings over time", "components/readings.html", tuple(_readings(now))),
    )


def _moments(now: datetime) -> list[tuple[str, datetime | None]]:
    spans = {"seconds": timedelta(seconds=40), "hours": timedelta(hours=3), "days": timedelta(days=70)}
    return [("never", None), *((words, now - span) for words, span in spans.items())]


def _tracks() -> list[tuple[str, dict[str, Any]]]:
    def one(look: str, share: float) -> Track:
        cuts = (305.0, 335.0, 380.0) if look in ("rest", "now", "off") else ()
        hatches = tuple(float(x) for x in range(292, 496, 8)) if look == "skip" else ()
        last = Part(290.0, 210.0, look, 210 * share, cuts, hatches)
        return Track((Part(0.0, 140.0, "done", 140.0), Part(145.0, 140.0, "done", 140.0), last), f"All users: {look}")

    states = {"rest": 0.0, "now": 0.25, "off": 0.5, "done": 1.0, "skip": 0.0, "back": 0.0}
    return [
        (f"{look}, {size or 'in a row'}", {"track": one(look, share), "look": size})
        for look, share in states.items()
        for size in ("", "page")
    ]


def _checks() -> list[dict[str, Any]]:
    return [
        {"ok": True, "words": "The newest reading is fresh", "url": ""},
        {"ok": False, "words": "1 % must stand 12 min more.", "url": "#"},
        {"ok": False, "words": "The internal feedback issue does not exist. " * 4, "url": "#"},
    ]


def _requests(now: datetime) -> list[tuple[str, dict[str, Any]]]:
    told = {
        "words": "Start All users at 1 %",
        "requested_by": "mia",
        "policy": "1 approval by approvers, within 14 d",
        "expires_at": now + timedelta(days=14),
        "approvals": [],
        "changed": [],
        "is_granted": False,
    }
    granted = {**told, "is_granted": True, "approvals": [("alice", now, True, "")]}
    void = ("alice", now, False, "through the API")
    changed = {**told, "changed": ["The quota was 60,000, now it is 30,000."], "approvals": [void]}
    states = {"waits": told, "granted": granted, "changed": changed}
    return [(words, {"request_shown": state}) for words, state in states.items()]


def _quotas() -> list[tuple[str, dict[str, Any]]]:
    states = (
        ("in use", QuotaUse("60,000 requests a minute", "10,500 in use at peak, 18 %", 0.18)),
        ("short", QuotaUse("10,000 requests a minute", "12,000 in use at peak, 120 % of it", 1.0, is_short=True)),
        ("not known", QuotaUse("quota not known", "no rollout uses it", is_known=False)),
    )
    return [(words, {"quota": quota}) for words, quota in states]


def _ages() -> list[tuple[str, dict[str, Any]]]:
    states = (
        ("young", Age("1 month of 6", 1, 6)),
        ("old", Age("6 months of 6", 6, 6)),
        ("overdue", Age("7 months of 6", 7, 6, is_overdue=True)),
        ("without a limit", Age("38 months", 38)),
        ("not known", Age("age not known")),
    )
    return [(words, {"age": age}) for words, age in states]


def _readings(now: datetime) -> list[tuple[str, dict[str, Any]]]:
    """Company, then 10 %, then not known to GitLab, then 50 %; read just now, and last read a day ago."""
    company = Exposure(groups=frozenset({"company"}))
    told = [
        (9, Presence.UNSET_OFF, Exposure()),
        (7, Presence.SET, company),
        (5, Presence.SET, company.plus(Exposure(percentage_of_actors=Decimal(10)))),
        (4, Presence.UNKNOWN, Exposure()),
        (3, Presence.SET, company.plus(Exposure(percentage_of_actors=Decimal(50)))),
    ]
    readings = [
        FlagReading(read_at=now - timedelta(days=days), presence=presence, gates=exposure.as_json())
        for days, presence, exposure in reversed(told)
    ]
    latest = Latest(Presence.SET, readings[0].exposure, readings[0].read_at, now - timedelta(days=1))
    return [
        (words, {"chart": picture(readings, latest, unread, now, stale=bool(unread))})
        for words, unread in (("fresh", ()), ("stale", [(now - timedelta(days=1), now)]))
    ]
