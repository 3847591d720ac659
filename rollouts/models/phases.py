"""A phase, its ramp and its checklist. The state machine sits here; guards are called by the services."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, transition

from ..rules.checklist import AUTOMATIC, Gate, ItemKind
from ..rules.expected import Audience
from ..rules.machine import PHASE_VERBS, PhaseState
from .guarded import GuardedModel, GuardedQuerySet
from .ledger import AuditedModel
from .rollouts import Rollout

S = PhaseState
STATES = [(state.value, state.value.replace("_", " ")) for state in S]
STARTED = (S.ACTIVE, S.PAUSED, S.COMPLETED, S.ROLLED_BACK)


def _rule(verb: str) -> dict:
    """Source and target of a verb, from the one table that says what may follow what."""
    rule = PHASE_VERBS[verb]
    return {"source": sorted(rule.sources), "target": rule.target}


class Phase(GuardedModel):
    """One audience of a rollout, with its own state. A phase that is tried again is a new attempt, a new row."""

    first_state = S.PLANNED

    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="phases")
    name = models.CharField(max_length=50, help_text="As the template names it: team, company, everyone.")
    title = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1)
    optional = models.BooleanField(default=False, help_text="May be skipped, with a reason.")
    audience = models.CharField(
        max_length=20,
        choices=[(a.value, a.value.replace("_", " ")) for a in Audience],
        help_text="How it lets people in.",
    )
    actors = models.JSONField(default=list, blank=True, help_text="Users, groups, projects by name: user:alice.")
    groups = models.JSONField(default=list, blank=True, help_text="Feature groups: acme_team_members.")
    final_soak = models.DurationField(help_text="How long the whole phase must stand before it may complete.")
    current_step = models.ForeignKey(
        "RampStep", on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    state = FSMField(choices=STATES, default=S.PLANNED, protected=True, db_index=True)
    requested_by = models.CharField(max_length=150, blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    asked_digest = models.CharField(max_length=64, blank=True, help_text="What the request was made for.")
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    stepped_at = models.DateTimeField(null=True, blank=True, help_text="When the present step was asked for.")
    confirmed_at = models.DateTimeField(null=True, blank=True, help_text="Since when GitLab is read as expected.")
    paused_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was skipped or rolled back.")
    reason = models.TextField(blank=True, help_text="Why it was skipped, rejected, paused or rolled back.")
    overrides = models.JSONField(default=list, blank=True, help_text="Blockers that an admin passed: who, when, why.")

    objects = GuardedQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("rollout", "position", "attempt")
        constraints = [
            models.UniqueConstraint(fields=("rollout", "name", "attempt"), name="attempt_once"),
            models.UniqueConstraint(
                fields=("rollout", "name"), condition=~Q(state="rolled_back"), name="one_open_attempt_per_phase"
            ),
            models.UniqueConstraint(fields=("rollout",), condition=Q(state="requested"), name="one_request_at_a_time"),
            models.CheckConstraint(condition=Q(state__in=[s.value for s in S]), name="phase_state_known"),
            models.CheckConstraint(condition=Q(attempt__gte=1), name="attempts_count_from_one"),
            models.CheckConstraint(
                condition=~Q(state="requested") | (~Q(requested_by="") & Q(requested_at__isnull=False)),
                name="requested_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="approved") | (~Q(approved_by="") & Q(approved_at__isnull=False)),
                name="approved_by_somebody",
            ),
            models.CheckConstraint(condition=Q(approved_by="") | ~Q(approved_by=F("requested_by")), name="four_eyes"),
            models.CheckConstraint(
                condition=~Q(state__in=[s.value for s in STARTED]) | (Q(started_at__isnull=False) & ~Q(approved_by="")),
                name="started_phases_have_a_start_and_an_approval",
            ),
            models.CheckConstraint(
                condition=~Q(state="completed") | Q(completed_at__isnull=False), name="completed_phases_have_an_end"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["skipped", "rolled_back"]) | (Q(ended_at__isnull=False) & ~Q(reason="")),
                name="skip_and_roll_back_have_a_reason",
            ),
            models.CheckConstraint(condition=~Q(state="skipped") | Q(optional=True), name="only_optional_is_skipped"),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True) | Q(started_at__isnull=False), name="confirmed_after_start"
            ),
            models.CheckConstraint(
                condition=~Q(audience="percentage", state__in=["active", "paused", "completed"])
                | Q(current_step__isnull=False),
                name="a_live_ramp_stands_on_a_step",
            ),
        ]

    def __str__(self) -> str:
        again = f", attempt {self.attempt}" if self.attempt > 1 else ""
        return f"{self.title}{again}"

    @property
    def percentage(self) -> int | None:
        """The percentage at which it stands now, if it is a ramp."""
        return self.current_step.percentage if self.current_step else None

    @transition(state, **_rule("request"))
    def request(self, *, by: str, at: datetime, digest: str) -> None:
        self.requested_by, self.requested_at, self.asked_digest = by, at, digest
        self.passed()

    @transition(state, **_rule("approve"))
    def approve(self, *, by: str, at: datetime) -> None:
        self.approved_by, self.approved_at = by, at
        self.passed()

    @transition(state, **_rule("reject"))
    def reject(self, *, reason: str) -> None:
        self._forget_request(reason)

    @transition(state, **_rule("withdraw"))
    def withdraw(self, *, reason: str) -> None:
        self._forget_request(reason)

    def _forget_request(self, reason: str) -> None:
        self.requested_by = self.approved_by = self.asked_digest = ""
        self.requested_at = self.approved_at = None
        self.reason = reason
        self.passed()

    @transition(state, **_rule("start"))
    def start(self, *, at: datetime, step: RampStep | None) -> None:
        self.started_at = self.stepped_at = at
        self.current_step = step
        self.confirmed_at = None
        self.reason = ""
        self.passed()

    @transition(state, **_rule("advance"))
    def advance(self, *, at: datetime, step: RampStep) -> None:
        self.stepped_at = at
        self.current_step = step
        self.confirmed_at = None
        self.passed()

    @transition(state, **_rule("pause"))
    def pause(self, *, at: datetime, reason: str) -> None:
        self.paused_at, self.reason = at, reason
        self.passed()

    @transition(state, **_rule("resume"))
    def resume(self) -> None:
        self.paused_at, self.reason = None, ""
        self.passed()

    @transition(state, **_rule("complete"))
    def complete(self, *, at: datetime) -> None:
        self.completed_at = at
        self.passed()

    @transition(state, **_rule("skip"))
    def skip(self, *, at: datetime, reason: str) -> None:
        self.ended_at, self.reason = at, reason
        self.passed()

    @transition(state, **_rule("roll_back"))
    def roll_back(self, *, at: datetime, reason: str) -> None:
        self.ended_at, self.reason = at, reason
        self.passed()


class RampStep(AuditedModel):
    """One percentage of a ramp, with its soak. A ramp's order is its percentages', so it can only rise."""

    phase = models.ForeignKey(Phase, on_delete=models.PROTECT, related_name="steps")
    percentage = models.PositiveSmallIntegerField(help_text="Percentage of actors, 1 to 100.")
    soak = models.DurationField(help_text="How long it must have stood in GitLab, as read, before the next step.")

    class Meta:
        ordering = ("phase", "percentage")
        constraints = [
            models.UniqueConstraint(fields=("phase", "percentage"), name="each_percentage_once"),
            models.CheckConstraint(condition=Q(percentage__gte=1, percentage__lte=100), name="percentage_1_to_100"),
        ]

    def __str__(self) -> str:
        return f"{self.percentage} %"


class ChecklistItem(AuditedModel):
    """One prerequisite, with a kind that knows how to check itself. Automatic kinds can't be ticked by hand."""

    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="items")
    phase = models.ForeignKey(
        Phase,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="items",
        help_text="Empty: the whole rollout's.",
    )
    key = models.CharField(max_length=50)
    title = models.CharField(max_length=200)
    help = models.TextField(blank=True)
    kind = models.CharField(max_length=20, choices=[(k.value, k.value.replace("_", " ")) for k in ItemKind])
    role = models.CharField(
        max_length=50, blank=True, help_text="For kinds about an issue: which of the plan's issues."
    )
    gate = models.CharField(
        max_length=20, choices=[(g.value, f"before {g.value}") for g in Gate], default=Gate.START.value
    )
    required = models.BooleanField(default=True)
    guide = models.CharField("rule of the guide", max_length=20, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    confirmed_by = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    evidence = models.TextField(blank=True, help_text="Note or link that proves it; for a decision, what was decided.")
    channel = models.CharField(max_length=200, blank=True, help_text="For an announcement: where it was made.")

    class Meta:
        ordering = ("rollout", "position", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=("rollout", "key"), condition=Q(phase__isnull=True), name="rollout_item_once"
            ),
            models.UniqueConstraint(fields=("phase", "key"), condition=Q(phase__isnull=False), name="phase_item_once"),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True, confirmed_by="")
                | (Q(confirmed_at__isnull=False) & ~Q(confirmed_by="") & ~Q(evidence="")),
                name="confirmed_by_somebody_with_evidence",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True) | ~Q(kind__in=sorted(kind.value for kind in AUTOMATIC)),
                name="automatic_items_are_never_ticked",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_automatic(self) -> bool:
        return self.kind in AUTOMATIC
