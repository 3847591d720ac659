"""Remember, per instance and project, when something was last read and how asking for it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from ..gitlab import GitLabProblem
from ..models import GitLabInstance, GitLabProject, Outcome, Phase, PortfolioRow, ReadingGap
from ..rules.machine import MOVING
from ..services.freshness import is_stale
from .outcome import Problem, Report, phrase_of

Scope = GitLabInstance | GitLabProject


def keep_problem(scope: Scope, what: str, problem: GitLabProblem, report: Report, name: str) -> None:
    """``what`` is ``flags`` or ``issues``. What was read before stays as it was, and grows stale."""
    setattr(scope, f"{what}_outcome", problem.kind)
    setattr(scope, f"{what}_words", phrase_of(problem))
    scope.save(update_fields=[f"{what}_outcome", f"{what}_words"])
    report.problems.append(Problem.of(name, problem))


def keep_success(scope: Scope, what: str, read_at: datetime) -> None:
    """``read_at`` is when GitLab was asked: what it answered held then at the latest.

    Rollouts that only waited for a reading are marked in the same transaction, whether it brought anything new or not.
    """
    with transaction.atomic():
        was_unread = what == "flags" and _keep_gap(scope, read_at)
        setattr(scope, f"{what}_read_at", read_at)
        setattr(scope, f"{what}_outcome", Outcome.OK)
        setattr(scope, f"{what}_words", "")
        scope.save(update_fields=[f"{what}_read_at", f"{what}_outcome", f"{what}_words"])
        if what == "flags":
            moving = Phase.objects.filter(rollout=OuterRef("rollout"), state__in=sorted(MOVING))
            waits = moving if was_unread else moving.filter(confirmed_at=None)
            PortfolioRow.objects.filter(Exists(waits), **_on(scope)).mark()


def _on(scope: Scope) -> dict[str, Any]:
    if isinstance(scope, GitLabProject):
        return {"rollout__flag__project": scope}
    return {"rollout__flag__instance": scope, "rollout__flag__project": None}


def _keep_gap(scope: Scope, read_at: datetime) -> bool:
    """Remember for how long the flags were not read, if that was longer than a reading counts as fresh."""
    before = scope.flags_read_at
    if not is_stale(before, read_at):
        return False
    project = scope if isinstance(scope, GitLabProject) else None
    instance = project.instance_id if project else scope.pk
    ReadingGap.objects.create(instance_id=instance, project=project, since=before, until=read_at)
    return True
