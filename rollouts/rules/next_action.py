"""What must happen next in a rollout, and who must do it: the portfolio's last column and the page's main button."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from . import guards, ordering
from .approvals import RequestFacts
from .checklist import Gate
from .datetimes import day_and_clock
from .expected import Drift, Presence, difference_in_words
from .facts import PhaseFacts, RolloutFacts
from .health import is_accepted
from .machine import PhaseState, Role, state_in_words
from .people import ANYBODY, Person
from .phrases import any_of, say, say_n

ROLE_WORDS = {
    Role.VIEWER: say("a viewer"),
    Role.MANAGER: say("a manager"),
    Role.APPROVER: say("an approver"),
    Role.AUDITOR: say("an auditor"),
    Role.ADMIN: say("an admin"),
}


@dataclass(frozen=True, slots=True)
class Waits:
    """For whom the next thing waits: who has one of the roles or groups. An admin has every role.

    ``only`` those of them who are named, where anybody is; ``never`` those.
    """

    roles: frozenset[Role] = frozenset({Role.MANAGER})
    groups: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()

    @property
    def words(self) -> str:
        """«mia», «mia or kim», «an approver», «an approver or the group release»."""
        if self.only:
            return any_of(sorted(self.only))
        roles = [ROLE_WORDS[role] for role in sorted(self.roles)]
        return any_of([*roles, *(say("the group {name}", name=name) for name in sorted(self.groups))])

    def admits(self, person: Person) -> bool:
        fits = Role.ADMIN in person.roles or bool(person.roles & self.roles or person.groups & self.groups)
        return (
            fits
            and (not self.only or person.is_named(self.only))
            and not self.never.intersection((person.identity, *person.twins))
        )


@dataclass(frozen=True, slots=True)
class NextAction:
    """``words`` name what to do («Advance to 25 %»), ``detail`` says why; ``verb`` is empty where no button does it.

    ``waits`` says for whom, None where only time brings it on; ``until`` is when it can, where a soak alone is left.
    """

    words: str
    waits: Waits | None
    detail: str = ""
    verb: str = ""
    phase: str = ""
    until: datetime | None = None


def next_action(facts: RolloutFacts) -> NextAction:
    """The one thing that brings the rollout on, or why nothing does for now."""
    if facts.is_over:
        return NextAction(say("Nothing"), None, say("The rollout is {state}.", state=state_in_words(facts.state)))
    kind = facts.drift
    phase = facts.current
    # Until GitLab has followed a start or step, fewer people is waiting; when all phases are done, it is drift.
    if kind in (Drift.AHEAD, Drift.DIFFERENT, Drift.MISSING) or (kind is Drift.BEHIND and phase is None):
        if is_accepted(facts):
            until = day_and_clock(facts.accepted_until) if facts.accepted_until else ""
            return NextAction(say("Nothing until {at} UTC", at=until), None, say("the drift is accepted"))
        planned = difference_in_words(facts.expected, facts.reading)[1]
        return NextAction(
            say("Set the flag back to {planned}", planned=planned),
            _manager(facts),
            say("{drift}.", drift=kind.words),
        )
    if phase is None:
        return _clean_up(facts)
    return _of_phase(facts, phase)


def _clean_up(facts: RolloutFacts) -> NextAction:
    if facts.reading.presence is Presence.SET:
        return NextAction(say("Remove the flag"), _manager(facts), say("from the code, then its record in GitLab"))
    return NextAction(say("Close the rollout"), _manager(facts), say("the flag is gone"), verb="close")


def _of_phase(facts: RolloutFacts, phase: PhaseFacts) -> NextAction:
    match phase.state:
        case PhaseState.PLANNED:
            return _before_start(facts, phase)
        case PhaseState.REQUESTED:
            return _decide(facts, phase)
        case PhaseState.APPROVED:
            return _start(facts, phase)
        case PhaseState.ACTIVE:
            return _go_on(facts, phase)
        case PhaseState.PAUSED:
            return NextAction(
                say("Resume {phase}", phase=phase.title), _manager(facts), say("paused"), "resume", phase.name
            )
        case _:
            return NextAction(
                say("Try {phase} again", phase=phase.title),
                _manager(facts),
                say("rolled back"),
                "retry",
                phase.name,
            )


def _before_start(facts: RolloutFacts, phase: PhaseFacts) -> NextAction:
    missing = facts.open_items(phase, Gate.START)
    if not missing:
        turn = _manager(facts)
        return NextAction(
            say("Ask for {phase}", phase=phase.title), turn, say("nothing is missing"), "request", phase.name
        )
    first, left = missing[0], len(missing) - 1
    detail = first.verdict.words
    if left:
        detail = say_n("{fact}, and {n} more", "{fact}, and {n} more", left, fact=detail)
    return NextAction(say("Still open: {item}", item=first.title), _manager(facts), detail)


def _decide(facts: RolloutFacts, phase: PhaseFacts) -> NextAction:
    """Who may decide about a request, and how many more must."""
    request = phase.request
    assert request is not None
    target, needed = request.target, request.policy.needed
    words = target.words_to_approve(phase.title) if target else say("Approve {title}", title=phase.title)
    detail = say("asked by {who}", who=request.requested_by)
    if needed > 1:
        given = len(request.counting())
        detail = say(
            "asked by {who}, {given} of {needed} approvals", who=request.requested_by, given=given, needed=needed
        )
    return NextAction(words, _approver(request, facts.now), detail, "approve", phase.name)


def _start(facts: RolloutFacts, phase: PhaseFacts) -> NextAction:
    blockers = guards.blockers("start", facts, phase.name, ANYBODY)
    if blockers:
        return NextAction(say("Before {phase} starts", phase=phase.title), _manager(facts), blockers[0].message)
    return NextAction(say("Start {phase}", phase=phase.title), _manager(facts), say("approved"), "start", phase.name)


def _go_on(facts: RolloutFacts, phase: PhaseFacts) -> NextAction:
    if not facts.is_confirmed:
        read, planned = difference_in_words(facts.expected, facts.reading)
        return NextAction(
            say("Set the flag to {planned}", planned=planned), _manager(facts), say("GitLab: {read}", read=read)
        )
    wanted = facts.target(phase)
    if phase.request is not None and not phase.request.is_granted(facts.now):
        return _decide(facts, phase)
    verb = "advance" if wanted else "complete"
    blockers = guards.blockers(verb, facts, phase.name, ANYBODY)
    words = (
        say("Advance to {percentage} %", percentage=wanted.percentage)
        if wanted
        else say("Complete {phase}", phase=phase.title)
    )
    if not blockers:
        return NextAction(words, _manager(facts), say("nothing blocks it"), verb, phase.name)
    if wanted and "approval_missing" in {blocker.code for blocker in blockers}:
        ask = say("Ask for {percentage} %", percentage=wanted.percentage)
        return NextAction(ask, _manager(facts), blockers[0].message, "request", phase.name)
    if {blocker.code for blocker in blockers} <= {"soak", "change_lock", *ordering.CODES}:
        until = phase.soaked_at if len(blockers) == 1 and blockers[0].code == "soak" else None
        return NextAction(words, None, blockers[0].message, verb, phase.name, until)
    return NextAction(words, _manager(facts), blockers[0].message, verb, phase.name)


def _approver(request: RequestFacts, now: datetime) -> Waits | None:
    """Who may approve a request now; nobody where it has expired or changed: then it is settled first."""
    if request.is_expired(now) or request.digest != request.stands:
        return None
    policy = request.policy
    never = {one.by for one in request.given if one.digest == request.stands}
    never |= set() if policy.requester_may else {request.requested_by}
    never |= set() if policy.author_may else request.authors
    return Waits(policy.roles, policy.groups, never=frozenset(never))


def _manager(facts: RolloutFacts) -> Waits:
    """A manager's turn; where the rollout has owners, theirs."""
    return Waits(only=frozenset(facts.owners))
