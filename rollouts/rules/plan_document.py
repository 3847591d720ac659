"""The plan document: all that a rollout is, the same in the portal, the command and the API (DESIGN section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import yaml

from . import durations
from .expected import Audience
from .metrics import Bound
from .percentages import plain_number


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """The AI model that is rolled out; ``requests_per_minute`` is its quota, ``lead_time`` how long a larger one takes;
    each is None where the plan does not say."""

    provider: str
    id: str
    capability: str = ""
    host: str = ""
    name: str = ""
    requests_per_minute: int | None = None
    lead_time: timedelta | None = None


@dataclass(frozen=True, slots=True)
class FlagPlan:
    """A flag of the instance, or with ``project`` (a path) of a project for one environment."""

    name: str
    project: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of a ramp: how long it must stand, when it is planned, and whether it begins by itself."""

    percentage: Decimal
    soak: timedelta
    planned_at: datetime | None = None
    auto: bool = False


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """Whom a phase lets in. ``steps`` are empty unless the audience is a percentage.

    ``criteria`` says when somebody answers the plan's criteria: a ``criteria.Asked``, or empty for never.
    """

    name: str
    audience: Audience
    actors: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    steps: tuple[StepPlan, ...] = ()
    final_soak: timedelta = timedelta(0)
    issues: Mapping[str, str] = field(default_factory=dict, hash=False)
    criteria: str = ""


@dataclass(frozen=True, slots=True)
class Criteria:
    """When to call it a success, continue, pause, roll back (guide, G14): sentences."""

    success: tuple[str, ...] = ()
    continue_: tuple[str, ...] = ()
    pause: tuple[str, ...] = ()
    roll_back: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, list[str]]:
        """By the plan's own keys, without those that say nothing."""
        named = {"success": self.success, "continue": self.continue_, "pause": self.pause, "roll_back": self.roll_back}
        return {key: list(sentences) for key, sentences in named.items() if sentences}

    @classmethod
    def from_dict(cls, stored: Mapping[str, list[str]]) -> Criteria:
        """The inverse of ``as_dict``."""
        return cls(**{"continue_" if key == "continue" else key: tuple(value) for key, value in stored.items()})


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A plan that was read and found good. ``model`` is a slug where the plan names a model that the portal knows.

    ``after`` and ``not_with`` are slugs of other rollouts (``ordering.Order``).
    """

    rollout: str
    title: str
    model: ModelPlan | str
    flag: FlagPlan
    template: str
    phases: tuple[PhasePlan, ...]
    baseline: str | None = None
    peak_requests_per_minute: int | None = None
    owners: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    issues: Mapping[str, str] = field(default_factory=dict, hash=False)
    criteria: Criteria = Criteria()
    guard_metrics: tuple[Bound, ...] = ()
    timeline: Mapping[str, str] = field(default_factory=dict, hash=False)
    mitigation: str = ""

    def phase(self, name: str) -> PhasePlan:
        """The phase of this name. Raises ``KeyError``."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """The document as plain data, keys in the order of the guide's example; what is empty is left out."""
        return _without_empty(
            {
                "rollout": self.rollout,
                "title": self.title,
                "model": self.model if isinstance(self.model, str) else _model(self.model),
                "baseline": self.baseline,
                "flag": _without_empty(
                    {"project": self.flag.project, "name": self.flag.name, "environment": self.flag.environment}
                ),
                "template": self.template,
                "workload": _without_empty({"peak_requests_per_minute": self.peak_requests_per_minute}),
                "owners": list(self.owners),
                "after": list(self.after),
                "not_with": list(self.not_with),
                "issues": dict(self.issues),
                "phases": {phase.name: _phase(phase) for phase in self.phases},
                "criteria": self.criteria.as_dict(),
                "guard_metrics": {bound.name: bound.as_dict() for bound in self.guard_metrics},
                "timeline": dict(self.timeline),
                "mitigation": self.mitigation,
            }
        )


def dump_plan(plan: PlanDocument) -> str:
    """The plan as YAML that reads back to the same plan."""
    return str(yaml.dump(plan.as_dict(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))


class _Dumper(yaml.SafeDumper):
    """Block style, lists of numbers in one line, several lines of text as several lines, never an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand further in than their key."""
        super().increase_indent(flow, False)


def _sequence(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    in_one_line = all(isinstance(value, int | float) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=in_one_line)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    lines = text.split("\n")
    is_prose = len(lines) > 1 and all(line.isprintable() and line == line.strip() for line in lines)
    breaks_oddly = any(sign in text for sign in "\x85\u2028\u2029")  # PyYAML folds these unless they are escaped
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if is_prose else '"' if breaks_oddly else None
    )


_Dumper.add_representer(list, _sequence)
_Dumper.add_representer(str, _text)


def _model(model: ModelPlan) -> dict[str, Any]:
    return _without_empty(
        {
            "provider": model.provider,
            "id": model.id,
            "host": model.host,
            "capability": model.capability,
            "name": model.name,
            "quota": _without_empty(
                {
                    "requests_per_minute": model.requests_per_minute,
                    "lead_time": None if model.lead_time is None else durations.short(model.lead_time),
                }
            ),
        }
    )


def _phase(phase: PhasePlan) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    match phase.audience:
        case Audience.ACTORS:
            whole = {"actors": list(phase.actors), "final_soak": durations.short(phase.final_soak)}
        case Audience.GROUPS:
            whole = {"groups": list(phase.groups), "final_soak": durations.short(phase.final_soak)}
        case Audience.ALL_AT_ONCE:
            whole = {"method": "all_at_once", "final_soak": durations.short(phase.final_soak)}
        case Audience.PERCENTAGE:
            whole = {
                "method": "percentage",
                "steps": [plain_number(step.percentage) for step in phase.steps],
                "soak": durations.short(_usual_soak(phase.steps)),
                "final_soak": durations.short(phase.final_soak),
            } | _without_empty({"auto": _usually_auto(phase.steps) or None, "schedule": _schedule(phase.steps)})
    return whole | _without_empty({"criteria": phase.criteria, "issues": dict(phase.issues)})


def _usual_soak(steps: tuple[StepPlan, ...]) -> timedelta:
    """The soak that most steps have."""
    soaks = [step.soak for step in steps]
    return max(soaks, key=lambda soak: (soaks.count(soak), -soaks.index(soak)), default=timedelta(0))


def _usually_auto(steps: tuple[StepPlan, ...]) -> bool:
    return bool(steps) and sum(step.auto for step in steps) * 2 > len(steps)


def _schedule(steps: tuple[StepPlan, ...]) -> list[dict[str, Any]]:
    """The steps that are otherwise than the phase says."""
    soak, auto = _usual_soak(steps), _usually_auto(steps)
    entries = []
    for step in steps:
        entry: dict[str, Any] = {"step": plain_number(step.percentage)}
        if step.planned_at is not None:
            entry["at"] = step.planned_at.isoformat(timespec="minutes")
        if step.soak != soak:
            entry["soak"] = durations.short(step.soak)
        if step.auto != auto:
            entry["auto"] = step.auto
        if len(entry) > 1:
            entries.append(entry)
    return entries


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """Without keys that say nothing; 0 says something."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}
