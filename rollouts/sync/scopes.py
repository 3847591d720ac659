"""Remember, per instance and project, when something was last read and how asking for it ended."""

from __future__ import annotations

from datetime import datetime

from ..gitlab import GitLabProblem
from ..models import GitLabInstance, GitLabProject, Outcome
from .outcome import Problem, Report

Scope = GitLabInstance | GitLabProject


def keep_problem(scope: Scope, what: str, problem: GitLabProblem, report: Report, name: str) -> None:
    """``what`` is ``flags`` or ``issues``. What was read before stays as it was, and grows stale."""
    setattr(scope, f"{what}_outcome", problem.kind)
    setattr(scope, f"{what}_words", problem.words[:500])
    scope.retry_at = getattr(problem, "until", None)
    scope.save()
    report.problems.append(Problem(name, problem.kind, problem.words))


def keep_success(scope: Scope, what: str, read_at: datetime) -> None:
    """``read_at`` is when GitLab was asked: what it answered held then at the latest."""
    setattr(scope, f"{what}_read_at", read_at)
    setattr(scope, f"{what}_outcome", Outcome.OK)
    setattr(scope, f"{what}_words", "")
    scope.retry_at = None
    scope.save()


def must_wait(scope: Scope, now: datetime, report: Report, name: str) -> bool:
    """GitLab asked us to wait and the time is not over: nothing is asked, and the report says so."""
    if scope.retry_at is None or scope.retry_at <= now:
        return False
    words = f"GitLab asked us to wait until {scope.retry_at:%Y-%m-%d %H:%M:%S} UTC: not asked."
    report.problems.append(Problem(name, Outcome.RATE_LIMITED, words))
    return True
