"""AI models and plan templates."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from ..models import AIModel, PlanTemplate
from . import actions
from .base import AuditedAdmin
from .fields import LinesField


class AIModelForm(forms.ModelForm):
    default_for = LinesField(required=False, help_text="Features that use it by default, one a line.")
    selectable_for = LinesField(required=False, help_text="Features where it can be chosen, one a line.")


class AIModelAdmin(AuditedAdmin):
    form = AIModelForm
    bulk = actions.MODELS
    list_display = ("name", "provider", "host", "capability", "quota_requests_per_minute", "deprecated_on", "part_in")
    list_filter = ("provider", "host", "capability")
    search_fields = ("name", "slug", "provider", "provider_model_id", "host")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("catalogue_identifier",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "provider", "provider_model_id", "host", "capability", "description")}),
        ("What it can carry", {"fields": ("quota_requests_per_minute",)}),
        ("Where it is used", {"fields": ("default_for", "selectable_for")}),
        ("Its end", {"fields": ("deprecated_on", "removal_version")}),
        ("Where it came from", {"fields": ("catalogue_identifier",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(rollout_count=Count("rollouts"))

    @admin.display(description="rollouts", ordering="rollout_count")
    def part_in(self, model: Any) -> int:
        return int(model.rollout_count)

    def get_readonly_fields(self, request: HttpRequest, obj: AIModel | None = None) -> tuple[str, ...]:
        """Plans name a model by its slug: it stays."""
        return ("slug", *self.readonly_fields) if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: AIModel | None = None) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)


class PlanTemplateForm(forms.ModelForm):
    class Meta:
        model = PlanTemplate
        fields = ("slug", "title", "document")
        widgets = {
            "document": forms.Textarea(attrs={"rows": 34, "class": "code vLargeTextField", "spellcheck": "false"})
        }


class PlanTemplateAdmin(AuditedAdmin):
    form = PlanTemplateForm
    fields = ("title", "slug", "document")
    list_display = ("title", "slug", "builtin", "phases", "used_by")
    list_filter = ("builtin",)
    search_fields = ("title", "slug")
    change_form_template = "admin/plan_template.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(rollout_count=Count("rollouts"))

    @admin.display(description="phases")
    def phases(self, template: PlanTemplate) -> str:
        return " → ".join(phase.title for phase in template.template.phases)

    @admin.display(description="rollouts", ordering="rollout_count")
    def used_by(self, template: Any) -> int:
        return int(template.rollout_count)

    def has_change_permission(self, request: HttpRequest, obj: PlanTemplate | None = None) -> bool:
        """The built-in ones follow the portal's releases."""
        return super().has_change_permission(request, obj) and not (obj and obj.builtin)

    def has_delete_permission(self, request: HttpRequest, obj: PlanTemplate | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.builtin)

    def get_readonly_fields(self, request: HttpRequest, obj: PlanTemplate | None = None) -> tuple[str, ...]:
        """Plans name a template by its slug: it stays once a rollout was made from it."""
        return ("slug",) if obj and obj.rollouts.exists() else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """``?copy=slug`` begins with what another template says."""
        original = PlanTemplate.objects.filter(slug=request.GET.get("copy", "")).first()
        if original is None:
            return super().get_changeform_initial_data(request)
        slug = f"{original.slug}_copy"
        document = re.sub(r"(?m)^template:.*$", f"template: {slug}", original.document, count=1)
        return {"title": f"{original.title} (copy)", "slug": slug, "document": document}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleted one at a time: the built-in ones would be among the chosen."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}
