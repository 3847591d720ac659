"""Guard metrics: figures that the plan bounds (guide, G14). A step that begins by itself waits while one is beyond.

Whoever measures (a person, a monitor) tells the portal each value. A person may advance against a figure; the ramp that
runs itself may not, nor while nobody has measured since the present step stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .blockers import Blocker
from .phrases import Phrase, joined, say

WHERE = "#metrics"
Number = int | float


@dataclass(frozen=True, slots=True)
class Bound:
    """What a plan says of one figure: at most so much, at least so much, or both."""

    name: str
    unit: str = ""
    at_most: Number | None = None
    at_least: Number | None = None

    @property
    def title(self) -> str:
        """«latency p95»"""
        return self.name.replace("_", " ")

    @property
    def words(self) -> str:
        """«at most 1,200 ms»"""
        messages = [say("at least {value}", value=self.shown(self.at_least))] if self.at_least is not None else []
        messages += [say("at most {value}", value=self.shown(self.at_most))] if self.at_most is not None else []
        return joined(messages, ", ")

    def shown(self, value: Number) -> Phrase:
        return joined([say("{n}", n=value), self.unit])

    def is_kept_by(self, value: Number) -> bool:
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)

    def as_dict(self) -> dict[str, Any]:
        """As a plan writes it, below its name."""
        bounds = {"unit": self.unit, "at_most": self.at_most, "at_least": self.at_least}
        return {key: value for key, value in bounds.items() if value not in ("", None)}

    @classmethod
    def all_from(cls, stored: Mapping[str, Mapping[str, Any]]) -> tuple[Bound, ...]:
        return tuple(cls(name, **bounds) for name, bounds in stored.items())


@dataclass(frozen=True, slots=True)
class Metric:
    """A bounded figure as it was last measured."""

    bound: Bound
    value: Number | None = None
    measured_at: datetime | None = None
    measured_by: str = ""
    evidence: str = ""

    @classmethod
    def all_from(cls, bounds: Mapping[str, Mapping[str, Any]], measured: Mapping[str, Mapping[str, Any]]
                 ) -> tuple[Metric, ...]:  # fmt: skip
        """What the plan bounds, each with its newest value, both as they are stored."""
        metrics = []
        for bound in Bound.all_from(bounds):
            kept = measured.get(bound.name)
            if kept is None:
                metrics.append(cls(bound))
            else:
                at = datetime.fromisoformat(kept["at"])
                metrics.append(cls(bound, kept["value"], at, kept["by"], kept["evidence"]))
        return tuple(metrics)

    @property
    def is_beyond(self) -> bool:
        return self.value is not None and not self.bound.is_kept_by(self.value)

    @property
    def words(self) -> str:
        """«latency p95 is 1,310 ms, the plan says at most 1,200 ms»"""
        if self.value is None:
            return say("{metric} was not measured yet, the plan says {bound}", metric=self.bound.title,
                       bound=self.bound.words)  # fmt: skip
        value = self.bound.shown(self.value)
        return say("{metric} is {value}, the plan says {bound}", metric=self.bound.title, value=value,
                   bound=self.bound.words)  # fmt: skip


def beyond(metrics: Iterable[Metric]) -> list[Blocker]:
    """What holds a step that would begin by itself: figures that have worsened beyond what the plan allows."""
    return [
        Blocker("metric_beyond", say("{fact}.", fact=metric.words), WHERE) for metric in metrics if metric.is_beyond
    ]


def unmeasured(metrics: Iterable[Metric], since: datetime | None) -> list[Blocker]:
    """Figures that nobody has measured since the present step stands: nobody knows what it did to them."""
    return [
        Blocker(
            "metric_unmeasured",
            say("{metric} was not measured since this step stands.", metric=metric.bound.title),
            WHERE,
        )
        for metric in metrics
        if metric.measured_at is None or since is None or metric.measured_at < since
    ]
