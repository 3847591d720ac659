"""The form for a new rollout: the same plan document, field by field."""

from __future__ import annotations

from typing import Any

import yaml
from django import forms

from ..models import AIModel, PlanTemplate

ISSUES = ("rollout_plan", "flag_rollout", "internal_rollout", "internal_feedback")


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


class PlanForm(forms.Form):
    """Makes a plan document; what is wrong with it is told by the same reader as for a file."""

    title = forms.CharField(max_length=200)
    rollout = forms.CharField(
        max_length=100, label="Short name", help_text="For addresses and commands: small letters, digits, hyphens."
    )
    model = forms.CharField(max_length=120, label="AI model", widget=forms.TextInput(attrs={"list": "models"}))
    baseline = forms.CharField(
        max_length=120,
        required=False,
        label="Baseline",
        help_text="The AI model that it replaces.",
        widget=forms.TextInput(attrs={"list": "models"}),
    )
    flag = forms.CharField(max_length=255, label="Feature flag")
    template = forms.ChoiceField()
    peak = forms.IntegerField(min_value=0, required=False, label="Peak requests a minute")
    owners = forms.CharField(required=False, max_length=500, help_text="User names, separated by blanks.")
    team = forms.CharField(
        required=False, max_length=2000, label="Team", help_text="Actors: user:alice group:acme/code"
    )
    company = forms.CharField(
        required=False, max_length=500, label="Company", help_text="Feature groups: acme_team_members"
    )
    steps = forms.CharField(max_length=300, initial="1 10 25 50 75 100", help_text="Percentages, rising to 100.")
    soak = forms.CharField(max_length=20, initial="1d", help_text="How long each step must stand: 15m, 24h, 1d.")
    final_soak = forms.CharField(max_length=20, initial="1d", label="Final soak")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        for role in ISSUES:
            self.fields[role] = forms.CharField(
                required=False, max_length=1000, label=f"{_words(role)} issue", widget=forms.URLInput()
            )
        templates = PlanTemplate.objects.order_by("-builtin", "title")
        self.fields["template"].choices = [(t.slug, t.title) for t in templates]  # type: ignore[attr-defined]
        for name, field in self.fields.items():
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"help-{name}"

    def models(self) -> list[tuple[str, str]]:
        """AI models to choose from, by slug."""
        return [(model.slug, str(model)) for model in AIModel.objects.order_by("name")]

    def document(self) -> str:
        """The plan document that the form's fields say; steps that are no numbers stay as they were written."""
        said = self.cleaned_data
        steps: list[Any] = [int(s) if s.isdecimal() else s for s in said["steps"].replace(",", " ").split()]
        phases: dict[str, Any] = {
            "everyone": {"method": "percentage", "steps": steps, "soak": said["soak"], "final_soak": said["final_soak"]}
        }
        if said["team"]:
            phases["team"] = {"actors": said["team"].split()}
        if said["company"]:
            phases["company"] = {"groups": said["company"].split()}
        plan: dict[str, Any] = {
            "rollout": said["rollout"],
            "title": said["title"],
            "model": said["model"],
            "baseline": said["baseline"] or None,
            "flag": {"name": said["flag"]},
            "template": said["template"],
            "owners": said["owners"].split(),
            "issues": {role: said[role] for role in ISSUES if said[role]},
            "phases": phases,
        }
        if said["peak"] is not None:
            plan["workload"] = {"peak_requests_per_minute": said["peak"]}
        return yaml.safe_dump({k: v for k, v in plan.items() if v not in (None, [], {})}, sort_keys=False)
