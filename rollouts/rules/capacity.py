"""Whether the provider can carry what a phase or step reaches, and how much of a quota is used at present reach.

Guide: "the AI Gateway can carry the volume".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from .blockers import Blocker
from .percentages import NOTHING, share_of
from .phrases import Phrase, say


@dataclass(frozen=True, slots=True)
class Capacity:
    """``quota`` and ``peak`` are requests a minute, or None where nobody has said; ``others`` what other rollouts of
    the model ask now, as their phases stand.

    ``lead_time`` is how long a larger quota takes, None where nobody has said.
    ``margin`` is kept free besides, in per cent of what all ask together. ``untold``: of so many other rollouts nobody
    has said what they ask. ``is_demanded``: whether the template asks for quota and peak to be known.
    """

    quota: int | None
    peak: int | None
    others: Decimal = NOTHING
    untold: int = 0
    margin: int = 0
    is_demanded: bool = True
    lead_time: timedelta | None = None

    @property
    def is_known(self) -> bool:
        return self.quota is not None and self.peak is not None

    def needed(self, reach: Decimal) -> int | None:
        """Requests a minute when ``reach`` (0 to 1) of all actors use the model at its peak."""
        return None if self.peak is None else requests_at(self.peak, reach)

    def total(self, reach: Decimal) -> int | None:
        """A minute, of all rollouts of the model together and with the margin, at this reach of this one."""
        if self.peak is None:
            return None
        return whole_requests((self.peak * reach + self.others) * (100 + self.margin) / 100)

    def carries_reach(self, reach: Decimal) -> bool:
        """Whether the quota is known and enough for this reach, what others ask, and the margin.

        Who is let in by name asks next to nothing: that any quota carries.
        """
        total = self.total(reach)
        return self.quota is not None and total is not None and (total <= self.quota or (reach == 0 and self.quota > 0))

    @property
    def fact(self) -> str:
        """What is known of it, without a full stop."""
        if self.quota is None:
            return say("The model's quota is not known. Enter its requests per minute")
        if self.peak is None:
            return say("The plan does not say how many requests per minute to expect at peak")
        if self.others and self.quota >= self.peak:
            return say(
                "{peak} requests a minute at peak and {others} of other rollouts now, {share} % of a quota of {quota}",
                peak=self.peak,
                others=whole_requests(self.others),
                share=percent_of(whole_requests(self.peak + self.others), self.quota) if self.quota else 0,
                quota=self.quota,
            )
        if self.quota >= self.peak:
            return say(
                "{peak} requests a minute at peak, {share} % of a quota of {quota}",
                peak=self.peak,
                share=percent_of(self.peak, self.quota) if self.quota else 0,
                quota=self.quota,
            )
        return say(
            "A quota of {quota} requests a minute carries {share} % of the peak of {peak}",
            quota=self.quota,
            share=100 * self.quota // self.peak,
            peak=self.peak,
        )

    @property
    def words(self) -> str:
        return say("{fact}.", fact=self.fact)


def requests_at(peak: int, reach: Decimal) -> int:
    """Of ``peak`` requests a minute of all actors those of a share, 0 to 1."""
    return whole_requests(peak * reach)


def whole_requests(exact: Decimal | int) -> int:
    """Whole requests a minute, none too few: what is asked fits a quota exactly if this does."""
    return int(Decimal(exact).to_integral_value(ROUND_CEILING))


def percent_of(requests: int, quota: int) -> int:
    """Whole per cent of a quota above 0; a request more than the quota is more than 100."""
    return -(-100 * requests // quota)


def blockers(capacity: Capacity, reach: Decimal, what: str) -> list[Blocker]:
    """What stands in the way of letting ``reach`` of all actors use the model; ``what`` names the step.

    What nobody knows is a blocker where the template demands it to be known (an item of the kind capacity).
    """
    if not capacity.is_known:
        return [Blocker("capacity_unknown", capacity.words, "#capacity")] if capacity.is_demanded else []
    return (
        [] if capacity.carries_reach(reach) else [Blocker("capacity_short", _short(capacity, reach, what), "#capacity")]
    )


def _short(capacity: Capacity, reach: Decimal, what: str) -> Phrase:
    needed, quota, total = capacity.needed(reach), capacity.quota, capacity.total(reach)
    if needed == total:
        return say(
            "{what} needs {needed} requests a minute, the quota is {quota}. Ask the provider for more quota.",
            what=what,
            needed=needed,
            quota=quota,
        )
    if not capacity.others:
        return say(
            "{what} needs {needed} requests a minute, {total} with a margin of {margin} %, the quota is {quota}. "
            "Ask the provider for more quota.",
            what=what, needed=needed, total=total, margin=capacity.margin, quota=quota,
        )  # fmt: skip
    return say(
        "{what} needs {needed} requests a minute and other rollouts of the model ask {others}: {total} with a margin "
        "of {margin} %, the quota is {quota}. Ask the provider for more quota.",
        what=what, needed=needed, others=whole_requests(capacity.others), total=total, margin=capacity.margin,
        quota=quota,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class StepLoad:
    """What one step of the ramp asks of the quota a minute: ``needed`` by itself, ``total`` with others and margin.

    ``at`` is when it comes at the earliest; of a step that the quota does not carry ``ask_by`` is when a larger one is
    to be asked for at the latest, which may have been (``is_late``). None where it is not known when.
    """

    percentage: Decimal
    needed: int
    total: int
    is_short: bool
    at: datetime | None
    ask_by: datetime | None
    is_late: bool


def loads(capacity: Capacity, steps: Iterable[tuple[Decimal, datetime | None]], now: datetime) -> tuple[StepLoad, ...]:
    """Of each step (its percentage, and when it comes); none where nobody has said what is asked at peak."""
    found = []
    for percentage, at in steps:
        reach = share_of(percentage)
        needed, total = capacity.needed(reach), capacity.total(reach)
        if needed is None or total is None:
            break
        is_short = capacity.quota is not None and not capacity.carries_reach(reach)
        ask_by = at - (capacity.lead_time or timedelta(0)) if is_short and at else None
        found.append(StepLoad(percentage, needed, total, is_short, at, ask_by, bool(ask_by and ask_by < now)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Sender:
    """A rollout that sends requests: what all users together ask at peak, and the share of actors that is in.

    Each is None where nobody knows. ``and_more`` says that named people or groups are in besides, who count as few.
    """

    title: str
    peak: int | None
    reach: Decimal | None
    and_more: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """``requests`` a minute that are known of; ``unknown`` names the rollouts of which nobody knows how many more."""

    quota: int | None
    requests: int
    unknown: tuple[str, ...]
    and_more: bool

    @property
    def percent(self) -> int | None:
        """Of the quota, 0 to 100 and beyond; None where the quota or a part of the use is not known."""
        return None if not self.quota or self.unknown else percent_of(self.requests, self.quota)

    @property
    def is_short(self) -> bool:
        return self.quota is not None and self.requests > self.quota


def use(quota: int | None, senders: Iterable[Sender]) -> Use:
    """All that send to one AI model, together."""
    requests, unknown, and_more = NOTHING, [], False
    for sender in senders:
        if sender.reach is None or sender.peak is None:
            unknown.append(sender.title)
            continue
        requests += sender.peak * sender.reach
        and_more |= sender.and_more
    return Use(quota, whole_requests(requests), tuple(unknown), and_more)
