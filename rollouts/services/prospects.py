"""What a plan would mean before it is made: what is known of all that it names, and who would see the model when.

Nothing is written, so it may be asked at each key that somebody presses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from ..models import AIModel, FeatureFlag, GitLabActor, Phase, Rollout, TrackedIssue
from ..rules.issue_url import IssueRef
from ..rules.machine import PhaseState
from ..rules.plan_document import FlagPlan, ModelPlan, PlanDocument
from ..rules.prediction import Prediction
from ..rules.schedule import PhaseTimes, StepTimes, planned_day
from . import plans, schedules
from .instances import all_instances, default_instance

#: So many names are offered while one types.
MOST_OFFERED = 500


@dataclass(frozen=True, slots=True)
class Named:
    """What a plan names so far; it may still be half written."""

    rollout: str = ""
    model: ModelPlan | str = ""
    flag: FlagPlan | None = None
    owners: tuple[str, ...] = ()
    #: By role.
    issues: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def by(cls, plan: PlanDocument) -> Named:
        issues = dict(plan.issues)
        for phase in plan.phases:
            issues |= phase.issues
        return cls(plan.rollout, plan.model, plan.flag, plan.owners, issues)


@dataclass(frozen=True, slots=True)
class KnownIssue:
    """An issue that is named: as it was read, if it is followed already; ``wrong`` says why it can't be followed."""

    role: str
    row: TrackedIssue | None = None
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the portal knows of what is named; None where it knows nothing."""

    rollout: Rollout | None
    model: AIModel | None
    flag: FeatureFlag | None
    #: Open rollouts on the same flag.
    beside: tuple[Rollout, ...]
    strangers: tuple[str, ...]
    issues: tuple[KnownIssue, ...]


def known(named: Named) -> Known:
    """Look up what is named; as many queries as there are things named, and none per row of a list."""
    flag = _flag(named.flag)
    beside: tuple[Rollout, ...] = ()
    if flag is not None:
        beside = tuple(Rollout.objects.open().filter(flag=flag).exclude(slug=named.rollout).order_by("title")[:5])
    people = set(_people().filter(username__in=named.owners).values_list("username", flat=True))
    return Known(
        rollout=Rollout.objects.filter(slug=named.rollout).first() if named.rollout else None,
        model=_model(named.model),
        flag=flag,
        beside=beside,
        strangers=tuple(name for name in named.owners if name not in people),
        issues=_issues(named.issues),
    )


def ahead(plan: PlanDocument, now: datetime) -> Prediction:
    """What would come when at the earliest, if it began now: outside the change locks that are known."""
    phases = [
        PhaseTimes(
            name=phase.name,
            title=phase.name,
            state=PhaseState.PLANNED,
            audience=phase.audience,
            final_soak=phase.final_soak,
            planned_at=planned_day(str(plan.timeline.get(phase.name, ""))),
            steps=tuple(StepTimes(step.percentage, step.soak, step.planned_at) for step in phase.steps),
        )
        for phase in plan.phases
    ]
    return schedules.ahead(phases, now, default_instance().pk)


def flags_to_offer() -> list[str]:
    """Names of flags of the instance that no open rollout goes live behind yet."""
    free = FeatureFlag.objects.filter(project=None).exclude(rollouts__in=Rollout.objects.open())
    return list(free.order_by("name").values_list("name", flat=True).distinct()[:MOST_OFFERED])


def actors_to_offer() -> dict[str, str]:
    """Users, groups and projects that plans have named, with what GitLab calls them."""
    actors = GitLabActor.objects.exclude(gitlab_id="").order_by("name")[:MOST_OFFERED]
    return {actor.name: str(actor) for actor in actors}


def feature_groups_to_offer() -> dict[str, str]:
    """Those of the newest plans."""
    named = Phase.objects.exclude(groups=[]).order_by("-pk").values_list("groups", flat=True)[:MOST_OFFERED]
    return {name: name for name in sorted({name for groups in named for name in groups})}


def slug_of(named: ModelPlan) -> str:
    """The short name of the model that a plan describes."""
    model = _model(named)
    return model.slug if model else ""


def free_slug(slug: str) -> str:
    """A short name for a copy that no rollout has: ``haiku-2``."""
    stem, number = slug[:90], 2
    while Rollout.objects.filter(slug=f"{stem}-{number}").exists():
        number += 1
    return f"{stem}-{number}"


def _people() -> QuerySet[Any]:
    return get_user_model()._default_manager.all()


def _model(named: ModelPlan | str) -> AIModel | None:
    if isinstance(named, str):
        return AIModel.objects.filter(slug=named).first() if named else None
    rows = AIModel.objects.filter(provider__iexact=named.provider, provider_model_id=named.id)
    return rows.filter(host__iexact=named.host).first()


def _flag(named: FlagPlan | None) -> FeatureFlag | None:
    if named is None or not named.name:
        return None
    rows = FeatureFlag.objects.select_related("instance", "project", "reading").filter(
        instance=default_instance(), name=named.name, environment=named.environment or ""
    )
    return rows.filter(project__path=named.project).first() if named.project else rows.filter(project=None).first()


def _issues(named: Mapping[str, str]) -> tuple[KnownIssue, ...]:
    instances = [instance for instance in all_instances() if instance.is_asked] if named else []
    known_issues = []
    for role, url in named.items():
        try:
            instance, ref = plans.issue_ref(url, instances)
        except ValueError as error:
            known_issues.append(KnownIssue(role, wrong=str(error)))
            continue
        known_issues.append(KnownIssue(role, _issue(instance.pk, ref)))
    return tuple(known_issues)


def _issue(instance: int, ref: IssueRef) -> TrackedIssue | None:
    rows = TrackedIssue.objects.select_related("project")
    return rows.filter(project__instance=instance, project__path=ref.project_path, iid=ref.iid).first()
