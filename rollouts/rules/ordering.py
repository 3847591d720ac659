"""Order between rollouts: which one comes first, and which two never reach more people side by side.

A plan says it (``after``, ``not_with``); ``not_with`` holds for both, whichever of the two plans says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from .blockers import Blocker
from .machine import RolloutState, state_in_words
from .phrases import Phrase, joined, say


class Order(StrEnum):
    """How one rollout is ordered with another."""

    AFTER = "after"
    NOT_WITH = "not_with"


#: Blockers that pass without anybody of this rollout doing anything.
CODES = frozenset(Order)
_DONE = frozenset({RolloutState.COMPLETED, RolloutState.CLOSED})


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another rollout that this one is ordered with, as it stands.

    ``moving`` are the names of its phases that go on, with when each began; ``widened_at`` is when it last reached more
    people, None if it never did.
    """

    slug: str
    title: str
    order: Order
    state: str
    moving: Mapping[str, datetime] = field(default_factory=dict, hash=False)
    widened_at: datetime | None = None

    @property
    def where(self) -> str:
        return f"/rollouts/{self.slug}/"

    @property
    def is_done(self) -> bool:
        return self.state in _DONE

    def widened_today(self, now: datetime) -> bool:
        """Days are UTC's, so that they are the same for everybody."""
        return self.widened_at is not None and self.widened_at.astimezone(UTC).date() == now.astimezone(UTC).date()

    @property
    def words(self) -> Phrase:
        """«after “Claude for chat”»"""
        if self.order is Order.AFTER:
            return say("after “{other}”", other=self.title)
        return say("not with “{other}”", other=self.title)


def blockers(
    neighbours: Iterable[Neighbour], slug: str, phase: str, title: str, started_at: datetime | None, now: datetime
) -> list[Blocker]:
    """What stands between this phase and more people because of other rollouts.

    Where two are in one phase already (somebody ordered them since), the one that began it first goes on.
    """
    blockers = []
    for other in neighbours:
        if other.order is Order.AFTER:
            if not other.is_done:
                blockers.append(Blocker(Order.AFTER, _comes_first(other), other.where))
            continue
        began = other.moving.get(phase)
        if began is not None and (started_at is None or (began, other.slug) < (started_at, slug)):
            message = say("“{other}” is in {phase} now: the two are never in the same phase.", other=other.title,
                          phase=title)  # fmt: skip
            blockers.append(Blocker(Order.NOT_WITH, message, other.where))
        elif other.widened_today(now):
            message = say("“{other}” has reached more people today (UTC): the two never do so on the same day.",
                          other=other.title)  # fmt: skip
            blockers.append(Blocker(Order.NOT_WITH, message, other.where))
    return blockers


def _comes_first(other: Neighbour) -> Phrase:
    if other.state == RolloutState.ABANDONED:
        return say(
            "“{other}” was to come first and is abandoned: take it out of the plan (`after`).", other=other.title
        )
    return say("“{other}” comes first: it is {state}.", other=other.title, state=state_in_words(other.state))


def changes_at(neighbours: Iterable[Neighbour], now: datetime) -> datetime | None:
    """When what is in the way passes by the clock: with the day."""
    if not any(other.order is Order.NOT_WITH and other.widened_today(now) for other in neighbours):
        return None
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def words(neighbours: Iterable[Neighbour]) -> Phrase | str:
    """«after “Claude for chat”, not with “GPT for search”»; empty where there is none."""
    return joined([other.words for other in neighbours], ", ")


def circle(after: Mapping[str, Iterable[str]], slug: str) -> tuple[str, ...]:
    """The way from a rollout along ``after`` back to itself, its name first and last; empty where there is none."""
    came_from: dict[str, str] = {}
    waiting = [slug]
    while waiting:
        here = waiting.pop()
        for before in after.get(here, ()):
            if before == slug:
                way = [here]
                while way[-1] != slug:
                    way.append(came_from[way[-1]])
                return (*reversed(way), slug)
            if before not in came_from:
                came_from[before] = here
                waiting.append(before)
    return ()
