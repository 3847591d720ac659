"""AI models and plan templates."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from ..models import AIModel, PlanTemplate
from .base import AuditedAdmin


@admin.register(AIModel)
class AIModelAdmin(AuditedAdmin):
    list_display = ("name", "provider", "host", "capability", "quota_requests_per_minute", "deprecated_on")
    list_filter = ("provider", "host", "capability")
    search_fields = ("name", "slug", "provider", "provider_model_id", "catalogue_identifier")
    date_hierarchy = "deprecated_on"


class TemplateForm(forms.ModelForm):
    class Meta:
        model = PlanTemplate
        fields = ("slug", "title", "document")
        widgets = {"document": forms.Textarea(attrs={"rows": 40, "cols": 110, "spellcheck": "false"})}


@admin.register(PlanTemplate)
class PlanTemplateAdmin(AuditedAdmin):
    form = TemplateForm
    list_display = ("title", "slug", "builtin")
    search_fields = ("title", "slug", "document")
    readonly_fields = ("builtin",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A built-in template follows the portal's releases; a template that rollouts use keeps its phases."""
        return super().has_change_permission(request, obj) and not (obj and obj.builtin)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.builtin)
