"""Whether the provider can carry what a phase or step reaches (guide: "the AI Gateway can carry the volume")."""

from __future__ import annotations

from dataclasses import dataclass

from .blockers import Blocker
from .words import say


@dataclass(frozen=True, slots=True)
class Capacity:
    """``quota`` and ``peak`` are requests a minute, or None where nobody has said."""

    quota: int | None
    peak: int | None

    @property
    def is_known(self) -> bool:
        return self.quota is not None and self.peak is not None

    def needed(self, reach: float) -> int | None:
        """Requests a minute when ``reach`` (0 to 1) of all actors use the model at its peak."""
        return None if self.peak is None else round(self.peak * reach)

    @property
    def carries(self) -> float | None:
        """The share of all actors that the quota carries, 0 to 1."""
        if self.quota is None or self.peak is None:
            return None
        return 1.0 if self.peak == 0 else min(1.0, self.quota / self.peak)

    def carries_reach(self, reach: float) -> bool:
        """Whether the quota is known and enough for this reach."""
        return self.quota is not None and self.peak is not None and self.peak * reach <= self.quota

    @property
    def fact(self) -> str:
        """What is known of it, without a full stop."""
        if self.quota is None:
            return say("The model's quota is not known. Enter its requests per minute")
        if self.peak is None:
            return say("The plan does not say how many requests per minute to expect at peak")
        share = self.quota / self.peak if self.peak else 1.0
        if share >= 1:
            return say(
                "{peak} requests a minute at peak, {share} % of a quota of {quota}",
                peak=self.peak,
                share=round(100 * self.peak / self.quota) if self.quota else 0,
                quota=self.quota,
            )
        return say(
            "A quota of {quota} requests a minute carries {share} % of the peak of {peak}",
            quota=self.quota,
            share=int(share * 100),
            peak=self.peak,
        )

    @property
    def words(self) -> str:
        return say("{fact}.", fact=self.fact)


def blockers(capacity: Capacity, reach: float, what: str) -> list[Blocker]:
    """What stands in the way of letting ``reach`` of all actors use the model; ``what`` names the step."""
    if not capacity.is_known:
        return [Blocker("capacity_unknown", capacity.words, "#capacity")]
    if not capacity.carries_reach(reach):
        needed, quota = capacity.needed(reach), capacity.quota
        return [
            Blocker(
                "capacity_short",
                say(
                    "{what} needs {needed} requests a minute, the quota is {quota}. Ask the provider for more quota.",
                    what=what,
                    needed=needed,
                    quota=quota,
                ),
                "#capacity",
            )
        ]
    return []
