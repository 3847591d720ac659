"""The one gate for whatever changes a rollout: a transition, an item, a plan, a reading that arrived, the clock.

Locked first, loaded once, changed in memory, written where it differs, looked at anew before it is let go.

Locks are taken in one order: rollouts by key, when the work begins; their portfolio rows by key, when it ends
(``models.portfolio_rows``). So two works never wait for each other in a ring, and none reads what another is about to
change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.db.models import F, Model, Q, prefetch_related_objects

from ..audit.actor import Actor
from ..audit.recording import Recording, recorded
from ..models import Phase, Rollout, RolloutOrder, clock
from ..models.approvals import RESTS_ON
from ..models.change_log import ChangedMeanwhile
from ..rules.approvals import STANDING
from ..rules.facts import RolloutFacts
from ..rules.machine import OVER, RolloutState, rollout_state
from . import facts as facts_of
from . import reconcile
from .locks import NO_LOCKS, standing
from .refusals import overtaken

NOBODY_ELSE = Q()


@dataclass
class Work:
    """A rollout under its lock. Who changes it changes these rows, and saves them."""

    recording: Recording
    pk: int | None
    now: datetime = field(default_factory=clock.now)

    @cached_property
    def rollout(self) -> Rollout:
        """With all that the rules need, as it is now that nobody else can change it."""
        rows = Rollout.objects.for_rules().annotate(
            marks=F("portfolio_row__marks"), settled=F("portfolio_row__settled")
        )
        self.recording.rollout = rollout = rows.get(pk=self.pk)
        return rollout

    @property
    def is_new(self) -> bool:
        """Whether the rollout is yet to be made."""
        return self.pk is None

    def phase(self, name: str) -> Phase:
        """Its newest attempt."""
        return next(phase for phase in facts_of.newest_attempts(self.rollout) if phase.name == name)

    def facts(self, *, with_locks: bool = False) -> RolloutFacts:
        """As the rows stand now, saved or not. Change locks are read only for what they hold back."""
        return facts_of.for_rollout(self.rollout, self.now, standing(self.now) if with_locks else NO_LOCKS)

    @property
    def is_marked(self) -> bool:
        """Whether something that it rests on was written since it was looked at last."""
        return bool(self.rollout.marks != self.rollout.settled)

    def settle(self) -> None:
        """Write down what follows from what is there: each finding is an event of its own."""
        self.recording.settled[self.rollout.pk] = self.rollout.marks or 0
        self.recording.was_marked |= self.is_marked
        findings = reconcile.look(self.rollout, self.now, read=self.is_marked)
        for waiver in findings.waivers:
            reconcile.settle_waiver(waiver, self.now, self.recording)
        for waiver, why in findings.moot:
            reconcile.settle_moot(waiver, why, self.now, self.recording)
        for request in findings.requests:
            reconcile.settle_request(request, findings.facts, self.recording)
        reconcile.settle_reading(self.rollout, findings, self.recording)

    def settle_reading(self) -> None:
        """Only what was read of GitLab, before what is done itself."""
        reconcile.settle_reading(self.rollout, reconcile.look(self.rollout, self.now), self.recording, first=True)

    def follow(self) -> None:
        """After its phases have changed: its own state, from when to when it lasts, and what else follows."""
        rollout = self.rollout
        for phase in rollout.phases.all():
            phase.standing_requests = [each for each in phase.standing_requests if each.state in STANDING]
        phases = [(phase.state, phase.started_at is not None) for phase in facts_of.newest_attempts(rollout)]
        state = rollout_state(phases)
        if rollout.state not in OVER | {state}:
            if state is RolloutState.COMPLETED:
                rollout.completed_at = self.now
            getattr(rollout, _FOLLOW[state])()
        self.settle()

    def load_phases_again(self) -> None:
        """Phases were made by the way, with steps and items."""
        self.rollout.refresh_from_db(fields=["phases", "items"])  # forgets what was loaded
        prefetch_related_objects([self.rollout], *Rollout.objects.phases_and_items())

    def load_again(self) -> None:
        """Rows of all kinds were made by the way."""
        self.__dict__.pop("rollout", None)


_FOLLOW = {
    RolloutState.DRAFT: "back_to_draft",
    RolloutState.UNDERWAY: "go_underway",
    RolloutState.COMPLETED: "finish",
    RolloutState.ROLLED_BACK: "fall_back",
}


@contextmanager
def working_on(
    pk: int | None, verb: str, *, by: Actor, reason: str = "", besides: Iterable[int] = (), in_order: bool = False
) -> Iterator[Work]:
    """Change one rollout in this block: one transaction, one event for it and one for each thing found by the way.

    ``pk`` is None for a rollout that is yet to be made. ``besides`` are other rollouts that what is done may reach, by
    key: locked with it, and ``in_order`` those that it is ordered with: two that exclude each other are not both the
    first. Raises ``Refused`` where somebody else has changed what is written meanwhile.
    """
    try:
        with recorded(verb, by=by, reason=reason) as recording:
            keys = [*besides, *([] if pk is None else [pk])]
            lock(keys, RolloutOrder.objects.around(pk) if in_order and pk is not None else NOBODY_ELSE)
            yield Work(recording, pk)
    except ChangedMeanwhile:
        raise overtaken() from None


def resting_on(thing: Model) -> list[int]:
    """Rollouts, by key, in which somebody is asked about something that rests on this AI model, flag, template …"""
    what, rests = RESTS_ON.get(thing._meta.label), Q()
    for path in what.paths if what else ():
        rests |= Q(**{path: thing.pk})
    asked = Q(phases__requests__state__in=sorted(STANDING))
    return list(Rollout.objects.filter(rests, asked).values_list("pk", flat=True)) if rests else []


def lock(pks: Iterable[int], and_these: Q = NOBODY_ELSE) -> None:
    """Nobody else changes these rollouts until the transaction ends. Called once, before anything is written."""
    list(Rollout.objects.filter(Q(pk__in=pks) | and_these).locked().values_list("pk", flat=True))
