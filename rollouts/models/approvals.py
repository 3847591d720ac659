"""Requests for approval, the approvals given, and overrides with the review that they owe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..rules.approvals import REQUEST_WORDS, STANDING, RequestState
from ..rules.machine import PHASE_VERBS
from ..rules.phrases import say
from .change_log import AuditedModel, Change
from .guarded import GuardedModel, GuardedQuerySet
from .in_a_list import InAList
from .percentages import PercentageField
from .phases import Phase
from .phrase_fields import PhraseJSONField, PhraseTextField

R = RequestState


class ApprovalIsProtected(RuntimeError):
    """Somebody tried to write an approval that nobody gave, or that does not count."""


@dataclass(frozen=True, slots=True)
class RestsOn:
    """Something outside a rollout that a request is about: from a rollout to it, and which of its fields are shown."""

    paths: tuple[str, ...]
    fields: frozenset[str]


#: What may be edited under a request by other doors than its plan.
RESTS_ON = {
    "rollouts.PlanTemplate": RestsOn(("template",), frozenset({"slug", "document"})),
    "rollouts.AIModel": RestsOn(
        ("ai_model", "baseline"),
        frozenset({"slug", "name", "provider", "provider_model_id", "host", "capability", "quota_requests_per_minute"}),
    ),
    "rollouts.FeatureFlag": RestsOn(("flag",), frozenset({"name", "instance_id", "project_id", "environment"})),
    "rollouts.GitLabInstance": RestsOn(("flag__instance",), frozenset({"name", "url"})),
}
STATES = [(state.value, words) for state, words in REQUEST_WORDS.items()]


class RequestQuerySet(GuardedQuerySet):
    def standing(self) -> RequestQuerySet:
        return self.filter(state__in=sorted(STANDING))

    def note_authors(self, names: Iterable[str], changes: Iterable[Change]) -> list[Any]:
        """Who edits what a standing request rests on is an author of it. Called at the end of every recorded change.

        Returns the rollouts whose requests changed: it stands in their history too.
        """
        touched = Q()
        for change in changes:
            what = RESTS_ON.get(change.label)
            if what is not None and change.before and what.fields & change.after.keys():
                for path in what.paths:
                    touched |= Q(**{f"phase__rollout__{path}": change.pk})
        if not touched:
            return []
        rollouts = []
        for request in self.standing().filter(touched).locked().select_related("phase__rollout"):
            if new := [name for name in names if name not in request.authors]:
                request.authors = [*request.authors, *new]
                request.save()
                rollouts.append(request.phase.rollout)
        return rollouts


class ApprovalRequest(GuardedModel):
    """Somebody asks that a phase may start, or take a step. ``digest`` is of exactly what would be done.

    When that changes, a new round begins: what was approved before no longer counts.
    """

    first_state = R.OPEN
    #: The approvals; there on the requests of ``Rollout.objects.for_rules()``.
    given: list[Approval]

    phase = models.ForeignKey(Phase, on_delete=models.PROTECT, related_name="requests")
    is_start = models.BooleanField(help_text=_("For the start of the phase; otherwise for one step of its ramp."))
    percentage = PercentageField(null=True, blank=True, help_text=_("To which percentage of actors."))
    state = FSMField(
        choices=[(state.value, words) for state, words in REQUEST_WORDS.items()],
        default=R.OPEN,
        protected=True,
        db_index=True,
    )
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text=_("What is not used by then must be asked for again."))
    round = models.PositiveSmallIntegerField(default=1, help_text=_("Counts how often what was asked for has changed."))
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of what would be done."))
    content = PhraseJSONField(default=dict, help_text=_("What would be done, in words and values."))
    changed = PhraseJSONField(default=list, blank=True, help_text=_("What changed since the round before."))
    policy = models.JSONField(
        default=dict,
        editable=False,
        help_text=_("Who had to agree when it was asked for: the stricter of this and of what holds now counts."),
    )
    authors = models.JSONField(
        default=list,
        editable=False,
        help_text=_("Who has edited its template or AI model since it was asked for: they can't approve it."),
    )
    carried = models.JSONField(
        default=dict,
        editable=False,
        help_text=_("Digests of an earlier release, each with the one that is made of the same content now."),
    )
    waiting_since = models.DateTimeField(
        null=True,
        editable=False,
        help_text=_("Since when it waits for an answer; empty where it is back with who asked."),
    )
    waited = models.DurationField(
        default=timedelta, editable=False, help_text=_("Working time that it waited before that.")
    )
    reminders = models.PositiveSmallIntegerField(
        default=0,
        editable=False,
        help_text=_("How often its approvers were reminded: at half of the time, at its end."),
    )
    first_answer_after = models.DurationField(
        null=True, editable=False, help_text=_("Working time to the first answer.")
    )
    decided_after = models.DurationField(null=True, editable=False, help_text=_("Working time to the decision."))
    source = models.CharField(max_length=20, blank=True, editable=False, help_text=_("From where it was asked for."))
    way = models.JSONField(default=dict, editable=False, help_text=_("By what session, token or user of the system."))
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True)
    reason = PhraseTextField(blank=True, help_text=_("Why it was rejected or withdrawn."))

    objects = RequestQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("-requested_at", "-pk")
        constraints = [
            models.UniqueConstraint(
                fields=("phase",), condition=Q(state__in=sorted(STANDING)), name="one_standing_request"
            ),
            models.CheckConstraint(condition=Q(state__in=[s.value for s in R]), name="request_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=sorted(STANDING), closed_at__isnull=True)
                | (~Q(state__in=sorted(STANDING)) & Q(closed_at__isnull=False)),
                name="closed_requests_have_an_end",
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("requested_at")), name="a_request_lives_for_a_while"),
            models.CheckConstraint(condition=~Q(state="rejected") | ~Q(reason=""), name="rejected_with_a_reason"),
        ]

    def __str__(self) -> str:
        if not self.percentage:
            return str(self.phase)
        return say("{what} at {percentage} %", what=self.phase, percentage=self.percentage)

    @transition(state, source=R.OPEN, target=R.GRANTED)
    def grant(self, *, needed: int) -> None:
        """Enough people have approved. Raises ``ApprovalIsProtected`` if that is not so."""
        given = self.approvals.values_list("approver", "digest")  # as it is stored, whatever somebody has in memory
        people = {who for who, digest in given if self.carried.get(digest, digest) == self.digest}
        if needed < 1 or len(people) < needed:
            raise ApprovalIsProtected(f"{self} has {len(people)} of {needed} approvals.")
        self.passed()

    @transition(state, source=R.GRANTED, target=R.OPEN)
    def reopen(self) -> None:
        self.passed()

    @transition(state, source=R.GRANTED, target=R.USED)
    def use(self, *, by: str, at: datetime) -> None:
        self._close(by, at, "")

    @transition(state, source=R.OPEN, target=R.REJECTED)
    def reject(self, *, by: str, at: datetime, reason: str) -> None:
        self._close(by, at, reason)

    @transition(state, source=[R.OPEN, R.GRANTED], target=R.WITHDRAWN)
    def withdraw(self, *, by: str, at: datetime, reason: str) -> None:
        self._close(by, at, reason)

    @transition(state, source=[R.OPEN, R.GRANTED], target=R.EXPIRED)
    def expire(self, *, by: str, at: datetime) -> None:
        self._close(by, at, "")

    @transition(state, source=[R.OPEN, R.GRANTED], target=R.DROPPED)
    def drop(self, *, by: str, at: datetime, reason: str) -> None:
        self._close(by, at, reason)

    def _close(self, by: str, at: datetime, reason: str) -> None:
        self.closed_by, self.closed_at, self.reason = by, at, reason
        self.passed()


class ApprovalQuerySet(GuardedQuerySet):
    def with_people(self) -> ApprovalQuerySet:
        """With who gave each, and ``groups``: the names of the person's groups, None without any."""
        members: models.QuerySet[Any] = get_user_model().groups.through.objects.filter(user=OuterRef("person"))
        groups = members.order_by().values("user").annotate(found=InAList("group__name")).values("found")
        return self.select_related("person__account").annotate(groups=Subquery(groups))


