"""Frozen facts about one rollout at one moment: what guards, health and the pages judge by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from . import freshness
from .approval_policy import USUAL, PhasePolicy, Policy, Target, target
from .approvals import RequestFacts
from .capacity import Capacity
from .checklist import Gate, ItemKind, Verdict
from .expected import Drift, FlagReading, Opening, Presence, drift, expected_exposure
from .exposure import Exposure
from .machine import OVER, SETTLED, PhaseState, RolloutState
from .metrics import Deed, Metric
from .ordering import Neighbour
from .ramp import soak_at
from .waivers import WaiverFacts


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """A checklist item as judged: ``phase`` is None for an item of the whole rollout.

    ``step`` is the percentage that asks for it, ``criterion`` what its sentence decides about, where it is a criterion.
    ``waiver`` is its newest that was granted, whether it holds still or not; None where there is none. ``is_reopened``:
    its issue had to be closed for what has happened since, and is open.
    """

    key: str
    title: str
    kind: ItemKind
    phase: str | None
    gate: Gate
    required: bool
    verdict: Verdict
    step: Decimal | None = None
    criterion: str = ""
    waiver: WaiverFacts | None = None
    is_reopened: bool = False

    def is_settled(self, now: datetime) -> bool:
        """It is satisfied, or somebody may go on without it for now."""
        return self.verdict.satisfied or (self.waiver is not None and self.waiver.stands(now))

    @property
    def where(self) -> str:
        return f"#item-{self.phase or 'rollout'}-{self.key}"


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """One phase's newest attempt, with its standing request if there is one.

    ``unread`` is how long of the time since ``confirmed_at`` GitLab was not read: a gap stops the clock. ``waiver`` is
    the one on which it may be skipped, or was.
    """

    name: str
    title: str
    state: str
    optional: bool
    opening: Opening
    final_soak: timedelta = timedelta(0)
    confirmed_at: datetime | None = None
    unread: timedelta = timedelta(0)
    unresolved: tuple[str, ...] = ()
    policy: PhasePolicy = USUAL
    request: RequestFacts | None = None
    version: int = 0
    waiver: WaiverFacts | None = None
    started_at: datetime | None = None

    @property
    def where(self) -> str:
        return f"#phase-{self.name}"

    @property
    def soak(self) -> timedelta:
        """How long it must stand before what follows: the present step's soak, or the whole phase's."""
        return self.soak_at(self.opening.step)

    def soak_at(self, percentage: Decimal | None) -> timedelta:
        ramp = self.opening.ramp
        return soak_at(ramp.steps if ramp else (), percentage, self.final_soak)

    @property
    def counts_from(self) -> datetime | None:
        """From when its soak would count if GitLab had been read all along; None while GitLab was not read at it."""
        return self.confirmed_at + self.unread if self.confirmed_at else None

    @property
    def soaked_at(self) -> datetime | None:
        """When it has stood so long, if GitLab is read from now on; None while GitLab was not read at it."""
        return self.counts_from + self.soak if self.counts_from else None


@dataclass(frozen=True, slots=True)
class LockFacts:
    """A change lock that holds now: why, and until when if that is known."""

    title: str
    until: datetime | None = None
    where: str = "/locks/"


@dataclass(frozen=True, slots=True)
class RolloutFacts:
    """Everything that a rule may look at. ``others_live`` are titles of other rollouts live on the flag.

    ``accepted`` are classes of drift that somebody else let stand ``accepted_until``. ``locks_unread`` says which
    sources of change locks could not be read lately: the portal does not know of them.
    """

    state: str
    phases: tuple[PhaseFacts, ...]
    items: tuple[ItemFacts, ...]
    flag: str
    reading: FlagReading
    capacity: Capacity
    freshness: timedelta
    now: datetime
    others_live: tuple[str, ...] = field(default=())
    owners: tuple[str, ...] = ()
    slug: str = ""
    locks: tuple[LockFacts, ...] = ()
    locks_unread: tuple[str, ...] = ()
    lifetime_ends: date | None = None
    metrics: tuple[Metric, ...] = ()
    metrics_may: Deed = Deed.HOLD
    version: int = 0
    accepted: frozenset[str] = frozenset()
    accepted_until: datetime | None = None
    neighbours: tuple[Neighbour, ...] = ()

    @property
    def is_over(self) -> bool:
        """Nothing more will happen to it."""
        return self.state in OVER

    @property
    def is_overdue(self) -> bool:
        """The rollout is finished, and its flag, still set, has outlived its type."""
        ends, is_set = self.lifetime_ends, self.reading.presence is Presence.SET
        return ends is not None and is_set and self.now.date() > ends

    @property
    def expected(self) -> Exposure:
        return expected_exposure(phase.opening for phase in self.phases)

    @property
    def drift(self) -> Drift:
        """How GitLab stands to what is expected; after the last phase a flag that is gone is not missing any more."""
        if self.state == RolloutState.COMPLETED and self.reading.presence is Presence.UNKNOWN:
            return Drift.NONE
        return drift(self.expected, self.reading)

    @property
    def is_stale(self) -> bool:
        """The newest reading is older than the freshness limit, or there is none: the portal does not know."""
        return freshness.is_stale(self.reading.read_at, self.now, self.freshness)

    def stood(self, phase: PhaseFacts) -> timedelta | None:
        """How long it has stood, as read; None while GitLab was not read at it. What is too old to know adds nothing.

        Soak counts from when GitLab was *read* at the step, not from when it was asked for.
        """
        if phase.counts_from is None:
            return None
        return freshness.stood(phase.counts_from, self.reading.read_at, self.now, self.freshness)

    @property
    def is_confirmed(self) -> bool:
        """GitLab was read at exactly what is expected."""
        exposure = self.reading.exposure
        return (
            self.reading.presence not in (Presence.UNREAD, Presence.UNKNOWN)
            and exposure is not None
            and exposure.is_exactly(self.expected)
        )

    def target(self, phase: PhaseFacts, to: Decimal | None = None) -> Target | None:
        """What the next start or step of a phase would do: ``to``, or what was asked for, or the next step."""
        is_start = phase.state != PhaseState.ACTIVE
        if to is None and phase.request and phase.request.target and phase.request.target.is_start is is_start:
            to = phase.request.target.percentage if phase.opening.ramp else None
        return target(phase.opening, self.expected, is_start=is_start, to=to)

    def expected_after(self, verb: str, phase: PhaseFacts, to: Decimal | None = None) -> Exposure:
        """What would be expected after this verb: wider at a start or step, narrower after a roll back."""
        if verb in ("start", "advance"):
            wanted = self.target(phase, to)
            return wanted.after if wanted else self.expected
        if verb == "roll_back":
            return expected_exposure(earlier.opening for earlier in self.before(phase))
        return self.expected

    def policy(self, phase: PhaseFacts, to: Decimal | None = None) -> Policy | None:
        """Which approvals that start or step needs; None where none are needed, or there is no such step."""
        wanted = self.target(phase, to)
        return phase.policy.for_target(wanted) if wanted else None

    @property
    def current(self) -> PhaseFacts | None:
        """The phase that the rollout stands in: the first that is neither completed nor skipped."""
        return next((phase for phase in self.phases if phase.state not in SETTLED), None)

    def phase(self, name: str) -> PhaseFacts:
        return next(phase for phase in self.phases if phase.name == name)

    def before(self, phase: PhaseFacts) -> tuple[PhaseFacts, ...]:
        return self.phases[: self.phases.index(phase)]

    @property
    def items_due(self) -> tuple[ItemFacts, ...]:
        """Required items, of criteria those that are asked now."""
        return tuple(item for item in self.items if item.required and self.is_asked(item))

    def is_asked(self, item: ItemFacts) -> bool:
        """Whether the present step asks for a criterion; of the phase's end, whether it is the last step."""
        if not item.criterion:
            return True
        opening = self.phase(item.phase or "").opening
        last = opening.ramp.steps[-1].percentage if opening.ramp else None
        return opening.step == (last if item.step is None else item.step)

    def open_items(self, phase: PhaseFacts, gate: Gate) -> tuple[ItemFacts, ...]:
        """Required items of the rollout and of this phase that are neither satisfied nor waived at a gate."""
        return tuple(
            item
            for item in self.items
            if item.required
            and not item.is_settled(self.now)
            and item.gate == gate
            and item.phase in ((None, phase.name) if gate is Gate.START else (phase.name,))
            and item.step in (None, phase.opening.step)
        )
