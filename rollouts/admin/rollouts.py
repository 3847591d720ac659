"""Rollouts: what a plan does not decide is edited here, the rest through the plan and transitions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..audit.actor import Actor
from ..models import ChecklistItem, Phase, Rollout, RolloutIssue, clock
from ..portal.answers import SeeOther
from ..portal.charts import track
from ..rules import gitlab_text, names
from ..rules.expected import Drift
from ..rules.phrases import say, sentence
from ..services import facts, items
from ..services.refusals import Refused
from . import actions, phase_overview
from .base import is_admin, may_look
from .fields import NamesField
from .transitions import RolloutTransitions


class RolloutForm(forms.ModelForm):
    owners = NamesField(
        required=False,
        check=names.person,
        help_text=gettext_lazy("User names of those who drive it, separated by blanks."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "mitigation" in self.fields:
            self.fields["mitigation"].widget.attrs["rows"] = 4

    def clean_title(self) -> str:
        try:
            return gitlab_text.one_line(self.cleaned_data["title"])
        except ValueError as error:
            raise ValidationError(sentence(error)) from None


class IssueLinkForm(forms.ModelForm):
    """One row of a table: each field says its column's name itself, and is as wide as what it holds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs["aria-label"] = str(field.label or name)
        for name in {"role", "phase_name"} & self.fields.keys():
            self.fields[name].widget.attrs["size"] = 20

    def clean(self) -> dict[str, Any]:
        """Roles and phases are the template's."""
        cleaned: dict[str, Any] = super().clean() or {}
        rollout = self.instance.rollout if self.instance.rollout_id else None
        if rollout is None:
            return cleaned
        template = rollout.template.template
        if (role := cleaned.get("role")) and role not in template.roles:
            raise ValidationError(
                {
                    "role": say(
                        "«{role}» is no role of {slug}: {roles}.",
                        role=role,
                        slug=template.slug,
                        roles=", ".join(template.roles),
                    )
                }
            )
        if (phase := cleaned.get("phase_name")) and phase not in template.phase_names:
            message = say(
                "«{phase}» is no phase of {slug}: {phases}.",
                phase=phase,
                slug=template.slug,
                phases=", ".join(template.phase_names),
            )
            raise ValidationError({"phase_name": message})
        return cleaned


