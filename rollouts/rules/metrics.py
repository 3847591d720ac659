"""Guard metrics: figures that the plan bounds (guide, G14). A step that begins by itself waits while one is beyond.

Whoever measures (a person, a monitor) tells the portal each value, or it is read from a Prometheus server. What is
bounded may be the figure itself or what it is beside the baseline's. A person may advance against a figure; the ramp
that runs itself may not, nor while nobody knows the figure since the present step stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .blockers import Blocker, in_words
from .durations import parse_duration
from .machine import PhaseState
from .phrases import Phrase, joined, say, say_n, unpacked

WHERE = "#metrics"
Number = int | float


class Deed(StrEnum):
    """What a figure that stays beyond does: the ramp waits, or the phase is paused, or rolled back. Mildest first."""

    HOLD = "hold"
    PAUSE = "pause"
    ROLL_BACK = "roll_back"

    @property
    def words(self) -> Phrase:
        return _DEEDS[self]

    def at_most(self, other: Deed) -> Deed:
        """The milder of both."""
        order = list(Deed)
        return min(self, other, key=order.index)


_DEEDS = {
    Deed.HOLD: say("the ramp waits"),
    Deed.PAUSE: say("the phase is paused"),
    Deed.ROLL_BACK: say("the phase is rolled back"),
}


class Outcome(StrEnum):
    """How a figure stands. What is not known is no good news and no bad: it holds, and never acts."""

    KEPT = "kept"
    BEYOND = "beyond"
    NO_DATA = "no_data"
    TOO_FEW = "too_few"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Bound:
    """What a plan says of one figure: at most so much, at least so much, or so much per cent beside the baseline.

    ``query`` and ``baseline_query`` are PromQL; without them the figure is told. What counts is the mean over
    ``window`` (a written duration; empty: the newest value) of ``samples`` values at least. Beyond for ``hurt_for``, it
    does ``then``.
    """

    name: str
    unit: str = ""
    at_most: Number | None = None
    at_least: Number | None = None
    above_baseline: Number | None = None
    below_baseline: Number | None = None
    query: str = ""
    baseline_query: str = ""
    window: str = ""
    samples: int = 1
    hurt_for: str = ""
    then: str = Deed.HOLD.value

    @property
    def title(self) -> str:
        """«latency p95»"""
        return self.name.replace("_", " ")

    @property
    def words(self) -> str:
        """«at most 1,200 ms, at most 5 % above the baseline»"""
        return joined(self._limits, ", ")

    @property
    def _limits(self) -> list[Phrase]:
        messages = [say("at least {value}", value=self.shown(self.at_least))] if self.at_least is not None else []
        messages += [say("at most {value}", value=self.shown(self.at_most))] if self.at_most is not None else []
        if self.above_baseline is not None:
            messages.append(say("at most {n} % above the baseline", n=self.above_baseline))
        if self.below_baseline is not None:
            messages.append(say("at most {n} % below the baseline", n=self.below_baseline))
        return messages

    @property
    def rule_words(self) -> Phrase:
        """«at most 1,200 ms, over 15 min, from 5 values at least; beyond for 10 min: the phase is paused»"""
        how = [*self._limits]
        if self.window:
            how.append(say("over {length}", length=in_words(self.window_length)))
        if self.samples > 1:
            how.append(say("from {n} values at least", n=self.samples))
        if self.deed is Deed.HOLD:
            return joined(how, ", ")
        return say("{rule}; beyond for {length}: {deed}", rule=joined(how, ", "),
                   length=in_words(self.hurting), deed=self.deed.words)  # fmt: skip

    @property
    def deed(self) -> Deed:
        return Deed(self.then)

    @property
    def window_length(self) -> timedelta:
        return parse_duration(self.window) if self.window else timedelta(0)

    @property
    def hurting(self) -> timedelta:
        """For how long it must be beyond before it acts."""
        return parse_duration(self.hurt_for) if self.hurt_for else timedelta(0)

    @property
    def is_beside(self) -> bool:
        """Whether it is compared with the baseline."""
        return self.above_baseline is not None or self.below_baseline is not None

    def shown(self, value: Number) -> Phrase:
        return joined([say("{n}", n=tidy(value)), self.unit])

    def is_kept_by(self, value: Number, baseline: Number | None = None) -> bool:
        """Without a baseline only what bounds the figure itself is judged."""
        if (self.at_most is not None and value > self.at_most) or (self.at_least is not None and value < self.at_least):
            return False
        if baseline is None:
            return True
        part = abs(baseline) / 100
        too_high = self.above_baseline is not None and value > baseline + self.above_baseline * part
        too_low = self.below_baseline is not None and value < baseline - self.below_baseline * part
        return not (too_high or too_low)

    def as_dict(self) -> dict[str, Any]:
        """As a plan writes it, below its name: what is as usual is left out."""
        usual = Bound(self.name)
        names = (name for name in self.__slots__ if name != "name")
        return {name: value for name in names if (value := getattr(self, name)) != getattr(usual, name)}

    @classmethod
    def all_from(cls, stored: Mapping[str, Mapping[str, Any]]) -> tuple[Bound, ...]:
        return tuple(cls(name, **bounds) for name, bounds in stored.items())


def tidy(value: Number) -> Number:
    """A figure as a person reads it: a mean has no more digits than say something."""
    if isinstance(value, int) or float(value).is_integer():
        return int(value)
    return float(f"{value:.4g}") if abs(value) < 1000 else round(value, 1)


@dataclass(frozen=True, slots=True)
class Metric:
    """A bounded figure as it stands: ``value`` and ``baseline`` over the plan's window, ``measured_at`` the newest.

    ``count`` values were in the window; ``hurt_since`` and ``hurt_until`` are the first and the last of the values in a
    row that were beyond. ``trouble`` says why it could not be read.
    """

    bound: Bound
    value: Number | None = None
    measured_at: datetime | None = None
    measured_by: str = ""
    evidence: str = ""
    baseline: Number | None = None
    count: int = 0
    hurt_since: datetime | None = None
    hurt_until: datetime | None = None
    trouble: str = ""

    @classmethod
    def all_from(
        cls,
        bounds: Mapping[str, Mapping[str, Any]],
        measured: Mapping[str, Mapping[str, Any]],
        judged: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> tuple[Metric, ...]:
        """What the plan bounds, each with its newest value (``measured``: who told it last) or as it was ``judged``."""
        return tuple(_metric(bound, measured.get(bound.name), (judged or {}).get(bound.name))
                     for bound in Bound.all_from(bounds))  # fmt: skip

    @property
    def outcome(self) -> Outcome:
        if self.trouble:
            return Outcome.UNREAD
        if self.value is None:
            return Outcome.NO_DATA
        if self.count < self.bound.samples or (self.bound.is_beside and self.baseline is None):
            return Outcome.TOO_FEW
        return Outcome.KEPT if self.bound.is_kept_by(self.value, self.baseline) else Outcome.BEYOND

    @property
    def is_beyond(self) -> bool:
        return self.outcome is Outcome.BEYOND

    @property
    def is_known(self) -> bool:
        return self.outcome in (Outcome.KEPT, Outcome.BEYOND)

    @property
    def hurt(self) -> timedelta:
        """For how long it was measured to be beyond, without a gap."""
        if not self.is_beyond or self.hurt_since is None or self.hurt_until is None:
            return timedelta(0)
        return self.hurt_until - self.hurt_since

    @property
    def hurt_words(self) -> Phrase:
        return in_words(self.hurt)

    @property
    def acts(self) -> Deed:
        """What it does now: nothing but hold before it has hurt for as long as the plan says."""
        is_due = self.is_beyond and self.hurt_since is not None and self.hurt >= self.bound.hurting
        return self.bound.deed if is_due else Deed.HOLD

    @property
    def words(self) -> str:
        """«latency p95 is 1,310 ms, the plan says at most 1,200 ms»"""
        metric, bound = self.bound.title, self.bound.words
        if self.trouble:
            return say("{metric} could not be read: {why} The plan says {bound}", metric=metric, why=self.trouble,
                       bound=bound)  # fmt: skip
        if self.value is None:
            return say("{metric} was not measured yet, the plan says {bound}", metric=metric, bound=bound)
        value = self.bound.shown(self.value)
        if self.bound.is_beside and self.baseline is None:
            return say("{metric} is {value}, and the baseline is not known, the plan says {bound}", metric=metric,
                       value=value, bound=bound)  # fmt: skip
        if self.count < self.bound.samples:
            return say("{metric} is {value} by {found}, the plan asks for {needed} at least", metric=metric,
                       value=value, found=_values(self.count), needed=self.bound.samples)  # fmt: skip
        if self.baseline is not None:
            return say("{metric} is {value}, the baseline {baseline}, the plan says {bound}", metric=metric,
                       value=value, baseline=self.bound.shown(self.baseline), bound=bound)  # fmt: skip
        return say("{metric} is {value}, the plan says {bound}", metric=metric, value=value, bound=bound)

    @property
    def words_of_acting(self) -> Phrase:
        """What it saw, for whoever reads why the portal acted."""
        return say("{fact}, for {length} by now ({found})", fact=self.words, length=self.hurt_words,
                   found=_values(self.count))  # fmt: skip

    def seen(self) -> dict[str, Any]:
        """The values that it acts by, for the event."""
        return {
            "value": self.value, "baseline": self.baseline, "values": self.count,
            "beyond_since": self.hurt_since.isoformat() if self.hurt_since else None,
            "measured_at": self.measured_at.isoformat() if self.measured_at else None,
            "plan": self.bound.as_dict(),
        }  # fmt: skip


def _values(count: int) -> Phrase:
    return say_n("{n} value", "{n} values", n=count)


def _metric(bound: Bound, told: Mapping[str, Any] | None, judged: Mapping[str, Any] | None) -> Metric:
    """Of one that is told, who told it last stands beside what was judged; without a judgement that is all there is."""
    if judged is None:
        if told is None or bound.query:
            return Metric(bound)
        at = datetime.fromisoformat(told["at"])
        return Metric(bound, told["value"], at, told["by"], told["evidence"], told.get("baseline"), count=1)
    told = told if told is not None and not bound.query else {}
    newest, since, until = (judged.get(name) for name in ("at", "hurt_since", "hurt_until"))
    return Metric(
        bound,
        judged.get("value"),
        datetime.fromisoformat(newest) if newest else None,
        "Prometheus" if bound.query else told.get("by", ""),
        told.get("evidence", ""),
        judged.get("baseline"),
        judged.get("count", 0),
        datetime.fromisoformat(since) if since else None,
        datetime.fromisoformat(until) if until else None,
        unpacked(judged["trouble"]) if judged.get("trouble") else "",
    )


def beyond(metrics: Iterable[Metric]) -> list[Blocker]:
    """What holds a step that would begin by itself: figures that have worsened beyond what the plan allows."""
    return [
        Blocker("metric_beyond", say("{fact}.", fact=metric.words), WHERE) for metric in metrics if metric.is_beyond
    ]


def unmeasured(metrics: Iterable[Metric], since: datetime | None) -> list[Blocker]:
    """Figures that nobody knows since the present step stands: nobody knows what it did to them."""
    blockers = []
    for metric in metrics:
        if metric.trouble or (metric.value is not None and not metric.is_known):
            blockers.append(Blocker("metric_unknown", say("{fact}.", fact=metric.words), WHERE))
        elif metric.measured_at is None or since is None or metric.measured_at < since:
            message = say("{metric} was not measured since this step stands.", metric=metric.bound.title)
            blockers.append(Blocker("metric_unmeasured", message, WHERE))
    return blockers


@dataclass(frozen=True, slots=True)
class Acting:
    """What the portal does by itself, and the figures that made it."""

    deed: Deed
    by: tuple[Metric, ...]

    @property
    def words(self) -> Phrase:
        return say("{facts}.", facts=joined([metric.words_of_acting for metric in self.by], "; "))


def acting(metrics: Iterable[Metric], state: str, allowed: Deed) -> Acting | None:
    """What is to be done now to a phase in this state, at most what the template allows; None for nothing.

    Who is let in stays in while a phase is paused: a paused one may still be rolled back.
    """
    due = {metric: metric.acts.at_most(allowed) for metric in metrics}
    for deed, states in ((Deed.ROLL_BACK, (PhaseState.ACTIVE, PhaseState.PAUSED)), (Deed.PAUSE, (PhaseState.ACTIVE,))):
        reasons = tuple(metric for metric, does in due.items() if does is deed)
        if reasons and state in states:
            return Acting(deed, reasons)
    return None


def blockers_of_acting(metrics: Iterable[Metric], state: str, allowed: Deed, deed: str) -> list[Blocker]:
    """Why the portal itself may not do this: looked at again under the lock, for a figure may have mended."""
    found = acting(metrics, state, allowed)
    if found is not None and found.deed == deed:
        return []
    return [Blocker("metric_kept", say("No guard metric asks for it any more."), WHERE)]
