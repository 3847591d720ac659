"""How much of an AI model's quota its rollouts use at their present reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from .capacity import percent_of, whole_requests
from .percentages import NOTHING


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