class Approval(AuditedModel):
    """One person said yes to exactly this content. It is never changed; what it was for may change under it."""

    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="approvals")
    approver = models.CharField(max_length=150)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Empty for who runs manage.py. A person who loses the role no longer counts."),
    )
    asked_by = models.CharField(max_length=150, help_text=_("Who asked, so that the database itself keeps four eyes."))
    own_allowed = models.BooleanField(default=False, help_text=_("The policy lets the requester approve."))
    at = models.DateTimeField()
    digest = models.CharField(max_length=64)
    note = models.TextField(blank=True)
    source = models.CharField(max_length=20, blank=True, editable=False, help_text=_("From where it was given."))
    way = models.JSONField(default=dict, editable=False, help_text=_("By what session, token or user of the system."))

    objects = ApprovalQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("at", "pk")
        constraints = [
            models.UniqueConstraint(fields=("request", "approver", "digest"), name="one_approval_per_person"),
            models.CheckConstraint(condition=Q(own_allowed=True) | ~Q(approver=F("asked_by")), name="four_eyes"),
        ]

    def __str__(self) -> str:
        return say("{who} for {what}", who=self.approver, what=self.request)

    def refuse_shortcuts(self, fields: Any = None) -> None:
        """An approval is for what stands now, by a person who is there, and is written once."""
        if not self._state.adding:
            raise ApprovalIsProtected("an approval is never changed")
        if self.request.state != R.OPEN or self.digest != self.request.digest:
            raise ApprovalIsProtected("an approval is for an open request, and for exactly what it asks")
        if self.asked_by != self.request.requested_by:
            raise ApprovalIsProtected("an approval names who asked")
        if self.person is not None and (self.person.get_username() != self.approver or not self.person.is_active):
            raise ApprovalIsProtected("an approval is by the person that it names")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise ApprovalIsProtected("an approval is never deleted")


class Override(AuditedModel):
    """An admin passed blockers. That is a debt: a second person must look at it, and say so, by ``due_at``."""

    phase = models.ForeignKey(Phase, on_delete=models.PROTECT, related_name="overrides")
    verb = models.CharField(max_length=20)
    by = models.CharField(max_length=150)
    at = models.DateTimeField()
    reason = models.TextField()
    blockers = PhraseJSONField(default=list, help_text=_("What stood in the way, in words."))
    due_at = models.DateTimeField(help_text=_("By when a second person must have reviewed it."))
    reviewed_by = models.CharField(max_length=150, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    verdict = models.TextField(blank=True, help_text=_("What the review found."))

    class Meta:
        ordering = ("-at", "-pk")
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="override_has_a_reason"),
            models.CheckConstraint(condition=~Q(reviewed_by=F("by")), name="reviewed_by_a_second_person"),
            models.CheckConstraint(
                condition=Q(reviewed_by="", reviewed_at__isnull=True, verdict="")
                | (~Q(reviewed_by="") & Q(reviewed_at__isnull=False) & ~Q(verdict="")),
                name="a_review_says_who_when_and_what",
            ),
        ]

    def __str__(self) -> str:
        return say("{verb} of {phase}", verb=self.verb_label, phase=self.phase)

    @property
    def verb_label(self) -> str:
        return PHASE_VERBS[self.verb].label
