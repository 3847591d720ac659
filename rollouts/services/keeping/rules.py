"""The rules: each table of the portal has one that lets go of old rows, or stands among what stays, and why.

A test holds this against all models, so that nothing grows without a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from ...audit.actor import Actor
from ...models import (
    ApiToken,
    ChangeLock,
    GitLabWrite,
    HookDelivery,
    KeepingRun,
    LockPeriod,
    SyncRun,
    Verification,
)
from ...rules.phrases import say
from . import old_events


@dataclass(frozen=True, slots=True)
class Rule:
    """What is past its age goes. ``past`` are the rows of ``model`` that nobody needs any more at a moment.

    ``setting`` names the days, ``since`` from when they count, ``stays`` what is kept however old it is.
    ``with_it`` are tables whose rows go with those. Where no days mean for ever, ``is_off`` says so. What can't just be
    deleted has its own ``let_go``: one batch beyond a place, how many went and up to which place it looked (-1: to the
    end). ``may`` is whether whoever is connected to the database may.
    """

    name: str
    what: str
    model: str
    setting: str
    age: str
    since: str
    past: Callable[[datetime], QuerySet[Any]]
    stays: str = ""
    with_it: tuple[str, ...] = ()
    has_end: bool = True
    let_go: Callable[[KeepingRun, datetime, Actor, int], tuple[int, int]] | None = None
    may: Callable[[], bool] = lambda: True

    @property
    def is_off(self) -> bool:
        return not self.has_end and self.days == 0

    @property
    def days(self) -> int:
        return int(getattr(settings, self.setting))

    def older_than(self, now: datetime) -> datetime:
        return now - timedelta(days=self.days)

    @property
    def tables(self) -> tuple[str, ...]:
        return (self.model, *self.with_it)


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays, and why. ``age`` is the column of the first model that says how old a row is, or empty."""

    name: str
    what: str
    tables: tuple[str, ...]
    why: str
    age: str = ""


def of(label: str) -> type[models.Model]:
    """A model by its name; a table between two models is named after the field that made it."""
    model: type[models.Model] = apps.get_model(label)
    return model


def _rows(label: str) -> QuerySet[Any]:
    return of(label)._default_manager.all()


def _passes(older_than: datetime) -> QuerySet[Any]:
    newest = SyncRun.objects.order_by().values("instance").annotate(newest=Max("pk")).values("newest")
    over = SyncRun.objects.exclude(outcome=SyncRun.Result.RUNNING)
    return over.filter(started_at__lt=older_than).exclude(pk__in=newest)


def _deliveries(older_than: datetime) -> QuerySet[Any]:
    return HookDelivery.objects.filter(received_at__lt=older_than).exclude(state=HookDelivery.State.WAITING)


def _writes(older_than: datetime) -> QuerySet[Any]:
    """The newest of each lane stays: what the portal did last to a flag or an issue."""
    later = GitLabWrite.objects.filter(lane=OuterRef("lane"), pk__gt=OuterRef("pk"))
    over = GitLabWrite.objects.exclude(state__in=GitLabWrite.UNFINISHED)
    return over.filter(Exists(later), ended_at__lt=older_than)


def _locks(older_than: datetime) -> QuerySet[Any]:
    return ChangeLock.objects.filter(Q(ends_at__lt=older_than) | Q(ended_at__lt=older_than))


def _tokens(older_than: datetime) -> QuerySet[Any]:
    return ApiToken.objects.filter(Q(revoked_at__lt=older_than) | Q(expires_at__lt=older_than))


def _verifications(older_than: datetime) -> QuerySet[Any]:
    newest = Verification.objects.order_by("-pk").values("pk")[:1]
    return Verification.objects.filter(at__lt=older_than).exclude(pk__in=newest)


def _runs(older_than: datetime) -> QuerySet[Any]:
    newest = KeepingRun.objects.exclude(ended_at=None).order_by("-pk").values("pk")[:1]
    return KeepingRun.objects.filter(ended_at__lt=older_than).exclude(pk__in=newest)


