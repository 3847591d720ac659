"""Records of what happened: passes of reading GitLab, and history itself. Nobody changes either."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..audit.actor import Actor
from ..models import AuditEvent, SyncRun
from ..portal.presenters.history import SOURCES, kind
from ..portal.presenters.sync_page import RUNG_BY
from . import codes
from .base import RecordsOnly


class SyncRunAdmin(RecordsOnly):
    list_display = ("started_at", "instance", "rung_by", "outcome", "took", "calls", "flags_changed", "issues_changed")
    list_filter = ("outcome", "instance", codes.choice("trigger", RUNG_BY))
    rung_by = codes.column("trigger", RUNG_BY, _("trigger"))
    list_select_related = ("instance",)
    date_hierarchy = "started_at"
    search_fields = ("instance__name", "problems")

    @admin.display(description=_("seconds"))
    def took(self, run: SyncRun) -> str:
        return f"{run.seconds:.1f}" if run.finished_at else gettext("running")


class MetricSampleAdmin(RecordsOnly):
    list_display = ("at", "rollout", "name", "value", "baseline")
    date_hierarchy = "at"
    list_select_related = ("rollout",)
    search_fields = ("name", "rollout__title", "rollout__slug")
    fields = ("rollout", "name", "at", "value", "baseline")
    ordering = ("-at", "-pk")
    show_full_result_count = False


class SubjectFilter(admin.SimpleListFilter):
    """By the first part of the verb; a fixed list, so that it asks nothing of a long history."""

    title, parameter_name = _("subject"), "subject"
    SUBJECTS = (
        "phase", "rollout", "plan", "item", "approval", "override", "ramp", "lock", "calendar", "incidents", "drift",
        "flag", "reading", "issue", "project", "actor", "outbox", "model", "template", "instance", "token", "person",
        "admin",
    )  # fmt: skip

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(subject, gettext(subject)) for subject in self.SUBJECTS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(verb__startswith=f"{self.value()}.") if self.value() in self.SUBJECTS else queryset


class AuditEventAdmin(RecordsOnly):
    list_display = ("at", "actor", "did", "what", "rollout", "why", "came_from")
    did = codes.column("verb", kind, _("verb"))
    came_from = codes.column("source", SOURCES, _("source"))
    list_filter = (SubjectFilter, "actor_kind")
    list_select_related = ("rollout",)
    search_fields = ("object_name", "actor", "reason", "rollout__title")
    search_help_text = _("Names, people and reasons. The History page of the portal has more filters.")
    ordering = ("-at", "-pk")
    told = ("before_told", "after_told", "snapshot_told")
    first_fields = (
        "at", "actor", "actor_kind", "verb", "object_type", "object_id", "what",
        "rollout", "why", "source", "came", "request_id", "chain",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        secret = ("confidential_told",) if Actor.of(request.user).sees_confidential else ()
        return (*self.first_fields, *self.told, *secret)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.get_fields(request, obj)

    @admin.display(description=_("object name"), ordering="object_name")
    def what(self, event: AuditEvent) -> str:
        return str(event.in_words("object_name"))

    @admin.display(description=_("reason"), ordering="reason")
    def why(self, event: AuditEvent) -> str:
        return str(event.in_words("reason"))

    @admin.display(description=_("came"))
    def came(self, event: AuditEvent) -> str:
        return event.way_in_words

    @admin.display(description=_("before"))
    def before_told(self, event: AuditEvent) -> SafeString:
        return pretty(event.shown("before"))

    @admin.display(description=_("after"))
    def after_told(self, event: AuditEvent) -> SafeString:
        return pretty(event.shown("after"))

    @admin.display(description=_("as it was then"))
    def snapshot_told(self, event: AuditEvent) -> SafeString:
        return pretty(event.shown("snapshot"))

    @admin.display(description=_("confidential"))
    def confidential_told(self, event: AuditEvent) -> SafeString:
        return pretty(event.confidential)


def pretty(values: Any) -> SafeString:
    if not values:
        return format_html("{}", "–")
    return format_html("<pre>{}</pre>", json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False))
