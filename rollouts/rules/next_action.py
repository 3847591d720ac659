"""What must happen next in a rollout, and who must do it: the portfolio's last column and the page's main button."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from . import guards
from .checklist import Gate
from .expected import Drift, Presence, difference_in_words, drift
from .facts import PhaseFacts, RolloutFacts
from .machine import SETTLED, PhaseState, Role, RolloutState, state_in_words
from .people import ANYBODY, Person
from .words import say, say_n


class Turn(StrEnum):
    """Whose turn it is, seen by one person."""

    YOURS = "yours"
    OTHERS = "others"
    NOBODYS = "nobodys"


@dataclass(frozen=True, slots=True)
class NextAction:
    """``words`` name the deed («Advance to 25 %»), ``detail`` says why; ``verb`` is empty where no button does it."""

    words: str
    turn: Turn
    detail: str = ""
    verb: str = ""
    phase: str = ""


def next_action(facts: RolloutFacts, person: Person) -> NextAction:
    """The one thing that brings the rollout on, or why nothing does for now."""
    if facts.state in (RolloutState.ABANDONED, RolloutState.CLOSED):
        return NextAction(
            say("Nothing"), Turn.NOBODYS, say("The rollout is {state}.", state=state_in_words(facts.state))
        )
    kind = drift(facts.expected, facts.reading)
    if kind in (Drift.AHEAD, Drift.DIFFERENT, Drift.MISSING):
        planned = difference_in_words(facts.expected, facts.reading)[1]
        return NextAction(
            say("Set the flag back to {planned}", planned=planned),
            _manager(facts, person),
            say("{drift}.", drift=kind.words),
        )
    phase = next((phase for phase in facts.phases if phase.state not in SETTLED), None)
    if phase is None:
        return _clean_up(facts, person)
    return _of_phase(facts, phase, person)


def _clean_up(facts: RolloutFacts, person: Person) -> NextAction:
    if facts.reading.presence is Presence.SET:
        return NextAction(
            say("Remove the flag"), _manager(facts, person), say("from the code, then its record in GitLab")
        )
    return NextAction(say("Close the rollout"), _manager(facts, person), say("the flag is gone"), verb="close")


def _of_phase(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> NextAction:
    match phase.state:
        case PhaseState.PLANNED:
            return _before_start(facts, phase, person)
        case PhaseState.REQUESTED:
            return _decide(facts, phase, person)
        case PhaseState.APPROVED:
            return _start(facts, phase, person)
        case PhaseState.ACTIVE:
            return _go_on(facts, phase, person)
        case PhaseState.PAUSED:
            return NextAction(
                say("Resume {phase}", phase=phase.title), _manager(facts, person), say("paused"), "resume", phase.name
            )
        case _:
            return NextAction(
                say("Try {phase} again", phase=phase.title),
                _manager(facts, person),
                say("rolled back"),
                "retry",
                phase.name,
            )


def _before_start(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> NextAction:
    missing = facts.open_items(phase, Gate.START)
    if not missing:
        turn = _manager(facts, person)
        return NextAction(
            say("Ask for {phase}", phase=phase.title), turn, say("nothing is missing"), "request", phase.name
        )
    first, left = missing[0], len(missing) - 1
    detail = first.verdict.words
    if left:
        detail = say_n("{fact}, and {n} more", "{fact}, and {n} more", left, fact=detail)
    return NextAction(first.title, _manager(facts, person), detail)


def _decide(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> NextAction:
    """Who may decide about a request, and how many more must."""
    request = phase.request
    assert request is not None
    may = not guards.blockers("approve", facts, phase.name, person)
    target, needed = request.target, request.policy.needed
    words = target.words_to_approve(phase.title) if target else say("Approve {title}", title=phase.title)
    detail = say("asked by {who}", who=request.requested_by)
    if needed > 1:
        given = len(request.counting())
        detail = say(
            "asked by {who}, {given} of {needed} approvals", who=request.requested_by, given=given, needed=needed
        )
    return NextAction(words, Turn.YOURS if may else Turn.OTHERS, detail, "approve", phase.name)


def _start(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> NextAction:
    found = guards.blockers("start", facts, phase.name, ANYBODY)
    if found:
        return NextAction(say("Before {phase} starts", phase=phase.title), _manager(facts, person), found[0].message)
    return NextAction(
        say("Start {phase}", phase=phase.title), _manager(facts, person), say("approved"), "start", phase.name
    )


def _go_on(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> NextAction:
    if not facts.is_confirmed:
        read, planned = difference_in_words(facts.expected, facts.reading)
        return NextAction(
            say("Set the flag to {planned}", planned=planned), _manager(facts, person), say("GitLab: {read}", read=read)
        )
    wanted = facts.target(phase)
    if phase.request is not None and not phase.request.is_granted(facts.now):
        return _decide(facts, phase, person)
    verb = "advance" if wanted else "complete"
    found = guards.blockers(verb, facts, phase.name, ANYBODY)
    words = (
        say("Advance to {percentage} %", percentage=wanted.percentage)
        if wanted
        else say("Complete {phase}", phase=phase.title)
    )
    if not found:
        return NextAction(words, _manager(facts, person), say("nothing blocks it"), verb, phase.name)
    if wanted and "approval_missing" in {blocker.code for blocker in found}:
        ask = say("Ask for {percentage} %", percentage=wanted.percentage)
        return NextAction(ask, _manager(facts, person), found[0].message, "request", phase.name)
    if {blocker.code for blocker in found} <= {"soak", "change_lock"}:
        return NextAction(words, Turn.NOBODYS, found[0].message, verb, phase.name)
    return NextAction(words, _manager(facts, person), found[0].message, verb, phase.name)


def _manager(facts: RolloutFacts, person: Person) -> Turn:
    """A manager's turn; where the rollout has owners, theirs."""
    is_mine = not facts.owners or person.name in facts.owners
    return Turn.YOURS if person.has(Role.MANAGER) and is_mine else Turn.OTHERS
