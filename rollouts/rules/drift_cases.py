"""Drift as cases: in which ways GitLab stands elsewhere than the plan, each of which somebody answers.

``rules.expected.drift`` says whether more, fewer or other people are in. A case says what for: so its answer can be
looked for. Sources: GitLab doc/api/features.md, lib/feature.rb (gates add up; boolean on hides all others; what is
unset follows ``default_enabled``); doc/development/feature_flags/controls.md (one kind of gate, rising by steps).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from .expected import Drift, FlagReading, Presence, drift
from .exposure import Exposure
from .phrases import Phrase, say

if TYPE_CHECKING:  # models know the words of cases, and nothing of facts
    from .facts import RolloutFacts


class DriftClass(StrEnum):
    """In the order in which a page tells them."""

    MISSING = "missing"
    DEFAULT_ON = "default_on"
    BOOLEAN = "boolean"
    WRONG_GATE = "wrong_gate"
    FOREIGN_ACTOR = "foreign_actor"
    AHEAD = "ahead"
    BEHIND = "behind"
    REOPENED = "reopened"


D = DriftClass
CLASS_WORDS: dict[DriftClass, Phrase] = {
    D.MISSING: say("flag missing"),
    D.DEFAULT_ON: say("default on"),
    D.BOOLEAN: say("boolean hides gates"),
    D.WRONG_GATE: say("wrong kind of gate"),
    D.FOREIGN_ACTOR: say("foreign actor"),
    D.AHEAD: say("ahead"),
    D.BEHIND: say("behind"),
    D.REOPENED: say("issue reopened"),
}
CLASS_HELP: dict[DriftClass, Phrase] = {
    D.MISSING: say("GitLab does not know the flag."),
    D.DEFAULT_ON: say("Nobody has set the flag, and its definition says that it is on for everyone."),
    D.BOOLEAN: say("The flag is on for everyone, whatever other gates say."),
    D.WRONG_GATE: say("A kind of gate is open that the plan does not use."),
    D.FOREIGN_ACTOR: say("Somebody is let in by name whom the plan does not name."),
    D.AHEAD: say("More people see the model than approved."),
    D.BEHIND: say("Fewer people see the model than planned."),
    D.REOPENED: say("An issue that had to be closed is open again."),
}
#: Of a flag they let in people whom the plan does not.
LETS_MORE_IN = frozenset({D.DEFAULT_ON, D.BOOLEAN, D.WRONG_GATE, D.FOREIGN_ACTOR, D.AHEAD})


class CaseState(StrEnum):
    OPEN = "open"
    ENDED = "ended"


CASE_STATE_WORDS: dict[CaseState, Phrase] = {CaseState.OPEN: say("open"), CaseState.ENDED: say("ended")}


class Ending(StrEnum):
    """How a case ended."""

    ITSELF = "itself"
    RESTORED = "restored"
    ADOPTED = "adopted"
    OVER = "over"


ENDING_WORDS: dict[Ending, Phrase] = {
    Ending.ITSELF: say("by itself"),
    Ending.RESTORED: say("restored"),
    Ending.ADOPTED: say("adopted"),
    Ending.OVER: say("the rollout is over"),
}


class Answer(StrEnum):
    """What somebody does about a case."""

    RESTORE = "restore"
    ADOPT = "adopt"
    ACCEPT = "accept"


ANSWER_WORDS: dict[Answer, Phrase] = {
    Answer.RESTORE: say("Restore"),
    Answer.ADOPT: say("Adopt"),
    Answer.ACCEPT: say("Accept"),
}
ANSWER_HELP: dict[Answer, Phrase] = {
    Answer.RESTORE: say("The flag goes back to where the plan is."),
    Answer.ADOPT: say("The plan takes over what GitLab has, once somebody else agrees."),
    Answer.ACCEPT: say("It stands for a while, once somebody else agrees. Nobody more is let in meanwhile."),
}
#: What changes a case by itself; what is accepted hangs on its waiver.
KEPT_ANSWERS = (Answer.RESTORE, Answer.ADOPT)
#: So long drift may be let stand, and an adoption may wait for its answer.
LONGEST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Found:
    """One way in which GitLab stands elsewhere; ``what`` names whom or what, as far as it has names."""

    kind: DriftClass
    what: tuple[str, ...] = ()


def classify(facts: RolloutFacts) -> tuple[Found, ...]:
    """Every way in which GitLab stands elsewhere than the plan by the newest reading, one of each class at most."""
    if facts.is_over:
        return ()
    of_flag = of_flag_at(facts.expected, facts.reading) if facts.drift is not Drift.NONE else ()
    reopened = tuple(item.title for item in facts.items if item.is_reopened)
    return (*of_flag, Found(D.REOPENED, reopened)) if reopened else of_flag


def of_flag_at(expected: Exposure, reading: FlagReading) -> tuple[Found, ...]:
    """The classes behind ``rules.expected.drift``: some exactly where that says that there is drift."""
    read = reading.exposure
    match drift(expected, reading):
        case Drift.NONE:
            return ()
        case Drift.MISSING:
            return (Found(D.MISSING),)
    assert read is not None
    found = {each.kind: each for each in _of_gates(expected, read, reading.presence)}
    return tuple(found[kind] for kind in DriftClass if kind in found)


def _of_gates(expected: Exposure, read: Exposure, presence: Presence) -> Iterator[Found]:
    if expected.opt_outs - read.opt_outs:  # an opt-out less is a person more
        yield Found(D.AHEAD)
    if read.opt_outs - expected.opt_outs:
        yield Found(D.BEHIND)
    if expected.lets_all_in or read.lets_all_in:
        if not expected.lets_all_in:
            yield Found(_of_everybody(read, presence))
        if not read.lets_all_in:
            yield Found(D.BEHIND)
        return
    if strange := _strange_gates(expected, read):
        yield Found(D.WRONG_GATE, strange)
    if foreign := sorted((read.named_actors - expected.named_actors) | (read.groups - expected.groups)):
        yield Found(D.FOREIGN_ACTOR, tuple(foreign))
    if read.percentage_of_actors > expected.percentage_of_actors:
        yield Found(D.AHEAD)
    if (
        read.percentage_of_actors < expected.percentage_of_actors
        or read.percentage_of_time < expected.percentage_of_time
        or expected.named_actors - read.named_actors
        or expected.groups - read.groups
        or expected.unknown_gates - read.unknown_gates
    ):
        yield Found(D.BEHIND)


def _of_everybody(read: Exposure, presence: Presence) -> DriftClass:
    if presence is Presence.UNSET_ON:
        return D.DEFAULT_ON
    return D.BOOLEAN if read.boolean else D.AHEAD


def _strange_gates(expected: Exposure, read: Exposure) -> tuple[str, ...]:
    """Kinds of gates that a plan does not open: a share of time, and what the portal does not know."""
    time = ("percentage_of_time",) if read.percentage_of_time > expected.percentage_of_time else ()
    return (*time, *sorted(read.unknown_gates - expected.unknown_gates))
