"""Rollouts: what a plan does not decide is edited here, the rest through the plan and transitions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..models import ChecklistItem, Phase, Rollout, RolloutIssue
from ..rules import names
from ..rules.machine import RolloutState
from . import actions
from .base import LookOnly, is_admin, may_look
from .fields import LinesField
from .transitions import RolloutTransitions

OVER = (RolloutState.ABANDONED, RolloutState.CLOSED)


class RolloutForm(forms.ModelForm):
    owners = LinesField(required=False, check=names.person, help_text="User names of those who drive it, one a line.")


class PhasesInline(LookOnly, admin.TabularInline):
    model = Phase
    fields = ("title", "attempt", "state", "audience", "current_step", "started_at", "confirmed_at", "completed_at")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = "phases (open one for its steps and transitions)"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("current_step")


class ItemsInline(LookOnly, admin.TabularInline):
    model = ChecklistItem
    fields = ("title", "phase", "kind", "gate", "required", "confirmed_by", "confirmed_at")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = "checklist (confirmed on the rollout's page)"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("phase")


class IssueLinkForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        """Roles and phases are the template's."""
        cleaned: dict[str, Any] = super().clean() or {}
        rollout = self.instance.rollout if self.instance.rollout_id else None
        if rollout is None:
            return cleaned
        template = rollout.template.template
        if (role := cleaned.get("role")) and role not in template.roles:
            raise ValidationError({"role": f"«{role}» is no role of {template.slug}: {', '.join(template.roles)}."})
        if (phase := cleaned.get("phase_name")) and phase not in template.phase_names:
            said = f"«{phase}» is no phase of {template.slug}: {', '.join(template.phase_names)}."
            raise ValidationError({"phase_name": said})
        return cleaned


class IssuesInline(admin.StackedInline):
    model = RolloutIssue
    form = IssueLinkForm
    extra = 0
    fields = ("role", "phase_name", "issue")
    autocomplete_fields = ("issue",)
    verbose_name_plural = "issues (a changed issue makes an open request stale)"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("issue__project__instance", "rollout__template")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_look(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_admin(request) and not (obj and obj.state in OVER)

    has_add_permission = has_delete_permission = has_change_permission


class RolloutAdmin(RolloutTransitions):
    form = RolloutForm
    bulk = actions.ROLLOUTS
    is_about_the_plan = True
    may_add = may_delete = False
    list_display = ("title", "state", "drift", "ai_model", "flag_name", "driven_by", "created_at", "page")
    list_filter = ("state", "drift", "ai_model__provider", "template")
    list_select_related = ("ai_model", "baseline", "flag__project", "flag__instance", "template")
    search_fields = ("title", "slug", "flag__name", "ai_model__name", "ai_model__slug")
    search_help_text = "Title, short name, flag or AI model."
    date_hierarchy = "created_at"
    inlines = (PhasesInline, IssuesInline, ItemsInline)
    by_plan = ("slug", "ai_model", "baseline", "flag", "template", "criteria", "timeline")
    by_the_portal = (
        "state", "version", "drift", "drift_since", "created_at", "created_by",
        "completed_at", "abandoned_at", "closed_at",
    )  # fmt: skip
    readonly_fields = (*by_plan, *by_the_portal)
    fieldsets = (
        (None, {"fields": ("title", "owners", "peak_requests_per_minute", "mitigation")}),
        ("From the plan", {"fields": by_plan, "description": "These are changed by applying a plan."}),
        ("What the portal knows", {"fields": by_the_portal, "description": "These follow from transitions and syncs."}),
    )

    @admin.display(description="flag", ordering="flag__name")
    def flag_name(self, rollout: Rollout) -> str:
        return rollout.flag.name

    @admin.display(description="owners")
    def driven_by(self, rollout: Rollout) -> str:
        return ", ".join(rollout.owners) or "nobody"

    @admin.display(description="in the portal")
    def page(self, rollout: Rollout) -> SafeString:
        plan = reverse("portal:plan", args=[rollout.slug])
        return format_html('<a href="{}">page</a> · <a href="{}">plan</a>', rollout.get_absolute_url(), plan)

    def has_change_permission(self, request: HttpRequest, obj: Rollout | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.state in OVER)
