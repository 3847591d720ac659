"""Remember, per instance and project, when something was last read and how asking for it ended."""

from __future__ import annotations

from datetime import datetime

from ..gitlab import GitLabProblem
from ..models import GitLabInstance, GitLabProject, Outcome, ReadingGap
from ..services.freshness import is_stale
from .outcome import Problem, Report
from .phrases import phrase_of

Scope = GitLabInstance | GitLabProject


def keep_problem(scope: Scope, what: str, problem: GitLabProblem, report: Report, name: str) -> None:
    """``what`` is ``flags`` or ``issues``. What was read before stays as it was, and grows stale."""
    setattr(scope, f"{what}_outcome", problem.kind)
    setattr(scope, f"{what}_words", phrase_of(problem))
    scope.save(update_fields=[f"{what}_outcome", f"{what}_words"])
    report.problems.append(Problem.of(name, problem))


def keep_success(scope: Scope, what: str, read_at: datetime) -> None:
    """``read_at`` is when GitLab was asked: what it answered held then at the latest."""
    if what == "flags":
        _keep_gap(scope, read_at)
    setattr(scope, f"{what}_read_at", read_at)
    setattr(scope, f"{what}_outcome", Outcome.OK)
    setattr(scope, f"{what}_words", "")
    scope.save(update_fields=[f"{what}_read_at", f"{what}_outcome", f"{what}_words"])


def _keep_gap(scope: Scope, read_at: datetime) -> None:
    """Remember for how long the flags were not read, if that was longer than a reading counts as fresh."""
    before = scope.flags_read_at
    if is_stale(before, read_at):
        where = (
            {"instance_id": scope.instance_id, "project": scope}
            if isinstance(scope, GitLabProject)
            else {"instance": scope}
        )
        ReadingGap.objects.create(**where, since=before, until=read_at)
