"""Which page each model has in the admin."""

from __future__ import annotations

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin import site
from django.contrib.auth.models import Group, User

from .. import models
from . import approvals_and_locks, catalogue, gitlab, history, people, phases, rollouts, tokens

PAGES = (
    (models.Rollout, rollouts.RolloutAdmin),
    (models.Phase, phases.PhaseAdmin),
    (models.ChecklistItem, phases.ChecklistItemAdmin),
    (models.AIModel, catalogue.AIModelAdmin),
    (models.PlanTemplate, catalogue.PlanTemplateAdmin),
    (models.GitLabInstance, gitlab.GitLabInstanceAdmin),
    (models.GitLabProject, gitlab.GitLabProjectAdmin),
    (models.GitLabActor, gitlab.GitLabActorAdmin),
    (models.FeatureFlag, gitlab.FeatureFlagAdmin),
    (models.FlagReading, gitlab.FlagReadingAdmin),
    (models.TrackedIssue, gitlab.TrackedIssueAdmin),
    (models.ApprovalRequest, approvals_and_locks.ApprovalRequestAdmin),
    (models.Override, approvals_and_locks.OverrideAdmin),
    (models.Waiver, approvals_and_locks.WaiverAdmin),
    (models.DriftCase, approvals_and_locks.DriftCaseAdmin),
    (models.ChangeLock, approvals_and_locks.ChangeLockAdmin),
    (models.LockCalendar, approvals_and_locks.LockCalendarAdmin),
    (models.IncidentSource, approvals_and_locks.IncidentSourceAdmin),
    (models.ChatRoom, approvals_and_locks.ChatRoomAdmin),
    (models.GitLabWrite, approvals_and_locks.GitLabWriteAdmin),
    (models.SyncRun, history.SyncRunAdmin),
    (models.MetricSample, history.MetricSampleAdmin),
    (models.AuditEvent, history.AuditEventAdmin),
    (models.ApiToken, tokens.ApiTokenAdmin),
    (models.FeedKey, tokens.FeedKeyAdmin),
    (User, people.PersonAdmin),
    (Group, people.RoleAdmin),
    (AccessAttempt, people.AccessAttemptAdmin),
)
#: Pages that other packages bring and that would write no history.
OTHERS = (User, Group, AccessAttempt, AccessLog, AccessFailureLog)


def register_all() -> None:
    for model in OTHERS:
        if site.is_registered(model):
            site.unregister(model)
    for model, page in PAGES:
        site.register(model, page)
