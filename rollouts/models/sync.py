"""The bookkeeping of reading GitLab: passes, leases, health, webhook deliveries. None of it is history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..rules.phrases import say
from .gitlab import GitLabInstance, GitLabProject
from .phrase_fields import PhraseField, PhraseJSONField

if TYPE_CHECKING:
    pass


class SyncRun(models.Model):
    """One pass of reading one GitLab: what was asked, what was found, how long it took, what failed."""

    class Result(models.TextChoices):
        RUNNING = "running", say("running")
        OK = "ok", say("ok")
        PARTIAL = "partial", say("partial")
        FAILED = "failed", say("failed")
        INTERRUPTED = "interrupted", say("interrupted")

    instance = models.ForeignKey(GitLabInstance, on_delete=models.CASCADE, related_name="sync_runs")
    trigger = models.CharField(max_length=20, help_text=_("Who rang: beat, command, page."))
    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True, help_text=_("When something of it was last read."))
    outcome = models.CharField(max_length=20, choices=Result.choices, default=Result.RUNNING)
    calls = models.PositiveIntegerField(default=0, help_text=_("HTTP requests to GitLab."))
    flags_seen = models.PositiveIntegerField(default=0)
    flags_changed = models.PositiveIntegerField(default=0)
    flags_missing = models.PositiveIntegerField(default=0)
    issues_tracked = models.PositiveIntegerField(default=0)
    issues_changed = models.PositiveIntegerField(default=0)
    issues_missing = models.PositiveIntegerField(default=0)
    planned = models.PositiveIntegerField(default=0, help_text=_("Instances and projects to read in this pass."))
    done = models.PositiveIntegerField(default=0, help_text=_("Those that are read."))
    problems = PhraseJSONField(default=list, blank=True, help_text=_("What could not be read: scope, kind, words."))

    class Meta:
        ordering = ("-started_at", "-pk")
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="running", finished_at__isnull=True)
                | (~Q(outcome="running") & Q(finished_at__isnull=False)),
                name="finished_runs_have_an_end",
            )
        ]

    def __str__(self) -> str:
        return f"{self.instance} {self.started_at:%Y-%m-%d %H:%M:%S}"

    @property
    def seconds(self) -> float:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else 0.0


class SyncScope(models.Model):
    """What one worker reads at a time: an instance's flags and people, or a project's issues and flags.

    Its lease keeps two workers from the same work; a dead worker's lease passes on when its time is over.
    """

    instance = models.ForeignKey(GitLabInstance, on_delete=models.CASCADE, related_name="scopes")
    project = models.OneToOneField(
        GitLabProject,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="scope",
        help_text=_("Empty: all else."),
    )
    run = models.ForeignKey(
        SyncRun,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="waiting",
        help_text=_("Still to be read in it."),
    )
    holder = models.CharField(max_length=32, blank=True, help_text=_("Who reads it now."))
    held_until = models.DateTimeField(null=True, blank=True, help_text=_("From then on another worker may take it."))
    hinted_at = models.DateTimeField(null=True, blank=True, help_text=_("Asked for before its turn, by a webhook."))
    cursor = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("When it was last asked for, by GitLab's clock: only what changed since is asked for again."),
    )
    full_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When all of it was last asked for, not only what changed.")
    )
    etags = models.JSONField(
        default=dict, blank=True, help_text=_("GitLab's ETag by question, so that it need not answer twice.")
    )
    read_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the last reading that came to its end began.")
    )
    seconds = models.FloatField(default=0.0)
    calls = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0, help_text=_("Rows that were written."))

    class Meta:
        ordering = ("instance", "project")
        constraints = [
            models.UniqueConstraint(
                fields=("instance",), condition=Q(project__isnull=True), name="one_scope_for_the_instance"
            ),
            models.CheckConstraint(
                condition=Q(holder="", held_until__isnull=True) | (~Q(holder="") & Q(held_until__isnull=False)),
                name="a_lease_has_an_end",
            ),
        ]
        indexes = [models.Index(fields=("hinted_at",), name="scope_by_hint")]

    def __str__(self) -> str:
        return self.project.path if self.project else self.instance.name


class ReadingGap(models.Model):
    """A time in which an instance's, or a project's, flags were not read: longer than a reading counts as fresh."""

    instance = models.ForeignKey(GitLabInstance, on_delete=models.CASCADE, related_name="reading_gaps")
    project = models.ForeignKey(
        GitLabProject,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="reading_gaps",
        help_text=_("Empty: the instance's own flags."),
    )
    since = models.DateTimeField(null=True, blank=True, help_text=_("The reading before. Empty: there was none."))
    until = models.DateTimeField(help_text=_("The reading that ended it."))

    class Meta:
        ordering = ("-until", "-pk")
        constraints = [
            models.CheckConstraint(
                condition=Q(since__isnull=True) | Q(until__gt=models.F("since")), name="a_gap_ends_after_it_begins"
            )
        ]
        indexes = [models.Index(fields=("instance", "project", "-until"), name="gap_by_scope_and_time")]

    def __str__(self) -> str:
        return say("{what} until {time}", what=self.project or self.instance, time=f"{self.until:%Y-%m-%d %H:%M:%S}")


class InstanceHealth(models.Model):
    """How one GitLab and our token for it are doing, shared by all workers."""

    instance = models.OneToOneField(GitLabInstance, on_delete=models.CASCADE, related_name="health")
    rate_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Calls that GitLab allows in its window.")
    )
    rate_remaining = models.PositiveIntegerField(null=True, blank=True)
    rate_resets_at = models.DateTimeField(null=True, blank=True)
    rate_read_at = models.DateTimeField(null=True, blank=True)
    window_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Begin of the minute in which our calls are counted.")
    )
    window_calls = models.PositiveIntegerField(default=0)
    paused_until = models.DateTimeField(null=True, blank=True, help_text=_("GitLab asked all of us to wait."))
    failures = models.PositiveIntegerField(default=0, help_text=_("Failed calls in a row."))
    opened = models.PositiveIntegerField(default=0, help_text=_("How often in a row the circuit was opened."))
    open_until = models.DateTimeField(
        null=True, blank=True, help_text=_("Nothing is asked before, then one call is tried.")
    )
    words = PhraseField(max_length=500, blank=True, help_text=_("The newest failure and its cure."))
    failed_with = models.CharField(
        max_length=40, blank=True, help_text=_("A keyed digest of the address and token that failed.")
    )
    token_name = models.CharField(max_length=255, blank=True)
    token_scopes = models.JSONField(default=list, blank=True)
    token_expires_on = models.DateField(null=True, blank=True)
    token_read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = _("instance healths")

    def __str__(self) -> str:
        return say("health of {instance}", instance=self.instance)


class HookDelivery(models.Model):
    """One webhook delivery: stored first, answered at once, worked after. The same delivery is one row."""

    class State(models.TextChoices):
        WAITING = "waiting", say("waiting")
        DONE = "done", say("done")
        IGNORED = "ignored", say("of no interest")
        FAILED = "failed", say("failed")

    instance = models.ForeignKey(GitLabInstance, on_delete=models.CASCADE, related_name="deliveries")
    key = models.CharField(max_length=128, help_text=_("webhook-id or Idempotency-Key; else made from the content."))
    event = models.CharField(max_length=60, help_text=_("X-Gitlab-Event, cut."))
    project_path = models.CharField(max_length=255, blank=True)
    content = models.JSONField(
        default=dict, blank=True, help_text=_("What is needed of it; emptied once worked, for it may be confidential.")
    )
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)
    words = PhraseField(max_length=500, blank=True)
    happened_at = models.DateTimeField(null=True, blank=True, help_text=_("When GitLab says that it happened."))
    received_at = models.DateTimeField(db_index=True)
    worked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = _("hook deliveries")
        constraints = [
            models.UniqueConstraint(fields=("instance", "key"), name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", worked_at__isnull=True)
                | (~Q(state="waiting") & Q(worked_at__isnull=False)),
                name="worked_deliveries_have_a_time",
            ),
        ]
        indexes = [models.Index(fields=("state", "id"), name="delivery_by_state")]

    def __str__(self) -> str:
        return f"{self.event} {self.key[:12]}"
