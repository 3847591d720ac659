"""The portfolio: one row per rollout, grouped by who must act."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.timezone import localtime

from ...audit.actor import Actor
from ...models import Rollout
from ...rules import health
from ...rules.blockers import in_words
from ...rules.facts import PhaseFacts, RolloutFacts
from ...rules.health import Health
from ...rules.machine import PhaseState, RolloutState
from ...rules.next_action import NextAction, Turn, next_action
from ...services import facts as facts_of
from ...services.locks import Locks
from .track import Track, track, where

TAGS = {
    Health.DRIFTING: "stop",
    Health.STALE: "wait",
    Health.WAITING: "wait",
    Health.OVERDUE: "wait",
    Health.AS_PLANNED: "go",
    Health.OVER: "",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One rollout as the portfolio shows it."""

    title: str
    url: str
    replaces: str
    flag: str
    track: Track
    where: str
    where_detail: str
    health: Health
    tag: str
    tag_words: str
    exposure: str
    next: NextAction
    since: datetime | None
    owner: str
    is_overdue: bool
    is_over: bool
    debts: int
    debts_overdue: int


@dataclass(frozen=True, slots=True)
class Group:
    key: str
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of the sentence on top."""

    underway: int
    yours: int
    drifting: int
    overdue: int
    reviews: int


GROUPS = (
    ("yours", "Needs you"),
    ("others", "Needs someone else"),
    ("nobodys", "Runs by itself"),
    ("overdue", "Overdue for clean-up"),
    ("over", "Finished"),
)


def row(rollout: Rollout, viewer: Actor, now: datetime, locks: Locks | None = None) -> Row:
    """``rollout`` comes from ``Rollout.objects.whole()``: no queries."""
    facts = facts_of.for_rollout(rollout, now, locks)
    overdue = overdue_since(rollout, facts, now)
    state = health.judge(facts, is_overdue=overdue is not None)
    current = where(facts.phases)
    phase = next((p for p in facts_of.newest_attempts(rollout) if current and p.name == current.name), None)
    said, detail = _where(rollout, facts, current)
    is_over = rollout.state in (RolloutState.CLOSED, RolloutState.ABANDONED)
    debts = [o for p in rollout.phases.all() for o in p.overrides.all() if o.reviewed_at is None]
    return Row(
        title=rollout.title,
        url=rollout.get_absolute_url(),
        replaces=f"replaces {rollout.baseline}" if rollout.baseline else "new",
        flag=rollout.flag.name,
        track=track(facts, state.drift),
        where=said,
        where_detail=detail,
        health=state.health,
        tag=TAGS[state.health],
        tag_words=_tag_words(state.health, facts),
        exposure=_exposure(rollout, facts, state),
        next=next_action(facts, viewer.person),
        since=_since(rollout, phase),
        owner=rollout.owners[0] if rollout.owners else rollout.created_by,
        is_overdue=overdue is not None,
        is_over=is_over,
        debts=len(debts),
        debts_overdue=sum(debt.due_at < now for debt in debts),
    )


def groups(rows: Iterable[Row]) -> list[Group]:
    """The rows by who must act; groups without rows are left out."""
    by_key: dict[str, list[Row]] = {key: [] for key, _ in GROUPS}
    for one in rows:
        key = "over" if one.is_over else "overdue" if one.is_overdue else one.next.turn.value
        by_key[key].append(one)
    return [Group(key, title, tuple(by_key[key])) for key, title in GROUPS if by_key[key]]


def summary(rows: Iterable[Row]) -> Summary:
    """The numbers of the sentence on top, over all open rollouts."""
    open_rows = [one for one in rows if not one.is_over]
    return Summary(
        underway=sum(not one.is_overdue for one in open_rows),
        yours=sum(one.next.turn is Turn.YOURS and not one.is_overdue for one in open_rows),
        drifting=sum(one.health is Health.DRIFTING for one in open_rows),
        overdue=sum(one.is_overdue for one in open_rows),
        reviews=sum(one.debts_overdue for one in open_rows),
    )


def overdue_since(rollout: Rollout, facts: RolloutFacts, now: datetime) -> object | None:
    """Since when a finished rollout's flag has outlived its type; None while it has not, or while it is gone."""
    if rollout.state != RolloutState.COMPLETED or facts.reading.presence != "set":
        return None
    born = health.release_day(rollout.flag.milestone) or rollout.completed_at
    return health.overdue_since(rollout.flag.type, born, now)


def _where(rollout: Rollout, facts: RolloutFacts, current: PhaseFacts | None) -> tuple[str, str]:
    if current is None or rollout.state in (RolloutState.CLOSED, RolloutState.ABANDONED):
        ended = rollout.closed_at or rollout.abandoned_at or rollout.completed_at
        return rollout.get_state_display().capitalize(), f"{localtime(ended):%-d %b %Y}" if ended else ""
    state = str(current.state).replace("_", " ")
    opening = current.opening
    details = [state]
    said = current.title
    if opening.ramp and current.state in (PhaseState.ACTIVE, PhaseState.PAUSED):
        said = f"{current.title}, {opening.step} %"
        details = [f"step {opening.ramp.number(opening.step)} of {len(opening.ramp.steps)}"]
        if current.state == PhaseState.PAUSED:
            details.append("paused")
        if current.confirmed_at and opening.step:
            soak = opening.ramp.at(opening.step).soak
            details.append(f"stood {in_words(facts.now - current.confirmed_at)} of {in_words(soak)}")
    elif current.state == PhaseState.PLANNED:
        mine = [i for i in facts.items if i.required and i.gate == "start" and i.phase in (None, current.name)]
        details.append(f"checklist {sum(i.verdict.satisfied for i in mine)} of {len(mine)}")
    details += [f"{phase.title.lower()} skipped" for phase in facts.phases if phase.state == PhaseState.SKIPPED]
    return said, " · ".join(details)


def _tag_words(kind: Health, facts: RolloutFacts) -> str:
    if kind is Health.AS_PLANNED and facts.expected.is_nobody:
        return facts.reading.presence.words
    return kind.words


def _exposure(rollout: Rollout, facts: RolloutFacts, state: health.State) -> str:
    if state.health in (Health.DRIFTING, Health.WAITING):
        since = f", since {localtime(rollout.drift_since):%H:%M, %-d %b}" if rollout.drift_since else ""
        return f"{state.words.removesuffix('.')}{since}."
    if facts.reading.exposure is not None and facts.reading.exposure.is_nobody:
        return "nobody sees it"
    return facts.reading.words


def _since(rollout: Rollout, phase: object) -> datetime | None:
    if phase is None:
        return rollout.completed_at or rollout.closed_at or rollout.abandoned_at
    for name in ("stepped_at", "approved_at", "requested_at"):
        if moment := getattr(phase, name):
            return moment
    return rollout.created_at
