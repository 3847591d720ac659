"""Where rollouts get into each other's way: widening on one day, and asking one provider's quota together.

Two rollouts share a quota when their AI models are one and the same to the provider: provider, host and the provider's
id, because providers grant requests a minute for each model on each host.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal

from .capacity import whole_requests
from .datetimes import day_in_words
from .expected import Audience
from .percentages import NOTHING
from .phrases import Phrase, say
from .schedule import Certainty, PhaseTimes, Schedule


@dataclass(frozen=True, slots=True)
class SameDay:
    """These rollouts widen on this day; ``is_ahead`` if at least one of them has not done so yet."""

    day: date
    slugs: tuple[str, ...]
    is_ahead: bool


@dataclass(frozen=True, slots=True)
class Demand:
    """What a rollout asks of which quota; ``quota`` and ``peak`` are requests a minute, None where nobody has said."""

    slug: str
    key: tuple[str, ...]
    quota: int | None
    peak: int | None


@dataclass(frozen=True, slots=True)
class SharedQuota:
    """These rollouts ask one quota at the same time; together at most ``asked`` from ``at`` on.

    ``unknown`` are those of which nobody has said what they ask at peak.
    """

    slugs: tuple[str, ...]
    quota: int | None
    asked: int
    at: datetime
    unknown: tuple[str, ...] = field(default=())

    @property
    def is_short(self) -> bool:
        return self.quota is not None and self.asked > self.quota


@dataclass(frozen=True, slots=True)
class Widening:
    """A rollout that lets more people in, as somebody who is asked about another one needs to know of it."""

    slug: str
    title: str
    instance: int
    quota: tuple[str, ...]
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Clash:
    """Another rollout widens on a day on which this one does, over one audience, one quota, or both."""

    slug: str
    title: str
    day: date
    audience: bool
    quota: bool

    @property
    def words(self) -> Phrase:
        known = {"other": self.title, "day": day_in_words(self.day)}
        if self.audience and self.quota:
            return say("On {day} “{other}” lets more people in too: the same audience, on the same quota.", **known)
        if self.audience:
            return say("On {day} “{other}” lets more people in too: the same audience.", **known)
        return say("On {day} “{other}” lets more people in too, on the same quota.", **known)

    def as_json(self) -> dict[str, object]:
        return {"slug": self.slug, "title": self.title, "day": self.day, "same_audience": self.audience,
                "same_quota": self.quota, "words": "".join(self.words)}  # fmt: skip


def clashes(own: Widening, phase: str, others: Iterable[Widening], now: datetime) -> tuple[Clash, ...]:
    """What to know before this phase of a rollout is approved, each other rollout once, at its first such day (UTC).

    Of this one each step of the phase counts, as early as it can be; of the others what was done today or has a date.
    """
    mine: dict[date, PhaseTimes] = {}
    for moment in own.schedule.moments:
        if moment.widens and moment.at >= now and moment.phase and moment.phase.name == phase:
            mine.setdefault(moment.at.astimezone(UTC).date(), moment.phase)
    found = []
    for other in others:
        if other.slug == own.slug:
            continue
        for moment in other.schedule.moments:
            day = moment.at.astimezone(UTC).date()
            if moment.widens and moment.certainty is not Certainty.EARLIEST and day in mine and moment.phase:
                audience = other.instance == own.instance and _same_audience(mine[day], moment.phase)
                quota = other.quota == own.quota
                if audience or quota:
                    found.append(Clash(other.slug, other.title, day, audience, quota))
                    break
    return tuple(sorted(found, key=lambda clash: (clash.day, clash.title)))


def _same_audience(mine: PhaseTimes, theirs: PhaseTimes) -> bool:
    """All users are all users, whatever the phase is called; named people and groups go by the phase's name."""
    of_all = {Audience.PERCENTAGE, Audience.ALL_AT_ONCE}
    if Audience(mine.audience) in of_all:
        return Audience(theirs.audience) in of_all
    return mine.audience == theirs.audience and mine.name == theirs.name


def quota_key(provider: str, host: str, provider_model_id: str, slug: str) -> tuple[str, ...]:
    """Models with the same key share a quota. One that has no id at the provider shares with none but itself."""
    if not provider_model_id:
        return ("", slug)
    return (provider.casefold(), host.casefold(), provider_model_id.casefold())


def same_day(schedules: Mapping[str, Schedule], zone: tzinfo, since: datetime, until: datetime) -> list[SameDay]:
    """Days of the zone in [since, until) on which more than one rollout widens, in order.

    What has no date counts for no day: it may come on any.
    """
    by_day: dict[date, dict[str, bool]] = defaultdict(dict)
    for slug, schedule in schedules.items():
        for moment in schedule.moments:
            if moment.widens and moment.certainty is not Certainty.EARLIEST and since <= moment.at < until:
                on_day = by_day[moment.at.astimezone(zone).date()]
                on_day[slug] = on_day.get(slug, False) or moment.certainty is Certainty.DATED
    return [SameDay(day, tuple(slugs), any(slugs.values())) for day, slugs in sorted(by_day.items()) if len(slugs) > 1]


def shared_quotas(
    demands: Iterable[Demand], schedules: Mapping[str, Schedule], since: datetime, until: datetime
) -> list[SharedQuota]:
    """Quotas that more than one rollout asks at the same time within [since, until), at the worst moment of it.

    Named people and feature groups count as few. Where two rows of one model name different quotas, the least counts.
    """
    by_key: dict[tuple[str, ...], list[Demand]] = defaultdict(list)
    for demand in demands:
        by_key[demand.key].append(demand)
    quotas = []
    for group in by_key.values():
        quota = min((demand.quota for demand in group if demand.quota is not None), default=None)
        worst: SharedQuota | None = None
        for at, reached in _together([(demand, schedules[demand.slug]) for demand in group], since, until):
            if len(reached) < 2:
                continue
            asked = whole_requests(sum(demand.peak * reach for demand, reach in reached if demand.peak is not None))
            if worst is None or (len(reached), asked) > (len(worst.slugs), worst.asked):
                slugs = tuple(demand.slug for demand, _ in reached)
                unknown = tuple(demand.slug for demand, _ in reached if demand.peak is None)
                worst = SharedQuota(slugs, quota, asked, at, unknown)
        if worst is not None:
            quotas.append(worst)
    return sorted(quotas, key=lambda shared: (not shared.is_short, shared.at))


def _together(
    rollouts: list[tuple[Demand, Schedule]], since: datetime, until: datetime
) -> Iterable[tuple[datetime, list[tuple[Demand, Decimal]]]]:
    """At the beginning and after each change within the span: who reaches which share of the actors."""
    changes = sorted(
        (moment.at, number, moment.reach)
        for number, (_, schedule) in enumerate(rollouts)
        for moment in schedule.moments
        if moment.reach is not None and moment.at < until
    )
    reach = dict.fromkeys(range(len(rollouts)), NOTHING)
    begun = False
    for at, number, share in changes:
        if at >= since and not begun:
            begun = True
            yield since, _reached(rollouts, reach)
        reach[number] = share
        if at >= since:
            yield at, _reached(rollouts, reach)
    if not begun:
        yield since, _reached(rollouts, reach)


def _reached(rollouts: list[tuple[Demand, Schedule]], reach: dict[int, Decimal]) -> list[tuple[Demand, Decimal]]:
    return [(demand, reach[number]) for number, (demand, _) in enumerate(rollouts) if reach[number] > 0]
