"""The form for a new rollout: the same plan document, field by field, with the phases and issues of its template."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml
from django import forms
from django.utils.translation import gettext, gettext_lazy

from ..models import AIModel
from ..rules import document, durations
from ..rules.document import Fault, Path
from ..rules.percentages import plain_number
from ..rules.phrases import joined, say, sentence, spoken
from ..rules.plan_document import FlagPlan, PlanDocument
from ..rules.template import Template, TemplatePhase
from ..services import known_people, prospects
from ..services.prospects import Named
from .name_fields import NamesInput, completions

METHODS = (("percentage", gettext_lazy("by percentage")), ("all_at_once", gettext_lazy("all at once")))


#: The issues of the built-in template; another's are called as it calls them.
ISSUES = {
    "rollout_plan": gettext_lazy("Rollout plan"),
    "flag_rollout": gettext_lazy("Flag rollout"),
    "internal_rollout": gettext_lazy("Internal rollout"),
    "internal_feedback": gettext_lazy("Internal feedback"),
}


def _as_number(written: str) -> int | float | str:
    """A step as the document has it; what is no number stays as it was written, for the document's reader to say so."""
    try:
        number = Decimal(written)
    except InvalidOperation:
        return written
    return plain_number(number) if number.is_finite() and len(written) < 10 else written


