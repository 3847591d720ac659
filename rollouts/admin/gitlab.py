"""GitLab instances, and what was read of them."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from ..audit.actor import Actor
from ..models import FeatureFlag, FlagReading, GitLabActor, GitLabInstance, GitLabProject, SyncRun, TrackedIssue
from .base import AuditedAdmin, LookOnlyAdmin, LookOnlyInline


@admin.register(GitLabInstance)
class GitLabInstanceAdmin(AuditedAdmin):
    list_display = ("name", "url", "token_variable", "has_token", "flags_read_at", "flags_outcome")
    search_fields = ("name", "url")
    readonly_fields = ("has_token", "flags_read_at", "flags_outcome", "flags_words")

    @admin.display(boolean=True, description="token is set")
    def has_token(self, instance: GitLabInstance) -> bool:
        return bool(instance.token)


@admin.register(GitLabProject)
class GitLabProjectAdmin(LookOnlyAdmin):
    list_display = ("path", "instance", "issues_read_at", "issues_outcome", "flags_read_at", "flags_outcome")
    list_filter = ("instance", "issues_outcome")
    list_select_related = ("instance",)
    search_fields = ("path",)


@admin.register(GitLabActor)
class GitLabActorAdmin(LookOnlyAdmin):
    list_display = ("name", "gitlab_id", "instance", "asked_at")
    list_filter = ("instance",)
    list_select_related = ("instance",)
    search_fields = ("name", "gitlab_id")


class ReadingInline(LookOnlyInline):
    model = FlagReading
    fk_name = "flag"
    fields = ("read_at", "presence", "gates", "source", "entered_by", "evidence")
    readonly_fields = fields


@admin.register(FeatureFlag)
class FeatureFlagAdmin(AuditedAdmin):
    list_display = ("name", "project", "environment", "presence", "type", "group", "milestone", "default_enabled")
    list_filter = ("presence", "type", "instance")
    list_select_related = ("project", "instance")
    search_fields = ("name", "group")
    readonly_fields = ("presence", "reading")
    inlines = (ReadingInline,)


@admin.register(FlagReading)
class FlagReadingAdmin(LookOnlyAdmin):
    list_display = ("flag", "read_at", "presence", "source", "entered_by")
    list_filter = ("presence", "source")
    list_select_related = ("flag__project",)
    search_fields = ("flag__name",)
    date_hierarchy = "read_at"


@admin.register(TrackedIssue)
class TrackedIssueAdmin(LookOnlyAdmin):
    """Titles, labels and people of confidential issues are for those who may enter here; viewers may not."""

    list_display = ("reference", "shown_title", "state", "confidential", "task_done", "task_count", "found", "changed_at")
    list_filter = ("state", "confidential", "found")
    list_select_related = ("project__instance",)
    search_fields = ("iid", "project__path")

    def get_queryset(self, request: HttpRequest):  # type: ignore[no-untyped-def]
        self.sees_confidential = Actor.of(request.user).sees_confidential
        return super().get_queryset(request)

    @admin.display(description="title")
    def shown_title(self, issue: TrackedIssue) -> str:
        return issue.title_for(sees_confidential=self.sees_confidential)


@admin.register(SyncRun)
class SyncRunAdmin(LookOnlyAdmin):
    list_display = ("started_at", "instance", "trigger", "outcome", "calls", "flags_changed", "issues_changed")
    list_filter = ("outcome", "trigger", "instance")
    list_select_related = ("instance",)
    date_hierarchy = "started_at"
