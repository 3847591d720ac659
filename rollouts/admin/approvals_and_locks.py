"""Approvals, overrides, change locks and the outbox: records to look at, and the sources of locks to configure.

Deciding, locking and writing happen on the portal's pages, through their services.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_lazy as _

from ..audit.actor import Actor
from ..models import Approval, IncidentSource, Phase, clock
from ..rules import ways
from ..rules.approvals import STANDING
from ..rules.machine import PHASE_VERBS, Role
from ..rules.offers import ABOUT_A_REQUEST
from ..rules.phrases import joined
from . import actions, codes
from .base import AuditedAdmin, LookOnly, RecordsOnly
from .fields import LinesField, PathForm
from .history import pretty

#: What the verbs of phases are called.
VERB_LABELS = {verb.name: verb.label for verb in PHASE_VERBS.values()}


class ApprovalsInline(LookOnly):
    model = Approval
    fields = readonly_fields = ("approver", "at", "came", "digest", "note")

    @admin.display(description=_("came"))
    def came(self, approval: Approval) -> str:
        return ways.in_words(approval.source, approval.way)


class ApprovalRequestAdmin(RecordsOnly):
    """Requests with who approved what; decided in the inbox or on the phase's page."""

    list_display = ("phase", "rollout", "percentage", "state", "requested_by", "requested_at", "expires_at", "round")
    list_filter = ("state", "is_start")
    list_select_related = ("phase__rollout",)
    search_fields = ("phase__rollout__title", "phase__rollout__slug", "requested_by", "approvals__approver")
    date_hierarchy = "requested_at"
    inlines = (ApprovalsInline,)
    bulk = actions.REQUESTS
    change_form_template = "admin/transitions.html"
    fields = (
        "phase", "is_start", "percentage", "state", "requested_by", "requested_at", "expires_at", "round", "came",
        "what", "what_changed", "closed_at", "closed_by", "reason",
    )  # fmt: skip
    readonly_fields = ("came", "what", "what_changed")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """With the buttons of its phase while it waits: approving here is approving there."""
        asked, more = self.get_object(request, object_id), {}
        if asked is not None and asked.state in STANDING:
            of_phases: Any = self.admin_site.get_model_admin(Phase)
            buttons = of_phases.buttons(asked.phase, Actor.of(request.user))
            more = {"buttons": [one for one in buttons if one.offer.verb in ABOUT_A_REQUEST]}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    @admin.display(description=_("came"))
    def came(self, asked: Any) -> str:
        return ways.in_words(asked.source, asked.way)

    @admin.display(description=_("changed"))
    def what_changed(self, asked: Any) -> str:
        return joined(asked.changed)

    @admin.display(description=_("what would be done"))
    def what(self, asked: Any) -> SafeString:
        return pretty(asked.content)

    @admin.display(description=_("rollout"))
    def rollout(self, request: Any) -> str:
        return str(request.phase.rollout)


