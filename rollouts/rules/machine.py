"""The state machine of a phase and of a rollout as data: DESIGN section 4. The FSM methods are declared from it."""

from __future__ import annotations

from collections.abc import Mapping
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
    """One transition: from which state to which, who may, and how a button and a sentence name it.

    ``role`` is who may at least; for ``approve`` and ``reject`` the approval policy says more (``approvals.Policy``).
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


#: While a phase is active its next step may need a request of its own: asking and answering leave it active.
STEP: dict[str, str] = {P.ACTIVE: P.ACTIVE}


def _by_name(*verbs: Verb) -> dict[str, Verb]:
    return {verb.name: verb for verb in verbs}


PHASE_VERBS: dict[str, Verb] = _by_name(
    Verb("request", {P.PLANNED: P.REQUESTED, **STEP}, Role.MANAGER, "Ask for approval", "asked for"),
    Verb("approve", {P.REQUESTED: P.APPROVED, **STEP}, Role.APPROVER, "Approve", "approved"),
    Verb("reject", {P.REQUESTED: P.PLANNED, **STEP}, Role.APPROVER, "Reject", "rejected", needs_reason=True),
    Verb("withdraw", {P.REQUESTED: P.PLANNED, P.APPROVED: P.PLANNED, **STEP}, Role.MANAGER, "Withdraw", "withdrew"),
    Verb("start", {P.APPROVED: P.ACTIVE}, Role.MANAGER, "Start", "started", overridable=True),
    Verb("advance", STEP, Role.MANAGER, "Advance", "advanced", overridable=True),
    Verb("pause", {P.ACTIVE: P.PAUSED}, Role.MANAGER, "Pause", "paused"),
    Verb("resume", {P.PAUSED: P.ACTIVE}, Role.MANAGER, "Resume", "resumed"),
    Verb("complete", {P.ACTIVE: P.COMPLETED}, Role.MANAGER, "Complete", "completed"),
    Verb("skip", {P.PLANNED: P.SKIPPED}, Role.MANAGER, "Skip", "skipped", needs_reason=True),
    Verb(
        "roll_back",
        {P.ACTIVE: P.ROLLED_BACK, P.PAUSED: P.ROLLED_BACK, P.COMPLETED: P.ROLLED_BACK},
        Role.MANAGER,
        "Roll back",
        "rolled back",
        needs_reason=True,
    ),
    Verb("retry", {P.ROLLED_BACK: P.ROLLED_BACK}, Role.MANAGER, "Try again", "planned another attempt of"),
)
#: What nobody presses: a request that outlives its time, an approval that no longer stands.
BY_ITSELF: dict[str, Mapping[str, str]] = {
    "expire": {P.REQUESTED: P.PLANNED, P.APPROVED: P.PLANNED, **STEP},
    "lapse": {P.APPROVED: P.REQUESTED, **STEP},
}

R = RolloutState
ROLLOUT_VERBS: dict[str, Verb] = _by_name(
    Verb(
        "abandon",
        {R.DRAFT: R.ABANDONED, R.UNDERWAY: R.ABANDONED, R.ROLLED_BACK: R.ABANDONED},
        Role.MANAGER,
        "Abandon",
        "abandoned",
        needs_reason=True,
    ),
    Verb("close", {R.COMPLETED: R.CLOSED}, Role.MANAGER, "Close", "closed"),
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
