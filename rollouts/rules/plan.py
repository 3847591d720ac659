"""Plan documents in and out. Reading judges the document's shape first, then what it means with its template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from . import names
from .criteria import MOST_QUESTIONS, questions
from .document import Document, DocumentRefused, Fault, Path, read
from .expected import Audience
from .exposure import OPT_OUT
from .metrics import Deed
from .ordering import Order
from .phrases import joined, say, shorten
from .plan_document import Criteria, FlagPlan, ModelPlan, PhasePlan, PlanDocument, StepPlan, dump_plan
from .plan_schema import FlagWritten, ModelWritten, PhasePlanWritten, PlanWritten, StepWritten
from .schema import fit, nearest
from .template import Template, TemplatePhase

__all__ = ["Criteria", "FlagPlan", "ModelPlan", "PhasePlan", "PlanDocument", "StepPlan", "dump_plan", "parse_plan"]

#: The keys of a phase, by what its audience may be.
_KEYS = {
    "actors": ("actors", "final_soak"),
    "groups": ("groups", "final_soak"),
    "everyone": ("method", "steps", "soak", "final_soak", "auto", "schedule"),
}
_RIGHT = {
    "actors": say("people by name: write `actors: [user:NAME, group:PATH]`"),
    "groups": say("feature groups: write `groups: [NAME]`"),
    "everyone": say("all users: write `method: percentage` with steps, or `method: all_at_once`"),
}


def parse_plan(text: str | bytes, *, source: str = "plan.yaml", templates: Mapping[str, Template]) -> PlanDocument:
    """Read a plan document against the templates that there are. Raises ``DocumentRefused`` with every fault."""
    document = read(text, source=source)
    written, faults = fit(document, PlanWritten)
    template = _template(document, templates, faults)
    faults += _flag_faults(document)
    if template:
        faults += _name_faults(document, template)
        faults += [fault for phase in template.phases for fault in _phase_faults(document, phase)]
    if template and written:
        faults += [fault for phase in template.phases for fault in _step_faults(document, phase, written)]
        faults += [fault for phase in template.phases for fault in _schedule_faults(document, phase, written)]
        faults += [fault for phase in template.phases for fault in _criteria_faults(document, phase, written)]
        faults += _metric_faults(document, template, written)
    if written:
        faults += _order_faults(document, written)
    if faults or written is None or template is None:
        raise DocumentRefused(faults)
    return _plan(written, template)


def _template(document: Document, templates: Mapping[str, Template], faults: list[Fault]) -> Template | None:
    slug = document.tree.get("template")
    slug = PlanWritten.model_fields["template"].default if slug is None else slug
    if not isinstance(slug, str):
        return None
    if slug not in templates:
        message = say(
            "there is no template «{written}». {there_are}",
            written=shorten(slug),
            there_are=_there_are(slug, sorted(templates)),
        )
        faults.append(document.fault(("template",), message))
    return templates.get(slug)


def _flag_faults(document: Document) -> list[Fault]:
    """The flag's name, which GitLab judges otherwise in a project than in the instance."""
    flag = document.tree.get("flag")
    if not isinstance(flag, dict):
        return []
    faults, name = [], flag.get("name")
    if isinstance(name, str) and name.strip():
        try:
            (names.project_flag_name if flag.get("project") else names.flag_name)(name)
        except ValueError as wrong:
            faults.append(document.fault(("flag", "name"), str(wrong)))
    if flag.get("environment") is not None and not flag.get("project"):
        message = say(
            "`environment` belongs to a project's flag. Add `project: group/app`, or take the environment out."
        )
        faults.append(document.fault(("flag", "environment"), message))
    return faults