RULES = (
    Rule(
        "events",
        say("Events of the history"),
        "rollouts.AuditEvent",
        "KEEP_EVENTS_DAYS",
        "at",
        say("after their rollout ended"),
        old_events.past,
        say(
            "What happened, who did it and why: the portal's own evidence. What another rollout rests on stays; of "
            "what goes a tombstone stays, so that the history verifies."
        ),
        ("rollouts.AuditEvent_concerns", "rollouts.AlsoTouched", "rollouts.EventWords"),
        has_end=False,
        let_go=old_events.let_go,
        may=old_events.may_go,
    ),
    Rule(
        "sessions",
        say("Sessions of browsers"),
        "rollouts.BrowserSession",
        "KEEP_SESSIONS_DAYS",
        "expire_date",
        say("after they ended"),
        lambda older_than: _rows("rollouts.BrowserSession").filter(expire_date__lt=older_than),
    ),
    Rule(
        "lock_outs",
        say("Failed sign-ins"),
        "axes.AccessAttempt",
        "KEEP_LOCK_OUTS_DAYS",
        "attempt_time",
        say("after the attempt"),
        lambda older_than: _rows("axes.AccessAttempt").filter(attempt_time__lt=older_than),
        say("That somebody was locked out stays in the history."),
        ("axes.AccessAttemptExpiration", "axes.AccessFailureLog", "axes.AccessLog"),
    ),
    Rule(
        "sync_runs",
        say("Passes over GitLab"),
        "rollouts.SyncRun",
        "KEEP_SYNC_RUNS_DAYS",
        "started_at",
        say("after they began"),
        _passes,
        say("The newest of each GitLab stays."),
    ),
    Rule(
        "deliveries",
        say("Webhook deliveries"),
        "rollouts.HookDelivery",
        "KEEP_DELIVERIES_DAYS",
        "received_at",
        say("after they came"),
        _deliveries,
        say("What waits to be worked stays."),
    ),
    Rule(
        "writes",
        say("Writes to GitLab"),
        "rollouts.GitLabWrite",
        "KEEP_WRITES_DAYS",
        "asked_at",
        say("after they ended"),
        _writes,
        say("What is owed stays, and the newest of each flag and issue."),
    ),
    Rule(
        "notices",
        say("Notifications"),
        "rollouts.Notice",
        "KEEP_NOTICES_DAYS",
        "at",
        say("after what they tell of"),
        lambda older_than: _rows("rollouts.Notice").filter(at__lt=older_than),
        say("What happened stays in the history."),
        ("rollouts.OwedMail",),
    ),
    Rule(
        "chats",
        say("What chats were told"),
        "rollouts.OwedChat",
        "KEEP_NOTICES_DAYS",
        "since",
        say("after what they tell of"),
        lambda older_than: _rows("rollouts.OwedChat").filter(since__lt=older_than),
        say("What happened stays in the history."),
    ),
    Rule(
        "conditions",
        say("What began and ended by the clock, and was told"),
        "rollouts.Condition",
        "KEEP_NOTICES_DAYS",
        "began_at",
        say("after it ended"),
        lambda older_than: _rows("rollouts.Condition").filter(ended_at__lt=older_than),
        say("What holds stays, and all of it in the history."),
    ),
    Rule(
        "samples",
        say("Values of guard metrics"),
        "rollouts.MetricSample",
        "KEEP_SAMPLES_DAYS",
        "at",
        say("after they were measured"),
        lambda older_than: _rows("rollouts.MetricSample").filter(at__lt=older_than),
        say("What made the portal pause or roll back stays in the history, with the values that it saw."),
    ),
    Rule(
        "locks",
        say("Change locks by hand"),
        "rollouts.ChangeLock",
        "KEEP_LOCKS_DAYS",
        "created_at",
        say("after they ended"),
        _locks,
        say("Locks of every week stay until somebody ends them."),
    ),
    Rule(
        "lock_periods",
        say("Periods of lock calendars"),
        "rollouts.LockPeriod",
        "KEEP_LOCKS_DAYS",
        "ends_at",
        say("after they ended"),
        lambda older_than: LockPeriod.objects.filter(ends_at__lt=older_than),
    ),
    Rule(
        "tokens",
        say("API tokens"),
        "rollouts.ApiToken",
        "KEEP_TOKENS_DAYS",
        "created_at",
        say("after they were revoked or ran out"),
        _tokens,
    ),
    Rule(
        "verifications",
        say("Verifications of the history"),
        "rollouts.Verification",
        "KEEP_VERIFICATIONS_DAYS",
        "at",
        say("after they were made"),
        _verifications,
        say("The newest stays."),
    ),
    Rule(
        "keeping",
        say("Runs of this job"),
        "rollouts.KeepingRun",
        "KEEP_VERIFICATIONS_DAYS",
        "begun_at",
        say("after they ended"),
        _runs,
        say("The newest stays."),
    ),
)

