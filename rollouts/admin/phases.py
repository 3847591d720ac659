"""Phases, their ramps and their checklists. Who will see the model is edited only while a phase is planned."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from ..models import ChecklistItem, GitLabActor, Phase, RampStep
from ..rules import names
from ..rules.blockers import in_words
from ..rules.checklist import ABOUT_AN_ISSUE
from ..rules.expected import Audience
from ..rules.exposure import OPT_OUT
from ..rules.machine import PhaseState, state_in_words
from ..rules.phrases import say, sentence
from ..rules.plan import no_opt_out, no_part
from ..rules.template_schema import rising_steps
from . import actions
from .base import AuditedAdmin, LookOnly, is_admin, may_look
from .fields import LinesField
from .transitions import PhaseTransitions

PAST = (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK)


def is_planned(phase: Phase) -> bool:
    return bool(phase.state == PhaseState.PLANNED and not phase.rollout.is_over)


class PhaseForm(forms.ModelForm):
    actors = LinesField(
        required=False,
        check=names.actor,
        help_text=_("One a line: user:alice, group:acme/code, project:acme/app or User:42."),
    )
    groups = LinesField(
        required=False,
        check=names.feature_group,
        help_text=_("Feature groups in GitLab's code, one a line."),
    )

    def clean(self) -> dict[str, Any]:
        """A phase lets in whom its audience is for, and somebody, unless it may be skipped."""
        cleaned: dict[str, Any] = super().clean() or {}
        for audience, field in ((Audience.ACTORS, "actors"), (Audience.GROUPS, "groups")):
            if field not in cleaned:
                continue
            is_for = self.instance.audience == audience
            if cleaned[field] and not is_for:
                raise ValidationError(
                    {
                        field: _("This phase is for %(whom)s: leave it empty.")
                        % {"whom": self.instance.get_audience_display()}
                    }
                )
            if is_for and not cleaned[field] and not self.instance.optional:
                raise ValidationError({field: _("A required phase must let somebody in.")})
        opt_outs = [actor for actor in cleaned.get("actors", ()) if actor.endswith(OPT_OUT)]
        if opt_outs and self.instance.rollout.flag.project_id:
            raise ValidationError({"actors": sentence(no_opt_out(opt_outs[0]))})
        return cleaned


class RampFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        """The whole ramp rises to 100, as in a plan."""
        super().clean()
        if any(self.errors) or self.instance.audience != Audience.PERCENTAGE:
            return
        percentages = sorted(
            form.cleaned_data["percentage"]
            for form in self.forms
            if form.cleaned_data.get("percentage") is not None and not form.cleaned_data.get("DELETE")
        )
        try:
            rising_steps(percentages)
        except ValueError as error:
            raise ValidationError(sentence(error)) from None
        parts = [each for each in percentages if each != each.to_integral_value()]
        if parts and self.instance.rollout.flag.project_id:
            raise ValidationError(sentence(no_part(parts[0])))


class StepsInline(admin.StackedInline):
    model = RampStep
    formset = RampFormSet
    formfield_overrides = AuditedAdmin.formfield_overrides
    extra = 0
    readonly_fields = ("stands",)
    verbose_name_plural = _("ramp")

    @admin.display(description=_("soak"))
    def stands(self, step: RampStep) -> str:
        return in_words(step.soak)

    def get_fields(self, request: HttpRequest, obj: Phase | None = None) -> Any:
        return (("percentage", "soak" if self.has_change_permission(request, obj) else "stands"),)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_look(request)

    def has_change_permission(self, request: HttpRequest, obj: Phase | None = None) -> bool:
        return bool(is_admin(request) and obj and is_planned(obj) and obj.audience == Audience.PERCENTAGE)

    has_add_permission = has_delete_permission = has_change_permission


class PhaseItemsInline(LookOnly, admin.TabularInline):
    model = ChecklistItem
    fields = ("title", "kind", "gate", "required", "confirmed_by", "confirmed_at")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = _("checklist (confirmed on the rollout's page)")


class PhaseAdmin(PhaseTransitions):
    form = PhaseForm
    is_about_the_plan = True
    may_add = may_delete = False
    list_display = ("__str__", "rollout", "state", "step", "audience", "requested_by", "approved_by", "confirmed_at")
    list_filter = ("state", "audience", "name", "optional")
    list_select_related = ("rollout", "current_step")
    search_fields = ("title", "name", "rollout__title", "rollout__slug", "rollout__flag__name")
    search_help_text = _("Phase, rollout or flag.")
    inlines = (StepsInline, PhaseItemsInline)
    who = ("actors", "groups", "final_soak")
    by_plan = ("rollout", "name", "title", "position", "attempt", "optional", "audience")
    by_the_portal = (
        "state", "version", "current_step", "requested_by", "requested_at", "approved_by",
        "approved_at", "started_at", "stepped_at", "confirmed_at", "paused_at", "completed_at", "ended_at",
        "reason", "grant",
    )  # fmt: skip
    fieldsets = (
        (
            _("Who will see the model"),
            {
                "fields": who,
                "description": _("Can be edited while the phase is planned; afterwards it is what was approved."),
            },
        ),
        (_("From the plan and its template"), {"fields": by_plan}),
        (
            _("What happened"),
            {"fields": by_the_portal, "description": _("These follow from transitions and syncs.")},
        ),
    )

    @admin.display(description=_("final soak"))
    def stands(self, phase: Phase) -> str:
        return in_words(phase.final_soak)

    def get_fieldsets(self, request: HttpRequest, obj: Phase | None = None) -> Any:
        """Durations in words where they can't be edited."""
        (first, who), *others = super().get_fieldsets(request, obj)
        if not self.has_change_permission(request, obj):
            who = {**who, "fields": ("actors", "groups", "stands")}
        return ((first, who), *others)

    @admin.display(description=_("step"))
    def step(self, phase: Phase) -> str:
        return str(say("{n} %", n=phase.percentage)) if phase.percentage else "–"

    def get_inlines(self, request: HttpRequest, obj: Phase | None) -> Any:
        """Only a phase by percentage has a ramp."""
        has_ramp = obj is not None and obj.audience == Audience.PERCENTAGE
        return self.inlines if has_ramp else (PhaseItemsInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Phase | None = None) -> tuple[str, ...]:
        fixed = (*self.by_plan, *self.by_the_portal)
        return fixed if obj and is_planned(obj) else (*self.who, "stands", *fixed)

    def has_change_permission(self, request: HttpRequest, obj: Phase | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and not is_planned(obj))

    def save_model(self, request: HttpRequest, obj: Phase, form: Any, change: bool) -> None:
        """Actors by name are resolved by the next sync."""
        super().save_model(request, obj, form, change)
        for name in obj.actors:
            bare = name.removesuffix(names.OPT_OUT)
            if not bare[:1].isupper():
                GitLabActor.objects.get_or_create(instance=obj.rollout.flag.instance, name=bare)

    def view_on_site(self, obj: Phase) -> str:
        return f"{reverse('portal:rollout', args=[obj.rollout.slug])}#phase-{obj.name}"


class ChecklistItemForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        """A new item fits its rollout, and asks for something that is still to come."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.instance.pk:
            return cleaned
        rollout, phase = cleaned.get("rollout"), cleaned.get("phase")
        if rollout and rollout.is_over:
            raise ValidationError({"rollout": say("The rollout is {state}.", state=state_in_words(rollout.state))})
        if rollout and phase and phase.rollout_id != rollout.pk:
            raise ValidationError({"phase": _("This phase belongs to another rollout.")})
        if phase and phase.state in PAST:
            raise ValidationError(
                {"phase": say("It is {state}: its checklist is history.", state=state_in_words(phase.state))}
            )
        kind, role = cleaned.get("kind"), cleaned.get("role")
        if bool(role) != (kind in ABOUT_AN_ISSUE):
            message = (
                _("Only items about an issue have one.") if role else _("Say which of the plan's issues it is about.")
            )
            raise ValidationError({"role": message})
        if rollout and role and role not in (roles := rollout.template.template.roles):
            raise ValidationError(
                {"role": say("«{role}» is no role of its template: {roles}.", role=role, roles=", ".join(roles))}
            )
        return cleaned


class ChecklistItemAdmin(AuditedAdmin):
    """What an item asks is fixed once it is there: confirming is done on the rollout's page, with evidence."""

    form = ChecklistItemForm
    bulk = actions.ITEMS
    is_about_the_plan = True
    may_delete = False
    list_display = ("title", "rollout", "phase", "kind", "gate", "required", "confirmed_by", "confirmed_at")
    list_filter = ("kind", "gate", "required", "guide", ("confirmed_at", admin.EmptyFieldListFilter))
    list_select_related = ("rollout", "phase")
    search_fields = ("title", "key", "rollout__title", "rollout__slug", "evidence")
    autocomplete_fields = ("rollout", "phase")
    what = ("rollout", "phase", "key", "kind", "role", "gate", "required", "guide")
    confirmation = ("confirmed_by", "confirmed_at", "evidence", "channel")
    fieldsets = (
        (None, {"fields": ("title", "help", "position")}),
        (_("What it asks"), {"fields": what}),
        (
            _("Confirmation"),
            {
                "fields": confirmation,
                "description": _("Given and taken back on the rollout's page, with evidence."),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.what, *self.confirmation) if obj else self.confirmation

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("rollout", "phase")

    def has_change_permission(self, request: HttpRequest, obj: ChecklistItem | None = None) -> bool:
        if obj and (obj.rollout.is_over or (obj.phase and obj.phase.state in PAST)):
            return False
        return super().has_change_permission(request, obj)
