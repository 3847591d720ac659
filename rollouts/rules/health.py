"""A rollout's health in one word and one sentence: what the portfolio says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from . import freshness
from .drift_cases import of_flag_at
from .expected import Drift, drift_in_words
from .machine import PhaseState, state_in_words
from .phrases import say

if TYPE_CHECKING:  # models know the words of health, and nothing of facts
    from .facts import RolloutFacts


class Health(StrEnum):
    """From what needs eyes most to what needs none."""

    DRIFTING = "drifting"
    STALE = "stale"
    ACCEPTED = "accepted"
    WAITING = "waiting"
    AS_PLANNED = "as_planned"
    OVERDUE = "overdue"
    OVER = "over"

    @property
    def words(self) -> str:
        return {
            "drifting": say("drifting"),
            "stale": say("not known"),
            "accepted": say("drift accepted"),
            "waiting": say("waiting for GitLab"),
            "as_planned": say("as planned"),
            "overdue": say("overdue for clean-up"),
            "over": say("over"),
        }[self.value]

    def as_read(self, read_at: datetime | None, now: datetime, limit: timedelta) -> Health:
        """What it is now of what it was when the newest reading was fresh."""
        is_old = self in NEEDS_FRESH and freshness.is_stale(read_at, now, limit)
        return Health.STALE if is_old else self


#: Health that holds only while the newest reading is fresh.
NEEDS_FRESH = (Health.AS_PLANNED, Health.OVERDUE)
#: Months that a flag of a type may live (GitLab doc/development/feature_flags/_index.md); ``ops`` is reviewed yearly.
LIFETIME_MONTHS = {"gitlab_com_derisk": 2, "wip": 4, "beta": 6, "experiment": 6, "ops": 12}


@dataclass(frozen=True, slots=True)
class State:
    """Health, the drift behind it, and a sentence."""

    health: Health
    drift: Drift
    words: str


def judge(facts: RolloutFacts) -> State:
    """The health of a rollout by these facts.

    Between an intent (start, advance) and the reading that confirms it the flag stands behind: that is waiting,
    not drift. More people than expected is drift whatever the portal waits for.
    """
    kind = facts.drift
    sentence = drift_in_words(kind, facts.expected, facts.reading)
    if facts.is_over:
        return State(Health.OVER, Drift.NONE, say("The rollout is {state}.", state=state_in_words(facts.state)))
    waits = any(phase.state == PhaseState.ACTIVE and phase.confirmed_at is None for phase in facts.phases)
    if kind is Drift.BEHIND and waits:
        return State(Health.WAITING, kind, sentence)
    if kind is not Drift.NONE and is_accepted(facts):
        return State(Health.ACCEPTED, kind, sentence)
    if kind is not Drift.NONE:
        return State(Health.DRIFTING, kind, sentence)
    if facts.is_stale:
        return State(Health.STALE, kind, say("The newest reading is too old: the portal does not know."))
    if facts.is_overdue:
        return State(Health.OVERDUE, kind, say("The flag has outlived its type."))
    return State(Health.AS_PLANNED, kind, say("GitLab: {reading}.", reading=facts.reading.words))


def is_accepted(facts: RolloutFacts) -> bool:
    """Whether somebody else let all of the drift stand, for now. It counts as none then, but nobody more is let in."""
    until = facts.accepted_until
    found = of_flag_at(facts.expected, facts.reading)
    return until is not None and facts.now < until and facts.accepted >= {each.kind.value for each in found}


def end_of_life(flag_type: str, born: datetime | None) -> date | None:
    """The last day that the lifetime of its type allows a flag, or None where it has no such end."""
    months = LIFETIME_MONTHS.get(flag_type)
    if months is None or born is None:
        return None
    year, month = divmod(born.year * 12 + born.month - 1 + months, 12)
    return date(year, month + 1, min(born.day, 28))


def overdue_since(flag_type: str, born: datetime | None, now: datetime) -> date | None:
    """The day on which a flag of this type outlived its lifetime, or None while it has not."""
    end = end_of_life(flag_type, born)
    return end if end is not None and now.date() > end else None


def release_day(milestone: str) -> datetime | None:
    """About when a GitLab release came out: monthly since 15.0 in May 2022, twelve to a major version.

    Source: GitLab's release policy (third Thursday of each month); None for what is no release number.
    """
    major, _, minor = milestone.partition(".")
    if not (major.isdigit() and minor.isdigit()) or not 1 <= int(major) <= 99 or int(minor) > 11:
        return None
    months = (2022 * 12 + 4) + (int(major) - 15) * 12 + int(minor)
    return datetime(months // 12, months % 12 + 1, 18, tzinfo=UTC)
