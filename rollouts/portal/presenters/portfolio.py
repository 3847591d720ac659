"""The portfolio: one row per rollout, out of rows that are worked out ahead; ages and staleness as they are now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from ...models import PortfolioRow
from ...rules import freshness
from ...rules.blockers import in_words
from ...rules.expected import Presence
from ...rules.health import Health
from ...rules.machine import PhaseState, state_in_words
from ...rules.phrases import from_text, joined, listed, say
from ...rules.track import PhaseLook, TrackPhase
from ...services.asked_people import AskedPerson
from ..charts.track import Track, drawn

Place = PortfolioRow.Place
TAGS = {
    Health.DRIFTING: "stop",
    Health.STALE: "wait",
    Health.WAITING: "wait",
    Health.ACCEPTED: "wait",
    Health.OVERDUE: "wait",
    Health.AS_PLANNED: "go",
    Health.OVER: "",
}
#: What a row is made of: one query, no model instances.
FIELDS = (
    "pk",
    "place",
    "health",
    "since",
    "phase",
    "phase_title",
    "title",
    "provider",
    "owner",
    "owners",
    "reviews_due_at",
    "content",
    "due_at",
    "rollout_id",
)
#: A phase that takes half as long again as usual is late.
LATE = 1.5


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One rollout as the portfolio shows it; words are phrases, said in the reader's language by the template."""

    pk: int
    slug: str
    title: str
    model: str
    baseline: str
    flag: str
    provider: str
    track: Track
    where: str
    details: tuple[str, ...]
    phase: str
    state: str
    health: Health
    tag: str
    tag_words: str
    exposure: str
    drift_since: datetime | None
    read_at: datetime | None
    next_words: str
    next_detail: str
    who: str
    waits_since: datetime | None
    since: datetime
    usual: str
    is_late: bool
    owner: str
    owners: tuple[str, ...]
    place: str
    debts: int
    debts_overdue: bool
    content: Mapping[str, Any]

    @property
    def expected(self) -> str:
        return from_text(self.content["expected"])

    @property
    def read(self) -> str:
        return from_text(self.content["read"])

    @property
    def instead(self) -> str:
        return say("replaces {baseline}", baseline=self.baseline) if self.baseline else say("new")

    @property
    def standing(self) -> str:
        return joined(self.details, " · ")

    @property
    def how_long_usually(self) -> str:
        return say("usual {length}", length=self.usual)

    @property
    def everybody(self) -> str:
        """From when to when all users have it, where that can be predicted."""
        likely = self.content.get("everybody")
        if not likely:
            return ""
        since, about, until = (date_format(localtime(datetime.fromisoformat(at)), _("j M")) for at in likely)
        return _("everybody %(since)s – %(until)s, about %(about)s") % {
            "since": since,
            "until": until,
            "about": about,
        }

    @property
    def url(self) -> str:
        return f"/rollouts/{self.slug}/"


def shown_row(
    row: Mapping[str, Any],
    read_at: datetime | None,
    now: datetime,
    limit: timedelta,
    stand_ins: Sequence[AskedPerson] = (),
) -> ShownRow:
    """A row out of the values of ``FIELDS``, when the flag was read last, and who stands in of those who are asked."""
    content = row["content"]
    known = Health(row["health"])
    health = known.as_read(read_at, now, limit)
    action, detail = (from_text(part) for part in content["next"])
    if until := _moment(content["until"]):
        detail = say("{length} of soak left", length=in_words(until - now)) if until > now else ""
    if health is not known and content["verb"] in ("start", "advance", "complete"):
        detail = _age_of(read_at, now)
    if content["apart"]:  # the exposure says it already
        detail = ""
    where, details = _where(content, read_at, now, limit)
    tag_words, exposure = _tag_words(health, content), _exposure(content)
    usual, lasted = content["usual"], (now - row["since"]).total_seconds()
    return ShownRow(
        pk=row["pk"],
        slug=content["slug"],
        title=row["title"],
        model=content["model"],
        baseline=content["baseline"],
        flag=content["flag"],
        provider=row["provider"],
        track=_track(content["track"]),
        where=where,
        details=details,
        phase=row["phase_title"],
        state=content["state"],
        health=health,
        tag="" if health is Health.AS_PLANNED and content["nobody"] else TAGS[health],
        tag_words=tag_words,
        exposure=exposure if exposure != tag_words else "",  # said once is enough
        drift_since=_moment(content["drift_since"]),
        read_at=read_at,
        next_words=action,
        next_detail=detail,
        who=_who(content["who"], stand_ins),
        waits_since=_moment(content["waits_since"]),
        since=row["since"],
        usual=in_words(timedelta(seconds=usual), units=1) if usual is not None else "",
        is_late=row["place"] == Place.OVERDUE or (usual is not None and content["is_live"] and lasted > usual * LATE),
        owner=row["owner"],
        owners=tuple(filter(None, row["owners"].split("\n"))),
        place=row["place"],
        debts=content["debts"],
        debts_overdue=row["reviews_due_at"] is not None and row["reviews_due_at"] < now,
        content=content,
    )


