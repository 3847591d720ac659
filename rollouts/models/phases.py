"""A phase and its ramp. The state machine sits here; guards are called by the services."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..rules.approval_policy import PhasePolicy, Target, default_for
from ..rules.criteria import ASKED_WORDS
from ..rules.expected import AUDIENCE_WORDS
from ..rules.exposure import NOBODY
from ..rules.machine import BY_ITSELF, PHASE_VERBS, PhaseState, state_in_words
from ..rules.percentages import NOTHING
from ..rules.phrases import say
from .change_log import AuditedModel
from .guarded import GuardedModel, GuardedQuerySet, StateIsProtected, refuse_forged_waiver
from .percentages import PercentageField
from .phrase_fields import PhraseTextField

S = PhaseState
STATES = [(state.value, state_in_words(state)) for state in S]
Method = TypeVar("Method", bound=Callable[..., Any])
STARTED = (S.ACTIVE, S.PAUSED, S.COMPLETED, S.ROLLED_BACK)
#: Since when something lasts, and the states in which it may. Other times say when something was done, and stay.
LASTING = {
    "confirmed_at": (S.ACTIVE, S.PAUSED, S.COMPLETED),
    "paused_at": (S.PAUSED,),
    "held_since": (S.ACTIVE,),
}


def _moves(field: FSMField, verb: str) -> Callable[[Method], Method]:
    """A transition method for a verb, with sources and targets from the one table that says what may follow what."""
    moves = PHASE_VERBS[verb].moves if verb in PHASE_VERBS else BY_ITSELF[verb]

    def declare(method: Method) -> Method:
        for target in sorted(set(moves.values())):
            sources = sorted(source for source, to in moves.items() if to == target)
            method = transition(field, source=sources, target=target)(method)
        return method

    return declare


class Phase(GuardedModel):
    """One audience of a rollout, with its own state. A phase that is tried again is a new attempt, a new row."""

    first_state = S.PLANNED
    #: The request that is open or granted, if any; on phases of ``Rollout.objects.for_rules()``, which know it.
    asked: Any = None
    knows_asked = False

    rollout = models.ForeignKey("rollouts.Rollout", on_delete=models.PROTECT, related_name="phases")
    name = models.CharField(max_length=50, help_text=_("As the template names it: team, company, everyone."))
    title = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1)
    optional = models.BooleanField(default=False, help_text=_("May be skipped, with a reason."))
    audience = models.CharField(
        max_length=20,
        choices=[(audience.value, words) for audience, words in AUDIENCE_WORDS.items()],
        help_text=_("How it lets people in."),
    )
    actors = models.JSONField(default=list, blank=True, help_text=_("Users, groups, projects by name: user:alice."))
    groups = models.JSONField(default=list, blank=True, help_text=_("Feature groups: acme_team_members."))
    final_soak = models.DurationField(help_text=_("How long the whole phase must stand before it may complete."))
    criteria_asked = models.CharField(
        max_length=20,
        blank=True,
        choices=[(asked.value, words) for asked, words in ASKED_WORDS.items()],
        help_text=_("When somebody answers the plan's criteria; empty: never."),
    )
    current_step = models.ForeignKey(
        "RampStep", on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    state = FSMField(choices=STATES, default=S.PLANNED, protected=True, db_index=True)
    requested_by = models.CharField(max_length=150, blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=1000, blank=True, help_text=_("All who approved the start."))
    approved_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    stepped_at = models.DateTimeField(null=True, blank=True, help_text=_("When the present step was asked for."))
    confirmed_at = models.DateTimeField(null=True, blank=True, help_text=_("Since when GitLab is read as expected."))
    unread = models.DurationField(
        default=timedelta, editable=False, help_text=_("How long since then GitLab was not read: that does not count.")
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text=_("When it was skipped or rolled back."))
    held_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("Since when a step that should begin by itself is held.")
    )
    held_by = PhraseTextField(blank=True, editable=False, help_text=_("What holds it."))
    reason = PhraseTextField(blank=True, help_text=_("Why it was skipped, rejected, paused or rolled back."))
    grant = models.ForeignKey(
        "ApprovalRequest",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        help_text=_("The approved request that it was started on."),
    )
    waiver = models.ForeignKey(
        "rollouts.Waiver",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        help_text=_("The newest on which it may be skipped, or was."),
    )

    objects = GuardedQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("rollout", "position", "attempt")
        indexes = [models.Index(fields=("state", "-completed_at"), name="phase_by_end")]
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
            models.CheckConstraint(
                condition=~Q(state__in=[s.value for s in STARTED])
                | (Q(started_at__isnull=False, grant__isnull=False) & ~Q(approved_by="")),
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
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__isnull": True}) | Q(state__in=[s.value for s in states]),
                    name=f"{name}_only_while_it_lasts",
                )
                for name, states in LASTING.items()
            ),
            models.CheckConstraint(
                condition=~Q(audience="percentage", state__in=["active", "paused", "completed"])
                | Q(current_step__isnull=False),
                name="a_live_ramp_stands_on_a_step",
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """What lasts as long as a state ends with it."""
        for name, states in LASTING.items():
            if self.state not in states:
                setattr(self, name, None)
        if self.confirmed_at is None:
            self.unread = timedelta(0)
        if self.held_since is None:
            self.held_by = ""
        super().save(*args, **kwargs)

    def refuse_shortcuts(self, fields: Any = None) -> None:
        super().refuse_shortcuts(fields)
        refuse_forged_waiver(self)

    def __str__(self) -> str:
        return say("{phase}, attempt {n}", phase=self.title, n=self.attempt) if self.attempt > 1 else self.title

    @property
    def percentage(self) -> Decimal | None:
        """The percentage at which it stands now, if it is a ramp."""
        return self.current_step.percentage if self.current_step else None

    @_moves(state, "request")
    def request(self, *, by: str, at: datetime) -> None:
        if self.state != S.ACTIVE:
            self.requested_by, self.requested_at, self.reason = by, at, ""
        self.passed()

    @_moves(state, "approve")
    def approve(self, grant: Any, *, by: str, at: datetime) -> None:
        """Enough people have approved ``grant``, the request."""
        self._refuse_unless_granted(grant)
        if grant.is_start:
            self.approved_by, self.approved_at = by, at
        self.passed()

    @_moves(state, "reject")
    def reject(self, *, reason: str) -> None:
        self._forget_request(reason)

    @_moves(state, "withdraw")
    def withdraw(self, *, reason: str) -> None:
        self._forget_request(reason)

    @_moves(state, "expire")
    def expire(self) -> None:
        self._forget_request("")

    @_moves(state, "lapse")
    def lapse(self) -> None:
        """What was approved has changed, or who approved it may no longer: approvers are asked again."""
        if self.state != S.ACTIVE:
            self.approved_by, self.approved_at = "", None
        self.passed()

    def _forget_request(self, reason: str) -> None:
        if self.state != S.ACTIVE:
            self.requested_by = self.approved_by = ""
            self.requested_at = self.approved_at = None
            self.reason = reason
        self.passed()

    @_moves(state, "start")
    def start(self, grant: Any, *, at: datetime, step: RampStep | None) -> None:
        self._refuse_unless_granted(grant, step)
        self.grant = grant
        self.started_at = self.stepped_at = at
        self.current_step = step
        self.confirmed_at = None
        self.reason = ""
        self.passed()

    @_moves(state, "advance")
    def advance(self, grant: Any, *, at: datetime, step: RampStep) -> None:
        """``grant`` is the approved request where the step needs one, else None."""
        if grant is not None or self._needs_approval(step):
            self._refuse_unless_granted(grant, step)
        self.stepped_at = at
        self.current_step = step
        self.confirmed_at = None
        self.held_since, self.held_by = None, ""
        self.passed()

    @transition(state, source=PhaseState.ACTIVE, target=PhaseState.ACTIVE)
    def adopt(self, waiver: Any, *, at: datetime, step: RampStep) -> None:
        """The step that GitLab has taken already, once somebody else let the plan take it over; the soak starts anew.

        Raises ``StateIsProtected``.
        """
        if waiver is None or not waiver.lets_take_over(self, step.percentage, at):
            raise StateIsProtected(f"{self} takes a step over only by a second person's yes.")
        self.stepped_at = at
        self.current_step = step
        self.confirmed_at = None
        self.held_since, self.held_by = None, ""
        self.passed()

    @cached_property
    def standing_requests(self) -> list[Any]:
        """As it was loaded; what is done to the phase keeps it. Raises AttributeError where it was not loaded."""
        if not self.knows_asked:
            raise AttributeError("Load the phase by Rollout.objects.for_rules(): its request is not known.")
        if self.asked is None:
            return []
        self.asked.phase = self
        return [self.asked]

    @property
    def policy(self) -> PhasePolicy:
        """Who must agree to its start and its steps: by the template as it is now, and as it was when it was asked for.

        What stands under a request, and what was started on one, is judged by the stricter of both.
        """
        policy = self.policy_now
        for request in (self.grant, *getattr(self, "standing_requests", ())):
            if request is not None and request.policy:
                policy = policy.stricter(PhasePolicy.from_json(request.policy))
        return policy

    @property
    def policy_now(self) -> PhasePolicy:
        """As the template says it now."""
        try:
            return self.rollout.template.template.phase(self.name).approvals
        except KeyError:
            return default_for(self.audience)

    def _needs_approval(self, step: RampStep) -> bool:
        stands_at = self.percentage or NOTHING
        passed = tuple(s.percentage for s in self.steps.all() if stands_at < s.percentage < step.percentage)
        before, after = (NOBODY.with_percentage(share) for share in (stands_at, step.percentage))
        return self.policy.for_target(Target(False, step.percentage, before, after, passed)) is not None

    def _refuse_unless_granted(self, grant: Any, step: RampStep | None = None) -> None:
        """The wall that no new door can forget: nothing starts but on an approved request of its own."""
        fits = (
            grant is not None
            and grant.phase_id == self.pk
            and grant.state == "granted"
            and grant.is_start is (self.state != S.ACTIVE)
            and (step is None or grant.percentage == step.percentage)
        )
        if not fits:
            raise StateIsProtected(f"{self} has no approved request for this.")

    @_moves(state, "pause")
    def pause(self, *, at: datetime, reason: str) -> None:
        self.paused_at, self.reason = at, reason
        self.passed()

    @_moves(state, "resume")
    def resume(self) -> None:
        self.paused_at, self.reason = None, ""
        self.passed()

    @_moves(state, "complete")
    def complete(self, *, at: datetime) -> None:
        self.completed_at = at
        self.passed()

    @_moves(state, "skip")
    def skip(self, waiver: Any, *, at: datetime, reason: str) -> None:
        """On a waiver of its own that stands. Raises ``StateIsProtected``."""
        if waiver is None or not waiver.is_of_phase(self) or not waiver.stands(at):
            raise StateIsProtected(f"{self} has no waiver that lets it be skipped.")
        self.ended_at, self.reason = at, reason
        self.passed()

    @_moves(state, "roll_back")
    def roll_back(self, *, at: datetime, reason: str) -> None:
        self.ended_at, self.reason = at, reason
        self.passed()


class RampStep(AuditedModel):
    """One percentage of a ramp, with its soak. A ramp's order is its percentages', so it can only rise."""

    phase = models.ForeignKey(Phase, on_delete=models.PROTECT, related_name="steps")
    percentage = PercentageField(help_text=_("Percentage of actors, 0.001 to 100."))
    soak = models.DurationField(help_text=_("How long it must have stood in GitLab, as read, before the next step."))
    planned_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When it is planned to begin. By itself it never begins earlier.")
    )
    began_at = models.DateTimeField(null=True, blank=True, editable=False, help_text=_("When it was asked for."))
    auto = models.BooleanField(
        _("by itself"), default=False, help_text=_("It begins by itself when its time has come and nothing blocks it.")
    )

    class Meta:
        ordering = ("phase", "percentage")
        constraints = [
            models.UniqueConstraint(fields=("phase", "percentage"), name="each_percentage_once"),
            models.CheckConstraint(condition=Q(percentage__gt=0, percentage__lte=100), name="percentage_to_100"),
        ]

    def __str__(self) -> str:
        return say("{n} %", n=self.percentage)
