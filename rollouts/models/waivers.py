"""Waivers: what a rollout goes on without, who asked for it, who granted it, until when."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..rules.percentages import plain_number
from ..rules.phrases import say
from ..rules.waivers import WAIVER_WORDS, WaiverState
from .change_log import AuditedModel
from .drift import DriftCase
from .guarded import GuardedModel, GuardedQuerySet, StateIsProtected
from .phases import Phase

W = WaiverState
OPEN, DECIDED = (W.ASKED, W.WITHDRAWN), (W.GRANTED, W.REFUSED, W.ENDED, W.EXPIRED, W.ADOPTED)


class WaiverQuerySet(GuardedQuerySet):
    def standing(self, now: datetime) -> WaiverQuerySet:
        """Those that let something pass now."""
        return self.filter(state=W.GRANTED, ends_at__gt=now)

    def with_what(self) -> WaiverQuerySet:
        return self.select_related("rollout__template", "rollout__flag__reading", "phase", "item", "drift_case")


class Waiver(GuardedModel):
    """Somebody asks to skip an optional phase, to go on without a checklist item, or to let drift stand; somebody else
    grants it.

    While it stands, ``Phase.waiver``, ``ChecklistItem.waiver`` or ``DriftCase.waiver`` is this one. One that ``adopts``
    lets nothing stand: who grants it lets the plan take over what GitLab has.
    """

    first_state = W.ASKED

    rollout = models.ForeignKey("rollouts.Rollout", on_delete=models.PROTECT, related_name="waivers")
    phase = models.ForeignKey(
        Phase,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="waivers",
        help_text=_("Which is skipped, or whose item it is. Empty: an item of the whole rollout."),
    )
    item = models.ForeignKey(
        "rollouts.ChecklistItem",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="waivers",
        help_text=_("Empty: the phase is skipped."),
    )
    drift_case = models.ForeignKey(
        "rollouts.DriftCase",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="waivers",
        help_text=_("The drift that is let stand, or taken over by the plan."),
    )
    adopts = models.BooleanField(default=False, editable=False, help_text=_("The plan takes over what GitLab has."))
    covers = models.JSONField(
        default=dict,
        editable=False,
        help_text=_("Where GitLab stood when it was asked for: it lets nothing else stand."),
    )
    state = FSMField(
        choices=[(state.value, words) for state, words in WAIVER_WORDS.items()],
        default=W.ASKED,
        protected=True,
        db_index=True,
    )
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    reason = models.TextField(help_text=_("Why it is gone without."))
    ends_at = models.DateTimeField(help_text=_("Until when. From then on it blocks again."))
    rule = models.JSONField(
        default=dict, editable=False, help_text=_("Who could grant it when it was asked for, by the template.")
    )
    source = models.CharField(max_length=20, blank=True, editable=False, help_text=_("From where it was asked for."))
    way = models.JSONField(default=dict, editable=False, help_text=_("By what session, token or user of the system."))
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True, help_text=_("What whoever decided said."))
    closed_by = models.CharField(max_length=150, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True, help_text=_("When it was over: withdrawn, ended, run out."))
    closing = models.TextField(blank=True, help_text=_("Why it was ended early."))

    objects = WaiverQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("-asked_at", "-pk")
        indexes = [models.Index(fields=("-asked_at", "-id"), name="waiver_newest_first")]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in W]), name="waiver_state_known"),
            models.CheckConstraint(condition=~Q(reason=""), name="waiver_has_a_reason"),
            models.CheckConstraint(condition=~Q(decided_by=F("asked_by")), name="waiver_by_a_second_person"),
            models.CheckConstraint(
                condition=Q(phase__isnull=False) | Q(item__isnull=False) | Q(drift_case__isnull=False),
                name="waiver_is_of_something",
            ),
            models.CheckConstraint(
                condition=Q(drift_case__isnull=True) | Q(phase__isnull=True, item__isnull=True),
                name="waiver_of_drift_is_of_nothing_else",
            ),
            models.CheckConstraint(
                condition=Q(adopts=False) | Q(drift_case__isnull=False), name="waiver_adopts_only_drift"
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN, decided_by="", decided_at__isnull=True)
                | (Q(state__in=DECIDED, decided_at__isnull=False) & ~Q(decided_by="")),
                name="waiver_decided_by_somebody",
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("asked_at")), name="waiver_lasts_a_while"),
            models.UniqueConstraint(
                fields=("phase",), condition=Q(item__isnull=True, state="asked"), name="one_asked_waiver_per_phase"
            ),
            models.UniqueConstraint(fields=("item",), condition=Q(state="asked"), name="one_asked_waiver_per_item"),
            models.UniqueConstraint(
                fields=("drift_case",), condition=Q(state="asked"), name="one_asked_waiver_per_drift_case"
            ),
        ]

    def __str__(self) -> str:
        if self.item is not None:
            return self.item.title
        if self.drift_case is not None:
            kind = self.drift_case.get_kind_display()
            return (
                say("the plan takes over: {kind}", kind=kind) if self.adopts else say("drift stands: {kind}", kind=kind)
            )
        return say("{phase} is skipped", phase=self.phase)

    @property
    def what(self) -> AuditedModel:
        """The phase, item or drift that it is about."""
        return self.item or self.phase or self.drift_case  # type: ignore[return-value]

    @transition(state, source=W.ASKED, target=W.GRANTED)
    def grant(self, *, by: str, at: datetime, note: str) -> None:
        """Raises ``StateIsProtected`` for who asked, and past its end."""
        if by == self.asked_by or self.ends_at <= at:
            raise StateIsProtected(f"{self}: somebody else grants a waiver, before it ends.")
        if self.adopts:
            raise StateIsProtected(f"{self}: it is adopted, and stands for nothing.")
        self._decide(by, at, note)

    @transition(state, source=W.ASKED, target=W.ADOPTED)
    def adopt(self, *, by: str, at: datetime, note: str) -> None:
        """The plan takes it over. Raises ``StateIsProtected`` for who asked, past its end, and where none asked so."""
        if by == self.asked_by or self.ends_at <= at or not self.adopts:
            raise StateIsProtected(f"{self}: somebody else lets the plan take it over, before it ends.")
        self._decide(by, at, note)

    @transition(state, source=W.ASKED, target=W.REFUSED)
    def refuse(self, *, by: str, at: datetime, note: str) -> None:
        self._decide(by, at, note)

    @transition(state, source=W.ASKED, target=W.WITHDRAWN)
    def withdraw(self, *, by: str, at: datetime, note: str) -> None:
        self._close(by, at, note)

    @transition(state, source=W.GRANTED, target=W.ENDED)
    def end(self, *, by: str, at: datetime, note: str) -> None:
        self._close(by, at, note)

    @transition(state, source=W.GRANTED, target=W.EXPIRED)
    def expire(self, *, by: str, at: datetime) -> None:
        self._close(by, at, "")

    def _decide(self, by: str, at: datetime, note: str) -> None:
        self.decided_by, self.decided_at, self.note = by, at, note
        self.passed()

    def _close(self, by: str, at: datetime, note: str) -> None:
        self.closed_by, self.closed_at, self.closing = by, at, note
        self.passed()

    def lets_go(self, thing: Any) -> bool:
        """Whether it was granted, and for this phase, item or drift."""
        if isinstance(thing, Phase):
            is_its_own = self.is_of_phase(thing)
        else:
            is_its_own = thing.pk == (self.drift_case_id if isinstance(thing, DriftCase) else self.item_id)
        return is_its_own and self.state == W.GRANTED

    def lets_take_over(self, phase: Phase, percentage: Decimal, at: datetime) -> bool:
        """Whether somebody else says so at this very moment, of this rollout, for where GitLab stood."""
        seen = (self.covers.get("exposure") or {}).get("percentage_of_actors")
        is_now = self.state == W.ADOPTED and self.decided_at == at and not self._state.adding
        return is_now and self.rollout_id == phase.rollout_id and seen == plain_number(percentage)

    def is_of_phase(self, phase: Phase) -> bool:
        """Whether it is this phase that is skipped."""
        return self.item_id is None and self.drift_case_id is None and self.phase_id == phase.pk

    def stands(self, now: datetime) -> bool:
        return self.state == W.GRANTED and now < self.ends_at

    def refuse_shortcuts(self, fields: Any = None) -> None:
        super().refuse_shortcuts(fields)
        if not self._state.adding and self._came_from is None and self.differs:
            raise StateIsProtected("a waiver changes only by being decided, or ended")