def _who(kept: str, stand_ins: Sequence[AskedPerson]) -> str:
    """«an approver (sam instead of alice, away)»"""
    who = from_text(kept)
    if not stand_ins:
        return who
    these = [say("{instead} instead of {absent}", instead=one.name, absent=listed(one.instead_of)) for one in stand_ins]
    return say("{who} ({these}, away)", who=who, these=joined(these, ", "))


@lru_cache(maxsize=4096)
def _track(kept: str) -> Track:
    parts = [{**part, "look": PhaseLook(part["look"]), "cuts": tuple(part["cuts"])} for part in json.loads(kept)]
    return drawn(tuple(TrackPhase(**part) for part in parts))


def _where(
    content: Mapping[str, Any], read_at: datetime | None, now: datetime, limit: timedelta
) -> tuple[str, tuple[str, ...]]:
    """«All users, 25 %» and «step 3 of 6», «stood 26 h of 24 h»."""
    if "phase" not in content:
        ended = _moment(content["ended_at"])
        words = state_in_words(content["state"])
        return words, (date_format(localtime(ended), _("j M Y")),) if ended else ()
    details: list[str] = []
    words = content["phase"]
    if "step" in content:
        words = say("{phase}, {step} %", phase=content["phase"], step=content["step"])
        details.append(say("step {number} of {steps}", number=content["step_number"], steps=content["steps"]))
        if content["phase_state"] == PhaseState.PAUSED:
            details.append(say("paused"))
    else:
        details.append(state_in_words(content["phase_state"]))
    if confirmed_at := _moment(content.get("confirmed_at")):
        stood = in_words(freshness.stood(confirmed_at, read_at, now, limit), units=1)
        soak = timedelta(seconds=content["soak"])
        of_all = say("stood {length} of {soak}", length=stood, soak=in_words(soak, units=1))
        details.append(of_all if soak else say("stood {length}", length=stood))
    if "items" in content:
        details.append(say("checklist {done} of {all}", done=content["items_done"], all=content["items"]))
    details += [say("{phase} skipped", phase=title) for title in content["skipped"]]
    return words, tuple(details)


def _tag_words(health: Health, content: Mapping[str, Any]) -> str:
    if health is Health.AS_PLANNED and content["nobody"]:
        return from_text(content["read"])
    return health.words


def _exposure(content: Mapping[str, Any]) -> str:
    """Who sees the model; where GitLab and the plan differ, both, to be ended by since when."""
    if content["apart"]:
        read, planned, how = map(from_text, content["apart"])
        return say("GitLab: {read}. Plan: {planned}. {difference}", read=read, planned=planned, difference=how)
    return say("nobody sees it") if content["read_nobody"] else from_text(content["read"])


def _age_of(read_at: datetime | None, now: datetime) -> str:
    if read_at is None:
        return Presence.UNREAD.words
    return say("GitLab was last read {length} ago", length=in_words(now - read_at))


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def group_titles() -> dict[str, str]:
    """Who must act, in the order of the page."""
    return {
        "yours": _("Needs you"),
        "others": _("Needs someone else"),
        "runs": _("Runs by itself"),
        "overdue": _("Overdue for clean-up"),
        "over": _("Finished"),
    }