def _name_faults(document: Document, template: Template) -> list[Fault]:
    """Phases and roles that the template does not have."""
    phases = _keys_at(document, ("phases",))
    of_issues = [_keys_at(document, ("issues",)), *(_keys_at(document, (*path, "issues")) for path in phases)]
    judged = [(path, say("phase"), template.phase_names) for path in [*phases, *_keys_at(document, ("timeline",))]]
    judged += [(path, say("role"), template.roles) for paths in of_issues for path in paths]
    return [
        document.fault(
            path,
            say(
                "«{written}» is no {what} of {slug}. {there_are}",
                written=shorten(path[-1]),
                what=what,
                slug=template.slug,
                there_are=_there_are(path[-1], known),
            ),
        )
        for path, what, known in judged
        if path[-1] not in known
    ]


def _there_are(word: str, known: Iterable[str]) -> str:
    choices = list(known)
    close = nearest(word, choices)
    everything = say("There are: {names}.", names=", ".join(choices)) if choices else say("There are none.")
    return joined((close, everything)) if close.startswith("Did") else everything


def _phase_faults(document: Document, phase: TemplatePhase) -> list[Fault]:
    """Whether what the plan says of a phase fits its audience in the template, and lets somebody in."""
    path: Path = ("phases", phase.name)
    given = _at(document, path)
    phase_plan = {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else {}
    is_project = bool(_at(document, ("flag", "project")))
    fitting = _KEYS[_audience(phase, phase_plan, is_project=is_project)]
    faults = [
        document.fault(
            (*path, key),
            say(
                "`{key}` does not fit {phase}. This phase is for {value}.",
                key=key,
                phase=phase.name,
                value=_RIGHT[phase.audience],
            ),
        )
        for key in dict.fromkeys(key for keys in _KEYS.values() for key in keys)
        if key in phase_plan and key not in fitting
    ]
    named = phase_plan.get("actors")
    if is_project and isinstance(named, list):
        faults += [
            document.fault((*path, "actors", position), no_opt_out(actor))
            for position, actor in enumerate(named)
            if str(actor).endswith(OPT_OUT)
        ]
    if phase_plan.get("method") == "all_at_once":
        faults += [
            document.fault(
                (*path, key), say("`{key}` means nothing all at once. Take it out, or write `percentage`.", key=key)
            )
            for key in ("steps", "soak", "auto", "schedule")
            if key in phase_plan
        ]
    if not faults and not phase.optional and _lets_nobody_in(phase_plan, phase, fitting):
        message = say(
            "the phase {phase} lets nobody in. It is for {value}.", phase=phase.name, value=_RIGHT[phase.audience]
        )
        faults.append(document.fault(path, message))
    return faults


def _lets_nobody_in(inputs: Mapping[str, Any], phase: TemplatePhase, fitting: tuple[str, ...]) -> bool:
    """Whether a phase for actors or groups names none, here or in the template."""
    if phase.audience == "everyone":
        return False
    key = fitting[0]
    return not inputs.get(key, getattr(phase, key))


def _audience(phase: TemplatePhase, inputs: Mapping[str, Any], *, is_project: bool) -> str:
    """A project's flag knows no feature groups: there a phase for groups may name actors instead."""
    if is_project and phase.audience == "groups" and "actors" in inputs and "groups" not in inputs:
        return "actors"
    return phase.audience


def _plan(written: PlanWritten, template: Template) -> PlanDocument:
    model = written.model
    return PlanDocument(
        rollout=written.rollout,
        title=written.title,
        model=_model(model) if isinstance(model, ModelWritten) else model,
        baseline=written.baseline,
        flag=_flag(written.flag),
        template=template.slug,
        peak_requests_per_minute=written.workload.peak_requests_per_minute,
        owners=tuple(written.owners),
        after=tuple(written.after),
        not_with=tuple(written.not_with),
        issues=written.issues,
        phases=tuple(_phase(written.phases.get(phase.name), phase, written) for phase in template.phases),
        criteria=Criteria(**{key: tuple(sentences) for key, sentences in written.criteria}),
        guard_metrics=tuple(metric.bound(name) for name, metric in written.guard_metrics.items()),
        timeline=written.timeline,
        mitigation=written.mitigation,
    )


def _model(written: ModelWritten) -> ModelPlan:
    return ModelPlan(
        provider=written.provider,
        id=written.id,
        capability=written.capability,
        host=written.host,
        name=written.name,
        requests_per_minute=written.quota.requests_per_minute,
        lead_time=written.quota.lead_time,
    )


def _flag(written: FlagWritten) -> FlagPlan:
    environment = (written.environment or "production") if written.project else None
    return FlagPlan(name=written.name, project=written.project, environment=environment)


def _phase(written: PhasePlanWritten | None, phase: TemplatePhase, plan: PlanWritten) -> PhasePlan:
    """A phase as the plan says, with the template's word where the plan is silent."""
    phase_plan = written or PhasePlanWritten()
    return replace(
        _reach(phase_plan, phase, is_project=bool(plan.flag.project)),
        final_soak=phase.final_soak if phase_plan.final_soak is None else phase_plan.final_soak,
        issues=phase_plan.issues,
        criteria=phase_plan.criteria or "",
    )


def _reach(written: PhasePlanWritten, phase: TemplatePhase, *, is_project: bool) -> PhasePlan:
    """Whom the phase lets in, and how."""
    chosen = {key: value for key, value in written if value is not None}
    match _audience(phase, chosen, is_project=is_project):
        case "actors":
            actors = phase.actors if written.actors is None else tuple(written.actors)
            return PhasePlan(phase.name, Audience.ACTORS, actors=actors)
        case "groups":
            groups = phase.groups if written.groups is None else tuple(written.groups)
            return PhasePlan(phase.name, Audience.GROUPS, groups=groups)
    if (written.method or ("percentage" if written.steps else phase.method)) == "all_at_once":
        return PhasePlan(phase.name, Audience.ALL_AT_ONCE)
    return PhasePlan(phase.name, Audience.PERCENTAGE, steps=_steps(written, phase))


def _steps(written: PhasePlanWritten, phase: TemplatePhase) -> tuple[StepPlan, ...]:
    """Each step with what the phase says, and where the schedule says otherwise, that."""
    usual = phase.soak if written.soak is None else written.soak
    special = {entry.step: entry for entry in written.schedule or ()}
    steps = []
    for percentage in written.steps or phase.steps:
        entry = special.get(percentage)
        auto = entry.auto if entry and entry.auto is not None else bool(written.auto)
        soak = entry.soak if entry and entry.soak is not None else usual
        steps.append(StepPlan(percentage, soak, entry.at if entry else None, auto))
    return tuple(steps)


def _step_faults(document: Document, phase: TemplatePhase, written: PlanWritten) -> list[Fault]:
    """A project's flag takes whole percentages only (GitLab, strategies of feature flags)."""
    phase_plan = written.phases.get(phase.name) or PhasePlanWritten()
    is_ramp = (phase_plan.method or ("percentage" if phase_plan.steps else phase.method)) == "percentage"
    if not written.flag.project or phase.audience != "everyone" or not is_ramp:
        return []
    return [
        document.fault(("phases", phase.name, "steps"), no_part(step))
        for step in (phase_plan.steps or phase.steps)
        if step != step.to_integral_value()
    ]


def _metric_faults(document: Document, template: Template, written: PlanWritten) -> list[Fault]:
    """What a figure does by itself is at most what the template allows."""
    return [
        document.fault(
            ("guard_metrics", name, "then"),
            say("the template {template} lets guard metrics do so much at most: {most}. Write that, or have the "
                "template changed: `metrics_may`.", template=template.slug, most=template.metrics_may.value),
        )
        for name, metric in written.guard_metrics.items()
        if Deed(metric.then).at_most(template.metrics_may) != metric.then
    ]  # fmt: skip


def _order_faults(document: Document, written: PlanWritten) -> list[Fault]:
    """Other rollouts are others, and each is named once; whether there are such is for who knows them."""
    faults = []
    for order, slugs in ((Order.AFTER, written.after), (Order.NOT_WITH, written.not_with)):
        for position, slug in enumerate(slugs):
            path: Path = (order, position) if isinstance(_at(document, (order,)), list) else (order,)
            if slug == written.rollout:
                message = say("{slug} is this rollout itself. Name another one, or take it out.", slug=slug)
                faults.append(document.fault(path, message))
            elif slug in slugs[:position]:
                faults.append(document.fault(path, say("{slug} is named twice. Keep one.", slug=slug)))
    return faults


def _schedule_faults(document: Document, phase: TemplatePhase, written: PlanWritten) -> list[Fault]:
    """A schedule names steps of the ramp, each once, at rising times."""
    phase_plan = written.phases.get(phase.name)
    faults: list[Fault] = []
    seen: set[Decimal] = set()
    latest: StepWritten | None = None
    known = (phase_plan.steps or list(phase.steps)) if phase_plan else []
    for position, entry in enumerate(phase_plan.schedule or () if phase_plan else ()):
        path = ("phases", phase.name, "schedule", position)
        if entry.step not in known:
            there = ", ".join(map(str, known))
            faults.append(
                document.fault(
                    (*path, "step"),
                    say("{step} is no step of this ramp. There are: {there}.", step=entry.step, there=there),
                )
            )
        if entry.step in seen:
            faults.append(
                document.fault((*path, "step"), say("{step} is in the schedule twice. Keep one.", step=entry.step))
            )
        seen.add(entry.step)
        if entry.at is not None:
            if latest and latest.at and (entry.step > latest.step) != (entry.at > latest.at):
                said_so = say(
                    "{step} % is planned for no later than {before} %. Let the times rise with the steps.",
                    step=entry.step,
                    before=latest.step,
                )
                faults.append(document.fault((*path, "at"), said_so))
            latest = entry
    return faults


def _criteria_faults(document: Document, phase: TemplatePhase, written: PlanWritten) -> list[Fault]:
    """A phase that asks for criteria has some to ask for, and no more than people answer."""
    phase_plan = written.phases.get(phase.name)
    if phase_plan is None or not phase_plan.criteria:
        return []
    path = ("phases", phase.name, "criteria")
    criteria = Criteria(**{key: tuple(sentences) for key, sentences in written.criteria}).as_dict()
    is_ramp = phase.audience == "everyone" and phase_plan.method != "all_at_once"
    steps = (phase_plan.steps or phase.steps) if is_ramp else ()
    asked = questions(criteria, phase_plan.criteria, steps)
    if not asked:
        message = say(
            "there is nothing to answer. Write `criteria:` with sentences beside `phases:`, or take this out."
        )
        return [document.fault(path, message)]
    if len(asked) > MOST_QUESTIONS:
        message = say(
            "this asks {n} questions, {most} at most. Write `criteria: at_end`, or fewer sentences.",
            n=len(asked),
            most=MOST_QUESTIONS,
        )
        return [document.fault(path, message)]
    return []


def _at(document: Document, path: Path) -> Any:
    here: Any = document.tree
    for step in path:
        here = here.get(step) if isinstance(here, dict) else None
    return here


def _keys_at(document: Document, path: Path) -> list[tuple[Any, ...]]:
    """The paths of the keys of a mapping; none where there is no mapping."""
    here = _at(document, path)
    return [(*path, key) for key in here] if isinstance(here, dict) else []


def no_part(step: Decimal) -> str:
    """What is said of a step with decimals in the plan of a project's flag."""
    return say("a project's flag takes whole percentages only. Take {step} out, or round it.", step=step)


def no_opt_out(actor: str) -> str:
    """What is said of an opt-out in the plan of a project's flag: only an instance's flags know them."""
    return say("a project's flag knows no opt-outs. Take {actor} out, or use a flag of its own.", actor=actor)
