"""The rows that a plan makes: model, flag, phases, steps, items, issues, actors. Called inside the plan's change."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.text import slugify

from ..models import (
    AIModel,
    ChecklistItem,
    FeatureFlag,
    GitLabActor,
    GitLabInstance,
    GitLabProject,
    Phase,
    RampStep,
    Rollout,
    RolloutIssue,
    TrackedIssue,
)
from ..rules import criteria
from ..rules.blockers import Blocker
from ..rules.checklist import ItemKind
from ..rules.issue_url import IssueRef
from ..rules.machine import LIVE, PhaseState, state_in_words
from ..rules.phrases import joined, say, shorten
from ..rules.plan_document import PhasePlan, PlanDocument
from ..rules.template import Template
from .instances import default_instance
from .refusals import Refused

#: A phase may be planned anew until it has started; a request for it turns stale by its digest.
EDITABLE = (PhaseState.PLANNED, PhaseState.REQUESTED, PhaseState.APPROVED)


def flag_of(plan: PlanDocument) -> FeatureFlag:
    instance = default_instance()
    project = None
    if plan.flag.project:
        project = GitLabProject.objects.at(instance, plan.flag.project)
    flag, _ = FeatureFlag.objects.get_or_create(
        instance=instance, project=project, environment=plan.flag.environment or "", name=plan.flag.name
    )
    return flag


def ai_model_of(plan: PlanDocument) -> AIModel:
    """The model that the plan describes, found by provider, id and host, as it shall be: not saved."""
    wanted = plan.model
    if isinstance(wanted, str):
        return _model_by_slug(wanted)
    model = AIModel.objects.filter(
        provider__iexact=wanted.provider, provider_model_id=wanted.id, host__iexact=wanted.host
    ).first()
    if model is None:
        model = AIModel(
            slug=_free_slug(f"{wanted.id} {wanted.host}".strip() if _is_taken(slugify(wanted.id)) else wanted.id),
            name=wanted.name or wanted.id,
            provider=wanted.provider,
            provider_model_id=wanted.id,
            host=wanted.host,
        )
    if wanted.name:
        model.name = wanted.name
    if wanted.capability:
        model.capability = wanted.capability
    if wanted.requests_per_minute is not None:
        model.quota_requests_per_minute = wanted.requests_per_minute
    if wanted.lead_time is not None:
        model.quota_lead_time = wanted.lead_time
    return model


def keep_ai_model(plan: PlanDocument) -> AIModel:
    """The same, made or brought up to date where that is needed, one plan after the other."""
    if (known := ai_model_of(plan)).differs:
        AIModel.objects.locked().get(pk=known.pk)
    model = ai_model_of(plan)
    model.save()
    return model


def baseline_of(slug: str | None) -> AIModel | None:
    if not slug:
        return None
    model = _model_by_slug(slug)
    model.save()
    return model


def _model_by_slug(slug: str) -> AIModel:
    """A model that the portal knows, or one that has only its name yet: plans may come before the catalogue."""
    return AIModel.objects.filter(slug=slug).first() or AIModel(slug=slug, name=slug)


def _is_taken(slug: str) -> bool:
    return AIModel.objects.filter(slug=slug).exists()


def _free_slug(text: str) -> str:
    base = slugify(text)[:110] or "model"
    slug, number = base, 2
    while _is_taken(slug):
        slug, number = f"{base}-{number}", number + 1
    return slug


def make_items(rollout: Rollout, template: Template, phase: Phase | None) -> None:
    for position, item in enumerate(template.items):
        if item.phase == (phase.name if phase else None):
            ChecklistItem.objects.create(
                rollout=rollout,
                phase=phase,
                key=item.key,
                title=item.title,
                help=item.help,
                kind=item.kind,
                role=item.role,
                gate=item.gate,
                required=item.required,
                guide=item.guide,
                position=position,
            )


def ask_for_criteria(rollout: Rollout, phase: Phase, *, after: int) -> None:
    """The phase's checklist asks what the plan's criteria ask; ``after`` is the position of the template's last item.

    What a phase asks stands once it has started, so that nobody goes on by taking the question away; of one that
    is over it is history. Raises ``Refused``.
    """
    steps = [step.percentage for step in phase.steps.all()]
    asked = {each.key: each for each in criteria.questions(rollout.criteria, phase.criteria_asked, steps)}
    known = {item.key: item for item in phase.items.filter(kind=ItemKind.CRITERION)}
    if phase.state not in EDITABLE:
        same = {key: each.sentence for key, each in asked.items()} == {key: each.help for key, each in known.items()}
        if phase.state in LIVE and not same:
            raise _in_flight(phase, [say("criteria")])
        return
    for key, item in known.items():
        if key not in asked:
            item.delete()
    for position, (key, question) in enumerate(asked.items(), start=after):
        item = known.get(key) or ChecklistItem(rollout=rollout, phase=phase, key=key, kind=ItemKind.CRITERION)
        item.title, item.help = shorten(question.sentence, 200), question.sentence
        item.criterion, item.step, item.gate = question.criterion, question.step, question.gate
        item.position = position
        item.save()


def _in_flight(phase: Phase, parts: list[str]) -> Refused:
    message = say(
        "{phase} is {state}: its {parts} can't change any more. "
        "Roll it back and try again with another plan, or take the change out of the plan.",
        phase=phase.title,
        state=state_in_words(phase.state),
        parts=joined(parts, ", "),
    )
    return Refused([Blocker("phase_in_flight", message, f"#phase-{phase.name}")])


def apply_phase(rollout: Rollout, template: Template, name: str, position: int, plan: PhasePlan) -> Phase:
    pattern = template.phase(name)
    phase = rollout.phases.filter(name=name).order_by("-attempt").first()
    values = {
        "audience": plan.audience.value,
        "actors": list(plan.actors),
        "groups": list(plan.groups),
        "final_soak": plan.final_soak,
        "criteria_asked": plan.criteria,
    }
    steps = {step.percentage: step for step in phase.steps.all()} if phase else {}
    wanted = {step.percentage: step for step in plan.steps}
    if phase is None:
        phase = Phase(
            rollout=rollout, name=name, title=pattern.title, position=position, optional=pattern.optional, **values
        )
        phase.save()
        make_items(rollout, template, phase)
    differs = [key for key, value in values.items() if getattr(phase, key) != value]
    if {percentage: step.soak for percentage, step in steps.items()} != {s.percentage: s.soak for s in plan.steps}:
        differs.append("steps")
    if differs and phase.state not in EDITABLE:
        raise _in_flight(phase, differs)
    for key, value in values.items():
        setattr(phase, key, value)
    phase.save()
    for percentage, step in steps.items():
        if percentage not in wanted:
            step.delete()
    for percentage, said_of in wanted.items():
        row = steps.get(percentage) or RampStep(phase=phase, percentage=percentage)
        row.soak = said_of.soak
        if (phase.percentage or 0) < percentage or phase.state in EDITABLE:  # what a step did stays as it was
            row.planned_at, row.auto = said_of.planned_at, said_of.auto
        row.save()
    return phase


def link_issues(rollout: Rollout, refs: Mapping[tuple[str, str], tuple[GitLabInstance, IssueRef]]) -> None:
    links = {(link.phase_name, link.role): link for link in rollout.issue_links.select_related("issue__project")}
    for key, link in links.items():
        if key not in refs:
            link.delete()
    for (phase_name, role), (instance, ref) in refs.items():
        project = GitLabProject.objects.at(instance, ref.project_path)
        issue, _ = TrackedIssue.objects.get_or_create(project=project, iid=ref.iid)
        known = links.get((phase_name, role))
        if known is None:
            RolloutIssue.objects.create(rollout=rollout, phase_name=phase_name, role=role, issue=issue)
        elif known.issue_id != issue.pk:
            known.issue = issue
            known.save()


def know_actors(instance: GitLabInstance, plan: PlanDocument) -> None:
    """Actors named in the plan are resolved by the next sync; GitLab's own ids need no resolving."""
    for phase in plan.phases:
        for name in phase.actors:
            bare = name.removesuffix(":opt_out")
            if not bare[:1].isupper():
                GitLabActor.objects.get_or_create(instance=instance, name=bare)