class ReviewFilter(admin.SimpleListFilter):
    """Reviews that overrides owe."""

    title, parameter_name = gettext_lazy("review"), "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("overdue", gettext_lazy("overdue")),
            ("open", gettext_lazy("owed")),
            ("closed", gettext_lazy("closed")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "overdue":
                return queryset.filter(reviewed_at=None, due_at__lt=clock.now())
            case "open" | "closed":
                return queryset.filter(reviewed_at__isnull=self.value() == "open")
        return queryset


class OverrideAdmin(RecordsOnly):
    """Blockers that an admin passed; a second person closes the review, here or on the rollout's page."""

    bulk = actions.OVERRIDES

    list_display = ("phase", "rollout", "verb_shown", "by", "at", "due_at", "reviewed_by", "reviewed_at")
    list_filter = (ReviewFilter, codes.choice("verb", VERB_LABELS), "by")
    verb_shown = codes.column("verb", VERB_LABELS, _("verb"))
    list_select_related = ("phase__rollout",)
    search_fields = ("phase__rollout__title", "phase__rollout__slug", "by", "reason", "verdict")
    exclude = ("blockers",)
    readonly_fields = ("passed",)

    @admin.display(description=_("blockers"))
    def passed(self, override: Any) -> str:
        return joined(override.blockers)

    @admin.display(description=_("rollout"))
    def rollout(self, override: Any) -> str:
        return str(override.phase.rollout)


class WaiverAdmin(RecordsOnly):
    """What rollouts go on without. Asked for on a rollout's page; decided there, on the page of waivers, or here."""

    bulk = actions.WAIVERS

    list_display = ("__str__", "rollout", "state", "asked_by", "asked_at", "ends_at", "decided_by", "decided_at")
    list_filter = ("state", "asked_by")
    list_select_related = ("rollout", "phase", "item")
    search_fields = ("rollout__title", "rollout__slug", "asked_by", "decided_by", "reason")
    date_hierarchy = "asked_at"


class DriftCaseAdmin(RecordsOnly):
    """Opened and ended by what is read; answered on the rollout's page."""

    list_display = ("kind", "rollout", "state", "owner", "since", "ended_at", "ending")
    list_filter = ("state", "kind", "owner")
    list_select_related = ("rollout",)
    search_fields = ("rollout__title", "rollout__slug", "owner")
    date_hierarchy = "found_at"


class ChangeLockAdmin(RecordsOnly):
    """Entered on the portal's page of locks, ended there or here."""

    bulk = actions.LOCKS

    list_display = ("title", "kind", "instance", "starts_at", "ends_at", "zone", "created_by", "ended_by")
    list_filter = ("kind",)
    list_select_related = ("instance",)
    search_fields = ("title", "created_by")


class LockCalendarAdmin(RecordsOnly):
    """Imported on the portal's page of locks, removed there or here."""

    bulk = actions.CALENDARS

    list_display = ("name", "server_told", "read_at", "outcome", "words")
    fields = (
        "name", "server_told", "zone", "transparent_locks", "told", "known_until", "read_at", "tried_at", "outcome",
        "words",
    )  # fmt: skip
    search_fields = ("name",)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return self._but_for_admins(request, self.list_display)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self._but_for_admins(request, self.fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.get_fields(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("content")

    @staticmethod
    def _but_for_admins(request: HttpRequest, names: tuple[str, ...]) -> tuple[str, ...]:
        """Where it is read from is for admins, and for them no more of it than the server."""
        is_admin = Actor.of(request.user).person.has(Role.ADMIN)
        return names if is_admin else tuple(name for name in names if name != "server_told")

    @admin.display(description=_("server"))
    def server_told(self, calendar: Any) -> str:
        return calendar.server or "–"

    @admin.display(description=_("notes"))
    def told(self, calendar: Any) -> str:
        return joined(calendar.notes)


class IncidentSourceForm(PathForm):
    labels = LinesField(help_text=_("One a line. An open issue with any of these locks changes."))


class IncidentSourceAdmin(AuditedAdmin):
    """A GitLab project whose open incidents lock changes."""

    form = IncidentSourceForm
    list_display = ("path", "instance", "read_at", "outcome", "words")
    list_select_related = ("instance",)
    fields = ("instance", "path", "labels", "open_issues", "read_at", "outcome", "words")
    readonly_fields = ("open_issues", "read_at", "outcome", "words")
    search_fields = ("path",)

    def get_readonly_fields(self, request: HttpRequest, obj: IncidentSource | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "instance") if obj else self.readonly_fields


class ChatRoomForm(forms.ModelForm):
    """Only what the environment names can be chosen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:
            names = {*settings.NOTIFY_URLS, *([self.instance.name] if self.instance.pk else [])}
            typed = self.fields["name"]
            self.fields["name"] = forms.ChoiceField(
                choices=[(name, name) for name in sorted(names)], label=typed.label, help_text=typed.help_text
            )


class ChatRoomAdmin(AuditedAdmin):
    """Which chat is told of what; its address stands in the environment alone."""

    form = ChatRoomForm
    list_display = ("name", "group", "rollout")
    list_select_related = ("group", "rollout")
    fields = ("name", "group", "rollout")
    search_fields = ("name", "rollout__title")


class GitLabWriteAdmin(RecordsOnly):
    """What the portal owes to GitLab; cancelled and tried again here or on the rollout's page."""

    bulk = actions.WRITES

    list_display = ("title", "rollout", "kind", "state", "asked_by", "asked_at", "attempts", "words")
    list_filter = ("state", "kind", "instance")
    list_select_related = ("rollout", "instance")
    search_fields = ("title", "rollout__title", "rollout__slug", "asked_by", "marker")
    date_hierarchy = "asked_at"
    exclude = ("payload",)
    readonly_fields = ("sends",)

    @admin.display(description=_("payload"))
    def sends(self, write: Any) -> SafeString:
        return pretty(write.payload)
