"""What the portal owes to GitLab: one row for each effect, done exactly once."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..rules.phrases import say
from .flags import FeatureFlag
from .gitlab import GitLabInstance
from .guarded import GuardedModel, GuardedQuerySet
from .phases import Phase
from .phrase_fields import PhraseField
from .rollouts import Rollout


def new_marker() -> str:
    return uuid.uuid4().hex


class WriteQuerySet(GuardedQuerySet):
    def unfinished(self) -> WriteQuerySet:
        """In the order in which they were owed."""
        return self.filter(state__in=GitLabWrite.UNFINISHED).order_by("pk")

    def with_later(self) -> WriteQuerySet:
        """Each knows whether something newer was asked for since, as ``is_overtaken``."""
        later = GitLabWrite.objects.filter(lane=OuterRef("lane"), pk__gt=OuterRef("pk"))
        return self.annotate(is_overtaken=Exists(later))


class GitLabWrite(GuardedModel):
    """One effect in GitLab: gates of a flag, an issue, a note.

    ``marker`` stands in what is created, so that a retry can read whether it was done already. Writes of one ``lane``
    (a flag, an issue) happen in their order. A worker claims a row for a while; a dead worker's claim passes on.
    """

    class Kind(models.TextChoices):
        SET_GATES = "set_gates", say("set the flag")
        CREATE_ISSUE = "create_issue", say("create an issue")
        POST_NOTE = "post_note", say("post a note")

    class State(models.TextChoices):
        WAITING = "waiting", say("waiting")
        BEGUN = "begun", say("being done")
        DONE = "done", say("done")
        GIVEN_UP = "given_up", say("given up")
        CANCELLED = "cancelled", say("cancelled")

    UNFINISHED = ("waiting", "begun")
    first_state = "waiting"
    unaudited_fields = frozenset({"attempts", "next_attempt_at", "claimed_until", "claimed_by", "words", "touched"})

    kind = models.CharField(max_length=20, choices=Kind.choices)
    lane = models.CharField(
        max_length=100, help_text=_("Writes of one lane happen in their order: flag:7, issue:plan.")
    )
    instance = models.ForeignKey(GitLabInstance, on_delete=models.PROTECT, related_name="writes")
    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="writes")
    phase = models.ForeignKey(Phase, on_delete=models.PROTECT, null=True, blank=True, related_name="writes")
    flag = models.ForeignKey(FeatureFlag, on_delete=models.PROTECT, null=True, blank=True, related_name="writes")
    marker = models.CharField(max_length=32, unique=True, default=new_marker, editable=False)
    state = FSMField(choices=State.choices, default=State.WAITING, protected=True, db_index=True)
    title = PhraseField(max_length=300, help_text=_("What it does, in words."))
    is_narrowing = models.BooleanField(
        default=False, help_text=_("A way back: it is never given up, no lock holds it.")
    )
    believed = models.JSONField(default=dict, blank=True, help_text=_("Where the plan believed the flag to stand."))
    wanted = models.JSONField(default=dict, blank=True, help_text=_("Where the flag shall stand."))
    payload = models.JSONField(default=dict, blank=True, help_text=_("The issue or note to write."))
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    touched = models.BooleanField(default=False, editable=False, help_text=_("A call that changes GitLab was sent."))
    attempts = models.PositiveIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(editable=False)
    claimed_by = models.CharField(max_length=32, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    words = PhraseField(max_length=500, blank=True, help_text=_("How the last attempt ended."))
    ended_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(
        default=dict, blank=True, help_text=_("What was made: the issue's number, the note's id.")
    )

    objects = WriteQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("-pk",)
        verbose_name = _("write to GitLab")
        verbose_name_plural = _("writes to GitLab (outbox)")
        indexes = [
            models.Index(fields=("lane", "id"), name="write_by_lane"),
            models.Index(fields=("next_attempt_at",), condition=Q(state__in=("waiting", "begun")), name="write_due"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "begun"), ended_at__isnull=True)
                | (~Q(state__in=("waiting", "begun")) & Q(ended_at__isnull=False)),
                name="ended_writes_have_an_end",
            )
        ]

    def __str__(self) -> str:
        return self.title

    @transition(state, source=["waiting", "begun"], target="begun")
    def begin(self) -> None:
        self.passed()

    @transition(state, source="begun", target="done")
    def finish(self, *, at: datetime, result: dict[str, object]) -> None:
        self.ended_at, self.result, self.words = at, result, ""
        self.passed()

    @transition(state, source="begun", target="given_up")
    def give_up(self, *, at: datetime, words: str) -> None:
        self.ended_at, self.words = at, words
        self.passed()

    @transition(state, source=["waiting", "begun"], target="cancelled")
    def cancel(self, *, at: datetime, words: str) -> None:
        self.ended_at, self.words = at, words
        self.passed()

    @transition(state, source="given_up", target="waiting")
    def again(self, *, at: datetime) -> None:
        self.ended_at, self.next_attempt_at, self.attempts, self.asked_at = None, at, 0, at
        self.passed()
