"""The state machine of a phase and of a rollout as data: DESIGN section 4. The FSM methods are declared from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .phrases import Phrase, later, say


class PhaseState(StrEnum):
    PLANNED = "planned"
    REQUESTED = "requested"
    APPROVED = "approved"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    ROLLED_BACK = "rolled_back"


class RolloutState(StrEnum):
    DRAFT = "draft"
    UNDERWAY = "underway"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    ABANDONED = "abandoned"
    CLOSED = "closed"


class Role(StrEnum):
    VIEWER = "viewer"
    MANAGER = "manager"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


P = PhaseState
R = RolloutState
#: States of phases and rollouts, and roles, as sentences say them.
STATE_WORDS: dict[str, Phrase] = {
    P.PLANNED: say("planned"),
    P.REQUESTED: say("requested"),
    P.APPROVED: say("approved"),
    P.ACTIVE: say("active"),
    P.PAUSED: say("paused"),
    P.COMPLETED: say("completed"),
    P.SKIPPED: say("skipped"),
    P.ROLLED_BACK: say("rolled back"),
    R.DRAFT: say("draft"),
    R.UNDERWAY: say("underway"),
    R.ABANDONED: say("abandoned"),
    R.CLOSED: say("closed"),
}
ROLE_WORDS: dict[str, Phrase] = {
    Role.VIEWER: say("viewer"),
    Role.MANAGER: say("manager"),
    Role.APPROVER: say("approver"),
    Role.AUDITOR: say("auditor"),
    Role.ADMIN: say("admin"),
}
#: Several who have a role.
ROLES_WORDS: dict[str, Phrase] = {
    Role.VIEWER: say("viewers"),
    Role.MANAGER: say("managers"),
    Role.APPROVER: say("approvers"),
    Role.AUDITOR: say("auditors"),
    Role.ADMIN: say("admins"),
}


def state_in_words(state: str) -> str:
    """«rolled back»"""
    return STATE_WORDS.get(state, state.replace("_", " "))


#: States in which a phase's exposure is expected in GitLab.
LIVE = frozenset({P.ACTIVE, P.PAUSED, P.COMPLETED})
#: States in which its exposure is not all that it will be.
MOVING = frozenset({P.ACTIVE, P.PAUSED})
#: States in which a phase moves or waits for somebody.
IN_FLIGHT = frozenset({P.REQUESTED, P.APPROVED, P.ACTIVE, P.PAUSED})
#: States after which the next phase may start.
SETTLED = frozenset({P.COMPLETED, P.SKIPPED})
#: A rollout that nothing more will happen to.
OVER = frozenset({R.ABANDONED, R.CLOSED})


@dataclass(frozen=True, slots=True)
class Verb:
    """One transition: from which state to which, who may, and how a button and a sentence name it.

    ``role`` is who may at least; for ``approve`` and ``reject`` the approval policy (``Policy``) says more.
    """

    name: str
    moves: Mapping[str, str]
    role: Role
    label: str
    past: str
    needs_reason: bool = False
    overridable: bool = False

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(self.moves)

    def did(self, what: object) -> Phrase:
        """«started All users»"""
        return say(self.past, what=what)


#: While a phase is active its next step may need a request of its own: asking and answering leave it active.
STEP: dict[str, str] = {P.ACTIVE: P.ACTIVE}


def _by_name(*verbs: Verb) -> dict[str, Verb]:
    return {verb.name: verb for verb in verbs}


PHASE_VERBS: dict[str, Verb] = _by_name(
    Verb("request", {P.PLANNED: P.REQUESTED, **STEP}, Role.MANAGER, say("Ask for approval"), later("asked for {what}")),
    Verb("approve", {P.REQUESTED: P.APPROVED, **STEP}, Role.APPROVER, say("Approve"), later("approved {what}")),
    Verb(
        "reject",
        {P.REQUESTED: P.PLANNED, **STEP},
        Role.APPROVER,
        say("Reject"),
        later("rejected {what}"),
        needs_reason=True,
    ),
    Verb(
        "withdraw",
        {P.REQUESTED: P.PLANNED, P.APPROVED: P.PLANNED, **STEP},
        Role.MANAGER,
        say("Withdraw"),
        later("withdrew {what}"),
    ),
    Verb("start", {P.APPROVED: P.ACTIVE}, Role.MANAGER, say("Start"), later("started {what}"), overridable=True),
    Verb("advance", STEP, Role.MANAGER, say("Advance"), later("advanced {what}"), overridable=True),
    Verb("pause", {P.ACTIVE: P.PAUSED}, Role.MANAGER, say("Pause"), later("paused {what}")),
    Verb("resume", {P.PAUSED: P.ACTIVE}, Role.MANAGER, say("Resume"), later("resumed {what}")),
    Verb("complete", {P.ACTIVE: P.COMPLETED}, Role.MANAGER, say("Complete"), later("completed {what}")),
    Verb("skip", {P.PLANNED: P.SKIPPED}, Role.MANAGER, say("Skip"), later("skipped {what}"), needs_reason=True),
    Verb(
        "roll_back",
        {P.ACTIVE: P.ROLLED_BACK, P.PAUSED: P.ROLLED_BACK, P.COMPLETED: P.ROLLED_BACK},
        Role.MANAGER,
        say("Roll back"),
        later("rolled back {what}"),
        needs_reason=True,
    ),
    Verb(
        "retry",
        {P.ROLLED_BACK: P.ROLLED_BACK},
        Role.MANAGER,
        say("Try again"),
        later("planned another attempt of {what}"),
    ),
)
#: What brings a rollout on: of these one stands out.
LEADS_ON = frozenset({"approve", "start", "advance", "complete", "request", "resume", "retry"})
#: What nobody presses: a request that outlives its time, an approval that no longer stands.
BY_ITSELF: dict[str, Mapping[str, str]] = {
    "expire": {P.REQUESTED: P.PLANNED, P.APPROVED: P.PLANNED, **STEP},
    "lapse": {P.APPROVED: P.REQUESTED, **STEP},
}

ROLLOUT_VERBS: dict[str, Verb] = _by_name(
    Verb(
        "abandon",
        {R.DRAFT: R.ABANDONED, R.UNDERWAY: R.ABANDONED, R.ROLLED_BACK: R.ABANDONED},
        Role.MANAGER,
        say("Abandon"),
        later("abandoned {what}"),
        needs_reason=True,
    ),
    Verb("close", {R.COMPLETED: R.CLOSED}, Role.MANAGER, say("Close"), later("closed {what}")),
)


def rollout_state(phases: list[tuple[str, bool]]) -> RolloutState:
    """What a rollout's state is by its phases' newest attempts: pairs of state and whether it was ever started.

    Draft until something starts; underway while any audience is live or yet to come; rolled back when
    nothing is live any more after a roll back; completed when every phase is completed or skipped.
    ``abandoned`` and ``closed`` come from their own transitions, not from here.
    """
    states = [state for state, _ in phases]
    if states and all(state in SETTLED for state in states) and P.COMPLETED in states:
        return R.COMPLETED
    if any(state in LIVE for state in states):
        return R.UNDERWAY
    if any(state == P.ROLLED_BACK for state in states):
        return R.ROLLED_BACK
    return R.UNDERWAY if any(started for _, started in phases) else R.DRAFT
