"""Which page each model has in the admin."""

from __future__ import annotations

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin import site
from django.contrib.auth.models import Group, User

from .. import models
from . import catalogue, gitlab, governance, history, people, phases, rollouts, tokens

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
    (models.ApprovalRequest, governance.ApprovalRequestAdmin),
    (models.Override, governance.OverrideAdmin),
    (models.ChangeLock, governance.ChangeLockAdmin),
    (models.LockCalendar, governance.LockCalendarAdmin),
    (models.IncidentSource, governance.IncidentSourceAdmin),
    (models.GitLabWrite, governance.GitLabWriteAdmin),
    (models.SyncRun, history.SyncRunAdmin),
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
