"""The state machine of a phase and of a rollout as data: DESIGN section 4. The FSM methods are declared from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    ADMIN = "admin"


P = PhaseState
#: States in which a phase's exposure is expected in GitLab.
LIVE = frozenset({P.ACTIVE, P.PAUSED, P.COMPLETED})
#: States in which a phase moves or waits for somebody.
IN_FLIGHT = frozenset({P.REQUESTED, P.APPROVED, P.ACTIVE, P.PAUSED})
#: States after which the next phase may start.
SETTLED = frozenset({P.COMPLETED, P.SKIPPED})


@dataclass(frozen=True, slots=True)
class Verb:
    """One transition: from which states, to which, who may, and how a button and a sentence name it."""

    name: str
    sources: frozenset[str]
    target: str
    role: Role
    label: str
    past: str
    needs_reason: bool = False
    overridable: bool = False


def _verb(name: str, sources: set[str], target: str, role: Role, label: str, past: str, **more: bool) -> Verb:
    return Verb(name, frozenset(sources), target, role, label, past, **more)


PHASE_VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        _verb("request", {P.PLANNED}, P.REQUESTED, Role.MANAGER, "Ask for approval", "asked for"),
        _verb("approve", {P.REQUESTED}, P.APPROVED, Role.APPROVER, "Approve", "approved"),
        _verb("reject", {P.REQUESTED}, P.PLANNED, Role.APPROVER, "Reject", "rejected", needs_reason=True),
        _verb("withdraw", {P.REQUESTED, P.APPROVED}, P.PLANNED, Role.MANAGER, "Withdraw", "withdrew"),
        _verb("start", {P.APPROVED}, P.ACTIVE, Role.MANAGER, "Start", "started", overridable=True),
        _verb("advance", {P.ACTIVE}, P.ACTIVE, Role.MANAGER, "Advance", "advanced", overridable=True),
        _verb("pause", {P.ACTIVE}, P.PAUSED, Role.MANAGER, "Pause", "paused"),
        _verb("resume", {P.PAUSED}, P.ACTIVE, Role.MANAGER, "Resume", "resumed"),
        _verb("complete", {P.ACTIVE}, P.COMPLETED, Role.MANAGER, "Complete", "completed"),
        _verb("skip", {P.PLANNED}, P.SKIPPED, Role.MANAGER, "Skip", "skipped", needs_reason=True),
        _verb(
            "roll_back",
            {P.ACTIVE, P.PAUSED, P.COMPLETED},
            P.ROLLED_BACK,
            Role.MANAGER,
            "Roll back",
            "rolled back",
            needs_reason=True,
        ),
        _verb("retry", {P.ROLLED_BACK}, P.ROLLED_BACK, Role.MANAGER, "Try again", "planned another attempt of"),
    )
}

R = RolloutState
ROLLOUT_VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        _verb(
            "abandon",
            {R.DRAFT, R.UNDERWAY, R.ROLLED_BACK},
            R.ABANDONED,
            Role.MANAGER,
            "Abandon",
            "abandoned",
            needs_reason=True,
        ),
        _verb("close", {R.COMPLETED}, R.CLOSED, Role.MANAGER, "Close", "closed"),
    )
}


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
