"""What the plan and the phases' states say that the flag should be now, and how GitLab stands to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from .exposure import EVERYONE, NOBODY, Comparison, Exposure, apart, compare
from .machine import LIVE
from .percentages import as_percentage
from .phrases import Phrase, say
from .ramp import Ramp


class Audience(StrEnum):
    """How a phase lets people in."""

    ACTORS = "actors"
    GROUPS = "groups"
    PERCENTAGE = "percentage"
    ALL_AT_ONCE = "all_at_once"


AUDIENCE_WORDS: dict[Audience, Phrase] = {
    Audience.ACTORS: say("actors"),
    Audience.GROUPS: say("groups"),
    Audience.PERCENTAGE: say("percentage"),
    Audience.ALL_AT_ONCE: say("all at once"),
}


class Presence(StrEnum):
    """What GitLab says of a flag; a flag that it does not list is never simply *off* (DESIGN section 3)."""

    UNREAD = "unread"
    SET = "set"
    UNSET_OFF = "unset_off"
    UNSET_ON = "unset_on"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        return {
            "unread": say("not read yet"),
            "set": say("set"),
            "unset_off": say("unset (default off)"),
            "unset_on": say("unset (default on)"),
            "unknown": say("unknown to GitLab"),
        }[self.value]


class Drift(StrEnum):
    """Expected exposure and the latest reading differ."""

    NONE = "none"
    AHEAD = "ahead"
    BEHIND = "behind"
    DIFFERENT = "different"
    MISSING = "missing"

    @property
    def words(self) -> str:
        return {
            "none": say("As planned"),
            "ahead": say("More people see the model than approved"),
            "behind": say("Fewer people see the model than planned"),
            "different": say("Other people see the model than planned"),
            "missing": say("GitLab does not know the flag"),
        }[self.value]


@dataclass(frozen=True, slots=True)
class Opening:
    """What one phase opens: its gates when it is whole, and where on its ramp it stands."""

    state: str
    audience: Audience
    actors: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    ramp: Ramp | None = None
    step: Decimal | None = None

    @property
    def exposure(self) -> Exposure:
        """The gates that this phase adds while it stands at its present step."""
        return self.at(self.step)

    def at(self, step: Decimal | None) -> Exposure:
        """The gates that this phase adds at a step of its ramp (which only percentages have)."""
        match self.audience:
            case Audience.ACTORS:
                return Exposure(actors=self.actors)
            case Audience.GROUPS:
                return Exposure(groups=self.groups)
            case Audience.ALL_AT_ONCE:
                return EVERYONE
            case Audience.PERCENTAGE:
                return Exposure(percentage_of_actors=as_percentage(step or 0, "step"))

    @property
    def first_step(self) -> Decimal | None:
        return self.ramp.first.percentage if self.ramp and self.audience is Audience.PERCENTAGE else None

    def reach_at(self, step: Decimal | None) -> Decimal:
        """The share of all actors that is surely in at a step, 0 to 1: named people and groups count as few."""
        return self.at(step).least_reach


def expected_exposure(openings: Iterable[Opening]) -> Exposure:
    """The sum of what the live phases open; a completed phase's exposure stays until it is rolled back."""
    whole = NOBODY
    for opening in openings:
        if opening.state in LIVE:
            whole = whole.plus(opening.exposure)
    return replace(EVERYONE, actors=whole.opt_outs) if whole.boolean else whole


@dataclass(frozen=True, slots=True)
class FlagReading:
    """The newest reading of a flag. ``since`` is when GitLab was first read so, ``read_at`` when it was last."""

    presence: Presence
    exposure: Exposure | None
    since: datetime | None
    read_at: datetime | None

    @property
    def words(self) -> str:
        """What GitLab says: «25 % of actors», «unset (default off)», «unknown to GitLab»."""
        if self.presence is Presence.SET and self.exposure is not None:
            return self.exposure.words
        return self.presence.words


def drift(expected: Exposure, reading: FlagReading) -> Drift:
    """How the latest reading stands to what is expected. Nothing is said of a flag that was never read."""
    if reading.presence is Presence.UNREAD:
        return Drift.NONE
    if reading.presence is Presence.UNKNOWN or reading.exposure is None:
        return Drift.NONE if expected.is_nobody else Drift.MISSING
    match compare(expected, reading.exposure):
        case Comparison.SAME:
            return Drift.NONE
        case Comparison.WIDER:
            return Drift.AHEAD
        case Comparison.NARROWER:
            return Drift.BEHIND
        case Comparison.DIFFERENT:
            return Drift.DIFFERENT


def drift_in_words(kind: Drift, expected: Exposure, reading: FlagReading) -> str:
    """«GitLab: 50 % of actors. Plan: 25 % of actors. More people see the model than approved.»"""
    read, planned = difference_in_words(expected, reading)
    return say("GitLab: {read}. Plan: {planned}. {drift}.", read=read, planned=planned, drift=kind.words)


def difference_in_words(expected: Exposure, reading: FlagReading) -> tuple[str, str]:
    """What GitLab says and what the plan says, without what both say."""
    if reading.presence is not Presence.SET or reading.exposure is None:
        return reading.words, expected.words
    read, planned = apart(reading.exposure, expected)
    nothing = say("nobody else") if not expected.is_nobody and not reading.exposure.is_nobody else say("nobody")
    return (nothing if read.is_nobody else read.words), (nothing if planned.is_nobody else planned.words)