class IssueLinks(BaseInlineFormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:  # in a table nothing else says what the box is for
            form.fields["DELETE"].widget.attrs["aria-label"] = _("Delete")


class IssuesInline(admin.TabularInline):
    model = RolloutIssue
    form = IssueLinkForm
    formset = IssueLinks
    extra = 0
    fields = ("role", "phase_name", "issue")
    autocomplete_fields = ("issue",)
    verbose_name_plural = gettext_lazy("issues (a changed issue makes an open request stale)")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("issue__project__instance", "rollout__template")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_look(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_admin(request) and not (obj and obj.is_over)

    has_add_permission = has_delete_permission = has_change_permission


class RolloutAdmin(RolloutTransitions):
    form = RolloutForm
    bulk = actions.ROLLOUTS
    is_about_the_plan = True
    may_add = may_delete = False
    list_display = ("title", "stands", "gitlab_is", "model_and_baseline", "flag_name", "driven_by", "begun")
    list_filter = ("state", "drift", "ai_model__provider", "template")
    list_select_related = ("ai_model", "baseline", "flag__project", "flag__instance", "template")
    search_fields = ("title", "slug", "flag__name", "ai_model__name", "ai_model__slug")
    search_help_text = gettext_lazy("Title, short name, flag or AI model.")
    date_hierarchy = "created_at"
    inlines = (IssuesInline,)
    change_form_template = "admin/rollout.html"
    by_plan = ("slug", "ai_model", "baseline", "flag", "template", "criteria", "guard_metrics", "timeline")
    by_the_portal = (
        "state", "version", "drift", "drift_since", "measured", "created_at", "created_by",
        "completed_at", "abandoned_at", "closed_at",
    )  # fmt: skip
    readonly_fields = (*by_plan, *by_the_portal)
    fieldsets = (
        (None, {"fields": ("title", "owners", "peak_requests_per_minute", "mitigation")}),
        (
            gettext_lazy("From the plan"),
            {
                "fields": by_plan,
                "classes": ("collapse",),
                "description": gettext_lazy("These are changed by applying a plan."),
            },
        ),
        (
            gettext_lazy("What the portal knows"),
            {
                "fields": by_the_portal,
                "classes": ("collapse",),
                "description": gettext_lazy("These follow from transitions and syncs."),
            },
        ),
    )

    @admin.display(description=gettext_lazy("flag"), ordering="flag__name")
    def flag_name(self, rollout: Rollout) -> str:
        return rollout.flag.name

    @admin.display(description=gettext_lazy("owners"))
    def driven_by(self, rollout: Rollout) -> str:
        return ", ".join(rollout.owners) or "nobody"

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def stands(self, rollout: Rollout) -> SafeString:
        look = {"underway": "go", "rolled_back": "stop"}.get(rollout.state, "")
        return format_html('<span class="tag {}">{}</span>', look, rollout.get_state_display())

    @admin.display(description=gettext_lazy("in GitLab"), ordering="drift")
    def gitlab_is(self, rollout: Rollout) -> SafeString:
        words = Drift(rollout.drift).words
        return (
            format_html("{}", words)
            if rollout.drift == "none"
            else format_html('<span class="tag stop">{}</span>', words)
        )

    @admin.display(description=gettext_lazy("AI model"), ordering="ai_model__name")
    def model_and_baseline(self, rollout: Rollout) -> SafeString:
        if rollout.baseline is None:
            return format_html("{}", rollout.ai_model)
        return format_html(
            '{}<br><small class="muted">{}</small>', rollout.ai_model, _("replaces %s") % rollout.baseline
        )

    @admin.display(description=gettext_lazy("begun"), ordering="created_at")
    def begun(self, rollout: Rollout) -> str:
        return date_format(localtime(rollout.created_at), "j M Y")

    def has_change_permission(self, request: HttpRequest, obj: Rollout | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_over)

    # Phases, ramps and checklist on the rollout's page

    def get_urls(self) -> list[Any]:
        item = self.admin_site.admin_view(self.take_item)
        return [path("<int:pk>/item/<int:item>/", item, name="rollouts_rollout_item"), *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        rollout = Rollout.objects.whole().filter(pk=object_id).first() if object_id.isdecimal() else None
        if rollout is None:
            return super().change_view(request, object_id, form_url, extra_context)
        by, told = Actor.of(request.user), facts.for_rollout(rollout, clock.now())
        of_phases: Any = self.admin_site.get_model_admin(Phase)
        more = {
            "track": track.track(told, Drift(rollout.drift)),
            "sections": phase_overview.of(
                rollout, told, by, lambda phase: of_phases.buttons_of(phase, rollout, told, by)
            ),
        }
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def take_item(self, request: HttpRequest, pk: int, item: int) -> HttpResponse:
        """Confirm a checklist item with evidence, or take that back with a reason, by the service."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        rollout = get_object_or_404(Rollout, pk=pk)
        row = get_object_or_404(ChecklistItem, pk=item, rollout=rollout)
        by = Actor.of(request.user)
        try:
            items.take(
                "unconfirm" if "undo" in request.POST else "confirm", row, by=by, **items.inputs_of(request.POST)
            )
        except Refused as refused:
            return self.refused(request, row.title, rollout, refused)
        words = _("Taken back: %(item)s.") if "undo" in request.POST else _("Confirmed: %(item)s.")
        self.message_user(request, words % {"item": row.title}, messages.SUCCESS)
        return SeeOther(reverse("admin:rollouts_rollout_change", args=[rollout.pk]))
