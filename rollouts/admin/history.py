"""The history, to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ..audit.actor import Actor
from ..models import AuditEvent
from .base import LookOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(LookOnlyAdmin):
    list_display = ("at", "actor", "verb", "object_type", "object_name", "rollout", "source", "reason")
    list_filter = ("source", "object_type", "verb")
    list_select_related = ("rollout",)
    search_fields = ("actor", "object_name", "reason")
    date_hierarchy = "at"

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if Actor.of(request.user).sees_confidential else ("confidential",)
