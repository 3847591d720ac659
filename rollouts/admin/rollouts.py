"""Rollouts, phases, steps and checklist items; transitions are buttons that run the services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from ..audit.actor import Actor
from ..audit.deeds import Deed
from ..models import ChecklistItem, Phase, RampStep, Rollout, RolloutIssue
from ..rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from ..services import transitions
from ..services.refusals import Refused
from .base import AuditedAdmin, LookOnlyAdmin, LookOnlyInline


class PhaseInline(LookOnlyInline):
    model = Phase
    fields = ("title", "attempt", "state", "audience", "started_at", "confirmed_at", "completed_at")
    readonly_fields = fields


class ItemInline(LookOnlyInline):
    model = ChecklistItem
    fields = ("title", "kind", "role", "gate", "required", "confirmed_by", "confirmed_at")
    readonly_fields = fields


class IssueInline(LookOnlyInline):
    model = RolloutIssue
    fields = ("phase_name", "role", "issue")
    readonly_fields = fields


class StepInline(LookOnlyInline):
    model = RampStep
    fk_name = "phase"
    fields = ("percentage", "soak")
    readonly_fields = fields


class TransitionAdmin(AuditedAdmin):
    """Buttons for what fits the state; the service judges, whoever presses."""

    change_form_template = "admin/transitions_change_form.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a rollout comes from a plan, a phase from a template

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # history stays: abandon it instead

    def fitting(self, thing: Any) -> list[Any]:
        raise NotImplementedError

    def perform(self, verb: str, thing: Any, by: Actor, request: HttpRequest) -> None:
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_transition"
        own = path("<int:pk>/transition/<str:verb>/", self.admin_site.admin_view(self.transition), name=name)
        return [own, *super().get_urls()]

    def transition(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """POST only; refused ones come back with every blocker in words."""
        thing = self.model._default_manager.filter(pk=pk).first()
        if request.method != "POST" or thing is None or verb not in {rule.name for rule in self.fitting(thing)} | set(
            PHASE_VERBS if isinstance(thing, Phase) else ROLLOUT_VERBS
        ):
            raise Http404
        try:
            self.perform(verb, thing, Actor.of(request.user), request)
            messages.success(request, f"{verb.replace('_', ' ').capitalize()}: done.")
        except Refused as refused:
            for blocker in refused.blockers:
                messages.error(request, f"Refused: {blocker.message}")
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> HttpResponse:
        thing = kwargs.get("obj")
        if thing is not None:
            person = Actor.of(request.user).person
            context["transitions"] = [rule for rule in self.fitting(thing) if person.has(rule.role)]
            context["version"] = thing.version
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(Rollout)
class RolloutAdmin(TransitionAdmin):
    list_display = ("title", "state", "ai_model", "flag", "drift", "drift_since", "created_at", "created_by")
    list_filter = ("state", "drift", "ai_model__provider")
    list_select_related = ("ai_model", "flag__project")
    search_fields = ("title", "slug", "flag__name")
    date_hierarchy = "created_at"
    inlines = (PhaseInline, ItemInline, IssueInline)
    fields = (
        "slug", "title", "state", "ai_model", "baseline", "flag", "template", "owners", "peak_requests_per_minute",
        "criteria", "timeline", "mitigation", "drift", "drift_since", "created_at", "created_by",
        "completed_at", "abandoned_at", "closed_at",
    )  # fmt: skip
    #: What decides who sees the model comes from the plan alone, where the service judges it.
    readonly_fields = tuple(name for name in fields if name not in ("title", "owners", "mitigation"))

    def fitting(self, thing: Rollout) -> list[Any]:
        return [rule for rule in ROLLOUT_VERBS.values() if thing.state in rule.sources]

    def perform(self, verb: str, thing: Rollout, by: Actor, request: HttpRequest) -> None:
        transitions.perform_on_rollout(verb, thing, by=by, reason=request.POST.get("reason", ""))

    def complete_deed(self, doing: Deed, request: HttpRequest) -> None:
        if isinstance(doing.about, Rollout):
            doing.rollout = doing.about


@admin.register(Phase)
class PhaseAdmin(TransitionAdmin):
    list_display = ("title", "rollout", "attempt", "state", "audience", "started_at", "confirmed_at", "completed_at")
    list_filter = ("state", "name", "audience")
    list_select_related = ("rollout",)
    search_fields = ("rollout__title", "rollout__slug", "title")
    inlines = (StepInline, ItemInline)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is planned by the plan, and moved by transitions

    def fitting(self, thing: Phase) -> list[Any]:
        return [rule for rule in PHASE_VERBS.values() if thing.state in rule.sources]

    def perform(self, verb: str, thing: Phase, by: Actor, request: HttpRequest) -> None:
        seen = request.POST.get("seen", "")
        transitions.perform(
            verb, thing, by=by, reason=request.POST.get("reason", ""), override=request.POST.get("override") == "yes",
            seen=int(seen) if seen.isdecimal() and len(seen) < 10 else None,
        )  # fmt: skip


@admin.register(RampStep)
class RampStepAdmin(LookOnlyAdmin):
    list_display = ("phase", "percentage", "soak")
    list_select_related = ("phase__rollout",)
    search_fields = ("phase__rollout__title",)


@admin.register(ChecklistItem)
class ChecklistItemAdmin(AuditedAdmin):
    list_display = ("title", "rollout", "phase", "kind", "gate", "required", "confirmed_by", "confirmed_at")
    list_filter = ("kind", "gate", "required")
    list_select_related = ("rollout", "phase")
    search_fields = ("title", "rollout__title")
    fields = ("rollout", "phase", "key", "title", "help", "kind", "role", "gate", "required", "guide",
              "confirmed_by", "confirmed_at", "evidence", "channel")  # fmt: skip
    #: Confirming is the portal's page and its service; here the words of an item can be mended.
    readonly_fields = tuple(name for name in fields if name not in ("title", "help"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def complete_deed(self, doing: Deed, request: HttpRequest) -> None:
        if isinstance(doing.about, ChecklistItem):
            doing.rollout = doing.about.rollout


@admin.register(RolloutIssue)
class RolloutIssueAdmin(LookOnlyAdmin):
    list_display = ("rollout", "phase_name", "role", "issue")
    list_filter = ("role",)
    list_select_related = ("rollout", "issue__project")
    search_fields = ("rollout__title",)
