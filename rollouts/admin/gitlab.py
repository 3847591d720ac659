"""What is known of GitLab: where to read, what was read. What was read is never edited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _

from ..audit.actor import Actor
from ..models import FeatureFlag, FlagReading, GitLabInstance, GitLabProject, TrackedIssue, bindings, clock
from ..rules.phrases import spoken
from ..services import instances, issues
from . import codes, gitlab_actions
from .base import AuditedAdmin, LookOnly, RecordsOnly
from .fields import PathForm


class GitLabInstanceForm(forms.ModelForm):
    """An address is not typed here: whoever could, could send the token of another GitLab there."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:
            free = instances.unused_names()
            message = _("Names that GITLAB_INSTANCES binds to an address and that are not followed yet.")
            if not free:
                message = _(
                    "The environment names no other GitLab. Add name=https://host to GITLAB_INSTANCES, then restart."
                )
            self.fields["name"] = forms.ChoiceField(
                label=self.fields["name"].label,
                choices=[(name, f"{name} ({bindings.url_of(name)})") for name in free],
                help_text=message,
            )

    def clean(self) -> dict[str, Any] | None:
        if name := self.cleaned_data.get("name"):
            self.instance.url = bindings.url_of(name)
        return super().clean()


class GitLabInstanceAdmin(AuditedAdmin):
    form = GitLabInstanceForm
    bulk = gitlab_actions.INSTANCES
    list_display = ("name", "url", "token_in", "has_token", "retired_at", "flags_read_at", "flags_outcome")
    list_filter = (("retired_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "url")
    bound = ("url", "asked", "token_in", "has_token", "hook_secrets_in")
    read = ("flags_read_at", "flags_outcome", "flags_words")
    readonly_fields = (*bound, *read)
    fieldsets = (
        (
            None,
            {
                "fields": ("name", *bound),
                "description": _(
                    "Address and secrets come from the environment, which binds them to each other by the name."
                ),
            },
        ),
        (_("How much it may be asked"), {"fields": ("rate_share", "calls_a_minute")}),
        (_("When it was last read"), {"fields": read}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: GitLabInstance | None = None) -> tuple[str, ...]:
        return ("name", *self.readonly_fields) if obj else self.readonly_fields

    @admin.display(description=_("is asked"))
    def asked(self, instance: GitLabInstance) -> str:
        return str(spoken(instance.why_not_asked) or _("yes")) if instance.pk else "–"

    @admin.display(description=_("token in"))
    def token_in(self, instance: GitLabInstance) -> str:
        return instance.token_variable if instance.name else "–"

    @admin.display(description=_("webhook secrets in"))
    def hook_secrets_in(self, instance: GitLabInstance) -> str:
        return f"{instance.hook_secret_variable}, {instance.hook_signing_variable}" if instance.name else "–"

    @admin.display(description=_("token is there"), boolean=True)
    def has_token(self, instance: GitLabInstance) -> bool:
        return bool(instance.token)


class GitLabProjectAdmin(AuditedAdmin):
    form = PathForm
    bulk = gitlab_actions.READ
    list_display = ("path", "instance", "issue_count", "issues_read_at", "issues_outcome", "flags_outcome")
    list_filter = ("instance", "issues_outcome", "flags_outcome")
    list_select_related = ("instance",)
    search_fields = ("path",)
    readonly_fields = (
        "issues_read_at", "issues_outcome", "issues_words",
        "flags_read_at", "flags_outcome", "flags_words",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("instance", "path")}),
        (_("When it was last read"), {"fields": readonly_fields}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(issues_known=Count("issues"))

    @admin.display(description=_("issues"), ordering="issues_known")
    def issue_count(self, project: Any) -> int:
        return int(project.issues_known)

    def get_readonly_fields(self, request: HttpRequest, obj: GitLabProject | None = None) -> tuple[str, ...]:
        return ("instance", *self.readonly_fields) if obj else self.readonly_fields


class GitLabActorAdmin(RecordsOnly):
    """Who an actor is in GitLab decides who sees a model: it comes from GitLab, or is written in a plan as User:42."""

    list_display = ("name", "gitlab_id", "instance", "asked_at")
    list_filter = ("instance", ("gitlab_id", admin.EmptyFieldListFilter))
    list_select_related = ("instance",)
    search_fields = ("name", "gitlab_id")
    fields = ("instance", "name", "gitlab_id", "asked_at")


class ReadingsInline(LookOnly, admin.TabularInline):
    model = FlagReading
    fk_name = "flag"
    fields = ("read_at", "presence", "who_sees_it", "source", "entered_by", "evidence")
    readonly_fields = fields
    max_num = 0
    verbose_name_plural = _("readings, newest first")

    @admin.display(description=_("who sees it"))
    def who_sees_it(self, reading: FlagReading) -> str:
        return reading.exposure.words


class PlanFilter(admin.SimpleListFilter):
    """Flags with and without a rollout."""

    title, parameter_name = gettext_lazy("plan"), "plan"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("with", gettext_lazy("with a rollout")), ("without", gettext_lazy("without a rollout"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("with", "without"):
            return queryset.filter(rollouts__isnull=self.value() == "without").distinct()
        return queryset


class FeatureFlagAdmin(AuditedAdmin):
    bulk = gitlab_actions.READ
    list_display = ("name", "in_gitlab", "type", "group", "milestone", "default_enabled", "project", "rollout_count")
    list_filter = (PlanFilter, "presence", "type", "default_enabled", "instance")
    list_select_related = ("instance", "project", "reading")
    search_fields = ("name", "description", "group", "milestone")
    search_help_text = _("Name, description, group or milestone.")
    autocomplete_fields = ("project",)
    inlines = (ReadingsInline,)
    which = ("instance", "project", "environment", "name")
    fieldsets = (
        (None, {"fields": which}),
        (
            _("Definition"),
            {
                "fields": ("description", "type", "group", "milestone", "default_enabled"),
                "description": _("What GitLab's code says. A sync or an import of definitions writes over it."),
            },
        ),
        (_("Links"), {"fields": ("introduced_by_url", "rollout_issue_url", "feature_issue_url")}),
        (
            _("In GitLab"),
            {"fields": ("in_gitlab", "presence", "reading"), "description": _("Read, never edited.")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(rollouts_here=Count("rollouts"))

    @admin.display(description=_("rollouts"), ordering="rollouts_here")
    def rollout_count(self, flag: Any) -> int:
        return int(flag.rollouts_here)

    @admin.display(description=_("in GitLab"))
    def in_gitlab(self, flag: FeatureFlag) -> str:
        return flag.latest.words if flag.pk else "–"

    def get_readonly_fields(self, request: HttpRequest, obj: FeatureFlag | None = None) -> tuple[str, ...]:
        """Which flag it is stays; its default too, once it says for a rollout what GitLab's silence means."""
        read = ("in_gitlab", "presence", "reading")
        if obj is None:
            return read
        in_use = ("default_enabled",) if obj.rollouts.exists() else ()
        return (*self.which, *in_use, *read)


class FlagReadingAdmin(RecordsOnly):
    list_display = ("flag", "read_at", "presence", "who_sees_it", "source", "entered_by")
    list_filter = ("source", "presence")
    list_select_related = ("flag__project", "flag__instance")
    search_fields = ("flag__name", "evidence", "entered_by")
    date_hierarchy = "read_at"
    fields = ("flag", "read_at", "presence", "who_sees_it", "gates", "raw", "source", "entered_by", "evidence")
    readonly_fields = ("who_sees_it",)

    @admin.display(description=_("who sees it"))
    def who_sees_it(self, reading: FlagReading) -> str:
        return reading.exposure.words


def _of_issue(name: str, title: Any, **display: Any) -> Any:
    """A column or field that says of an issue what ``services.issues`` shows this reader."""

    @admin.display(description=title, **display)
    def value(page: Any, issue: Any) -> Any:
        told = getattr(issue.shown, name)
        return spoken(told) if isinstance(told, str) else ", ".join(told) if isinstance(told, tuple) else told

    return value


class TrackedIssueAdmin(AuditedAdmin):
    """Follow an issue by adding project and number; all else comes from GitLab."""

    bulk = gitlab_actions.READ

    may_change = False
    list_display = ("told", "title_seen", "stands", "is_confidential", "tasks", "notes", "found", "changed")
    list_filter = (codes.choice("state", issues.STATES), "confidential", "found", "project__instance")
    list_select_related = ("project__instance",)
    search_fields = ("iid", "project__path")
    search_help_text = _("Number or project.")
    autocomplete_fields = ("project",)
    readonly_fields = (
        "address", "stands", "is_confidential", "opened_at", "changed", "closed_at", "found", "first_read_at",
        "title_seen", "labels_seen", "people", "author_seen", "tasks", "notes",
    )  # fmt: skip
    title_seen = _of_issue("title", _("title"))
    stands = _of_issue("state", _("state"), ordering="state")
    is_confidential = _of_issue("is_confidential", _("confidential"), ordering="confidential", boolean=True)
    changed = _of_issue("changed_at", _("changed at"), ordering="changed_at")
    notes = _of_issue("notes", _("notes count"), ordering="notes_count")
    labels_seen = _of_issue("labels", _("labels"))
    people = _of_issue("assignees", _("assignees"))
    author_seen = _of_issue("author", _("author"))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        issue: Any = super().get_object(request, object_id, from_field)
        if issue is not None:
            issue.shown = issues.issue_shown(issue, Actor.of(request.user), clock.now())
        return issue

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist, viewer, now = super().get_changelist_instance(request), Actor.of(request.user), clock.now()
        for issue in changelist.result_list:
            issue.shown = issues.issue_shown(issue, viewer, now)
        return changelist

    def get_fields(self, request: HttpRequest, obj: TrackedIssue | None = None) -> tuple[str, ...]:
        return ("project", "iid", *(self.readonly_fields if obj else ()))

    @admin.display(description=_("tasks"))
    def tasks(self, issue: Any) -> str:
        message = gettext("%(done)s of %(all)s") % {"done": issue.shown.tasks_done, "all": issue.shown.tasks}
        return message if issue.shown.tasks else "–"

    @admin.display(description=_("issue"))
    def told(self, issue: TrackedIssue) -> str:
        return issue.reference

    @admin.display(description=_("address"))
    def address(self, issue: TrackedIssue) -> SafeString:
        return format_html('<a href="{0}" rel="noreferrer">{0}</a>', issue.url)