KEPT = (
    Kept(
        "seals",
        say("Seals and checkpoints"),
        (
            "rollouts.Seal",
            "rollouts.Tombstone",
            "rollouts.Checkpoint",
            "rollouts.CheckpointCopy",
            "rollouts.PersonSalt",
        ),
        say("They prove the history. Without them no event could be verified."),
    ),
    Kept(
        "readings",
        say("Readings of flags, and gaps in them"),
        ("rollouts.FlagReading", "rollouts.ReadingGap"),
        say("What was live for whom: exposure, drift and «as of» are drawn from them. One for each change of a flag."),
        "read_at",
    ),
    Kept(
        "approvals",
        say("Approvals, overrides and waivers"),
        ("rollouts.ApprovalRequest", "rollouts.Approval", "rollouts.Override", "rollouts.Waiver"),
        say("Who allowed what."),
    ),
    Kept(
        "rollouts",
        say("Rollouts with their plans and issues"),
        (
            "rollouts.Rollout",
            "rollouts.Phase",
            "rollouts.RampStep",
            "rollouts.ChecklistItem",
            "rollouts.RolloutIssue",
            "rollouts.DriftCase",
            "rollouts.RolloutOrder",
            "rollouts.TrackedIssue",
            "rollouts.IssueFeedback",
            "rollouts.PortfolioRow",
            "rollouts.RowWait",
            "rollouts.MetricWatch",
        ),
        say("They grow by what is planned, and the history is about them."),
    ),
    Kept(
        "gitlab",
        say("GitLabs, projects, flags, models and templates"),
        (
            "rollouts.GitLabInstance",
            "rollouts.GitLabProject",
            "rollouts.GitLabActor",
            "rollouts.InstanceHealth",
            "rollouts.SyncScope",
            "rollouts.FeatureFlag",
            "rollouts.IncidentSource",
            "rollouts.LockCalendar",
            "rollouts.AIModel",
            "rollouts.PlanTemplate",
        ),
        say("A row for each that there is; reading again changes rows and adds none."),
    ),
    Kept(
        "people",
        say("People, their views and feeds"),
        (
            "auth.User",
            "auth.User_groups",
            "auth.User_user_permissions",
            "auth.Group",
            "auth.Group_permissions",
            "auth.Permission",
            "contenttypes.ContentType",
            "admin.LogEntry",
            "rollouts.Account",
            "rollouts.Identity",
            "rollouts.FormerIdentity",
            "rollouts.Absence",
            "rollouts.SecondFactor",
            "rollouts.Passkey",
            "rollouts.NoticePlace",
            "rollouts.NoticeSettings",
            "rollouts.FollowedRollout",
            "rollouts.Sender",
            "rollouts.ChatRoom",
            "rollouts.FeedKey",
            "rollouts.SavedView",
        ),
        say("A few rows for each person. A feed's row stays so that addresses that were ended open nothing again."),
    ),
)