class PlanForm(forms.Form):
    """Makes a plan document; what is wrong with it is told by the same reader as for a file, beside the field."""

    title = forms.CharField(max_length=200, label=gettext_lazy("Title"))
    rollout = forms.CharField(
        max_length=100,
        label=gettext_lazy("Short name"),
        help_text=gettext_lazy("For addresses and commands: small letters, digits, hyphens."),
    )
    model = forms.CharField(
        max_length=120,
        label=gettext_lazy("AI model"),
        help_text=gettext_lazy("Short name of a model that the portal has."),
        widget=forms.TextInput(attrs={"list": "models"}),
    )
    baseline = forms.CharField(
        label=gettext_lazy("Baseline"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("The AI model that it replaces."),
        widget=forms.TextInput(attrs={"list": "models"}),
    )
    flag = forms.CharField(
        max_length=255,
        label=gettext_lazy("Feature flag"),
        help_text=gettext_lazy("Its name in GitLab."),
        widget=forms.TextInput(attrs={"list": "flags"}),
    )
    peak = forms.IntegerField(min_value=0, required=False, label=gettext_lazy("Peak requests a minute"))
    owners = forms.CharField(
        label=gettext_lazy("Owners"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("User names, separated by blanks."),
        widget=NamesInput(known_people.offered),
    )

    def __init__(self, template: Template, *args: Any, copied: PlanDocument | None = None, **kwargs: Any) -> None:
        """``copied`` is the plan that this one begins as: what the form has no fields for comes along."""
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.template, self.copied = template, copied
        #: Where each field's value stands in the document, so that what is wrong there finds its way back.
        self.paths: dict[str, Path] = {
            **{name: (name,) for name in ("title", "rollout", "model", "baseline", "owners")},
            "flag": ("flag", "name"),
            "peak": ("workload", "peak_requests_per_minute"),
        }
        self.of_phase: dict[str, dict[str, str]] = {}
        for phase in template.phases:
            self._add_phase(phase)
        for role in template.roles:
            self.fields[role] = forms.CharField(
                required=False,
                max_length=1000,
                label=spoken(say("{role} issue", role=str(ISSUES.get(role) or role.replace("_", " ").capitalize()))),
                widget=forms.URLInput(),
            )
            self.paths[role] = ("issues", role)
        if copied is not None and not self.is_bound:
            self.initial = self._as_copied(copied)
        for name, field in self.fields.items():
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"help-{name}"

    def _add_phase(self, phase: TemplatePhase) -> None:
        """One field for a list of people; method, ramp and soaks where a phase is for all users."""
        if phase.audience != "everyone":
            what = say("Feature groups.")
            if phase.audience == "actors":
                what = say("Actors: user:alice group:acme/code.")
            known = " ".join(phase.actors or phase.groups)
            message = spoken(joined([what, say("Left empty: {known}.", known=known) if known else ""]))
            offers = prospects.actors_to_offer if phase.audience == "actors" else prospects.feature_groups_to_offer
            self._add(
                phase.name,
                phase,
                phase.audience,
                label=phase.title,
                help_text=message,
                required=False,
                widget=NamesInput(offers),
            )
            self._add(
                f"final_soak-{phase.name}",
                phase,
                "final_soak",
                label=spoken(say("{phase}: final soak", phase=phase.title)),
                initial=durations.short(phase.final_soak),
                help_text=gettext_lazy("How long it must stand before it may be complete: 0, 24h, 1d."),
                required=False,
            )
            return
        mark = "" if "steps" not in self.fields else f"-{phase.name}"
        steps = " ".join(map(str, phase.steps))
        soak, final = durations.short(phase.soak), durations.short(phase.final_soak)
        self.fields[f"method{mark}"] = forms.ChoiceField(
            choices=METHODS, label=phase.title, initial=phase.method, required=False
        )
        self._place(f"method{mark}", phase, "method")
        self._add(
            f"steps{mark}",
            phase,
            "steps",
            label=gettext_lazy("Steps"),
            initial=steps,
            help_text=gettext_lazy("Percentages, rising to 100."),
        )
        self._add(
            f"soak{mark}",
            phase,
            "soak",
            label=gettext_lazy("Soak"),
            initial=soak,
            help_text=gettext_lazy("How long each step must stand: 15m, 24h, 1d."),
        )
        self._add(
            f"final_soak{mark}",
            phase,
            "final_soak",
            label=spoken(say("{phase}: final soak", phase=phase.title)),
            initial=final,
        )

    def _add(self, name: str, phase: TemplatePhase, key: str, **field: Any) -> None:
        self.fields[name] = forms.CharField(max_length=2000, **field)
        self._place(name, phase, key)

    def _place(self, name: str, phase: TemplatePhase, key: str) -> None:
        self.paths[name] = ("phases", phase.name, key)
        self.of_phase.setdefault(phase.name, {})[key] = name

    def _as_copied(self, plan: PlanDocument) -> dict[str, str]:
        """What the fields say of a plan; short name, flag and issues are each rollout's own."""
        model = plan.model if isinstance(plan.model, str) else prospects.slug_of(plan.model)
        inputs = {
            "title": plan.title,
            "rollout": prospects.free_slug(plan.rollout),
            "model": model,
            "baseline": plan.baseline or "",
            "owners": " ".join(plan.owners),
            "peak": "" if plan.peak_requests_per_minute is None else str(plan.peak_requests_per_minute),
        }
        document = plan.as_dict()["phases"]
        for phase, fields in self.of_phase.items():
            of = document.get(phase, {})
            for key, name in fields.items():
                value = of.get(key, "")
                inputs[name] = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        return inputs

    def named(self) -> Named:
        """What is written so far, whole or not."""
        inputs = {name: str(self[name].value() or "").strip() for name in self.fields}
        issues = {role: inputs[role] for role in self.template.roles if inputs[role]}
        return Named(
            inputs["rollout"], inputs["model"], FlagPlan(inputs["flag"]), tuple(inputs["owners"].split()), issues
        )

    def missing(self) -> list[str]:
        """Labels of required fields that are still empty."""
        return [
            str(self[name].label) for name, field in self.fields.items() if field.required and not self[name].value()
        ]

    def labels(self) -> dict[str, str]:
        """What the issues are called, by role."""
        return {role: str(self[role].label) for role in self.template.roles}

    def sections(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields by subject."""
        of_phases = [name for fields in self.of_phase.values() for name in fields.values()]
        roles = list(self.template.roles)
        first = [name for name in self.fields if name not in (*of_phases, *roles)]
        titled = (
            (gettext("What"), first),
            (gettext("Who sees it, in this order"), of_phases),
            (gettext("GitLab issues"), roles),
        )
        return [(title, [self[name] for name in names]) for title, names in titled if names]

    def models(self) -> list[tuple[str, str]]:
        """AI models to choose from, by slug."""
        return [(model.slug, str(model)) for model in AIModel.objects.order_by("name")]

    def flags(self) -> list[str]:
        return prospects.flags_to_offer()

    def completions(self) -> list[str]:
        """Of each field of names, what it may be completed to now."""
        return [
            completions(name, self[name].value(), field.widget.offers, anew=True)
            for name, field in self.fields.items()
            if isinstance(field.widget, NamesInput)
        ]

    def document(self) -> str:
        """The plan document that the form's fields say; steps that are no numbers stay as they were written."""
        inputs = self.cleaned_data
        plan: dict[str, Any] = {
            "rollout": inputs["rollout"],
            "title": inputs["title"],
            "model": inputs["model"],
            "baseline": inputs["baseline"] or None,
            "flag": {"name": inputs["flag"]},
            "template": self.template.slug,
            "owners": inputs["owners"].split(),
            "issues": {role: inputs[role] for role in self.template.roles if inputs[role]},
            "phases": {phase.name: known for phase in self.template.phases if (known := self._phase(phase))},
        }
        if inputs["peak"] is not None:
            plan["workload"] = {"peak_requests_per_minute": inputs["peak"]}
        if self.copied is not None:
            along = self.copied.as_dict()
            plan |= {
                key: along[key]
                for key in ("after", "not_with", "criteria", "guard_metrics", "mitigation")
                if key in along
            }
        filled = {key: value for key, value in plan.items() if value not in (None, [], {})}
        return yaml.safe_dump(filled, sort_keys=False, allow_unicode=True)

    def _phase(self, phase: TemplatePhase) -> dict[str, Any]:
        """What the form says of a phase; nothing, and the template speaks for it."""
        inputs = {key: self.cleaned_data[name] for key, name in self.of_phase[phase.name].items()}
        if phase.audience != "everyone":
            named = inputs[phase.audience].split()
            must_say = not (phase.optional or phase.actors or phase.groups)
            soak = {"final_soak": inputs["final_soak"]} if inputs["final_soak"] else {}
            return {phase.audience: named, **soak} if named or must_say else soak
        if inputs["method"] == "all_at_once":
            return {"method": "all_at_once", "final_soak": inputs["final_soak"]}
        steps = [_as_number(step) for step in inputs["steps"].replace(",", " ").split()]
        return {"method": "percentage", "steps": steps, "soak": inputs["soak"], "final_soak": inputs["final_soak"]}

    def take(self, faults: Iterable[Fault], text: str) -> list[Fault]:
        """Put each fault of the document beside the field that it is about; returns those about none."""
        read = document.read(text)
        whole = {("phases", phase): next(iter(fields.values())) for phase, fields in self.of_phase.items()}
        stands = [*whole.items(), *((path, name) for name, path in self.paths.items())]
        places = sorted((read.place(path), name) for path, name in stands if path in read.lines)
        lines = [line for line, _ in places]
        wholes = {line for path, line in read.lines.items() if path in {("phases",), ("issues",), ("workload",)}}
        left = []
        for fault in faults:
            position = bisect_right(lines, fault.line) - 1
            if position < 0 or fault.line in wholes:
                left.append(fault)
            else:
                self.add_error(places[position][1], sentence(fault.message))
        return left
