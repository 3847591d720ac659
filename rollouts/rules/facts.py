"""Frozen facts about one rollout at one moment: what guards, health and the pages judge by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .capacity import Capacity
from .checklist import Gate, ItemKind, Verdict
from .expected import FlagReading, Opening, Presence, expected_exposure
from .exposure import Exposure
from .machine import Role


@dataclass(frozen=True, slots=True)
class Person:
    """Who wants to do something: ``identity`` tells people apart (four eyes), ``name`` is shown."""

    identity: str
    name: str
    roles: frozenset[Role]

    def has(self, role: Role) -> bool:
        """An admin has every role; everybody may read."""
        return role is Role.VIEWER or role in self.roles or Role.ADMIN in self.roles


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """A checklist item as judged: ``phase`` is None for an item of the whole rollout."""

    key: str
    title: str
    kind: ItemKind
    phase: str | None
    gate: Gate
    required: bool
    verdict: Verdict

    @property
    def where(self) -> str:
        return f"#item-{self.phase or 'rollout'}-{self.key}"


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """One phase's newest attempt. ``digest`` is what stands now, ``asked_digest`` what the request was made for."""

    name: str
    title: str
    state: str
    optional: bool
    opening: Opening
    final_soak: timedelta = timedelta(0)
    confirmed_at: datetime | None = None
    requested_by: str = ""
    asked_digest: str = ""
    digest: str = ""
    unresolved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RolloutFacts:
    """Everything that a rule may look at. ``others_live`` are titles of other rollouts live on the flag."""

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

    @property
    def expected(self) -> Exposure:
        return expected_exposure(phase.opening for phase in self.phases)

    @property
    def is_stale(self) -> bool:
        """The newest reading is older than the freshness limit, or there is none: the portal does not know."""
        return self.reading.read_at is None or self.now - self.reading.read_at > self.freshness

    @property
    def is_confirmed(self) -> bool:
        """GitLab was read at exactly what is expected."""
        exposure = self.reading.exposure
        return (
            self.reading.presence not in (Presence.UNREAD, Presence.UNKNOWN)
            and exposure is not None
            and exposure.is_exactly(self.expected)
        )

    def phase(self, name: str) -> PhaseFacts:
        return next(phase for phase in self.phases if phase.name == name)

    def before(self, phase: PhaseFacts) -> tuple[PhaseFacts, ...]:
        return self.phases[: self.phases.index(phase)]

    def open_items(self, phase: PhaseFacts, gate: Gate) -> tuple[ItemFacts, ...]:
        """Required items of the rollout and of this phase that are not satisfied at a gate."""
        return tuple(
            item
            for item in self.items
            if item.required
            and not item.verdict.satisfied
            and item.gate == gate
            and item.phase in ((None, phase.name) if gate is Gate.START else (phase.name,))
        )
