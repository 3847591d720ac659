"""Who changed a flag that drifts, and by which command: looked up in the project in which GitLab's ChatOps logs it."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings

from ..gitlab import FlagChange, GitLab, GitLabProblem
from ..models import DriftCase, GitLabInstance, clock
from ..rules.phrases import say
from ..services import drift_log
from .outcome import Problem, Report

#: Clocks of two hosts differ, and the log is written a moment after the flag.
SLACK = timedelta(minutes=1)


def sync(gitlab: GitLab, instance: GitLabInstance, report: Report) -> None:
    """One call for each flag with an open case that is not explained yet; none where no log is configured."""
    if not settings.GITLAB_FLAG_LOG:
        return
    cases: dict[str, list[DriftCase]] = {}
    for case in drift_log.unexplained(instance.pk, clock.now()):
        cases.setdefault(case.rollout.flag.name, []).append(case)
    for flag, found in cases.items():
        since = min(case.since for case in found) - drift_log.EXPLAINED_WITHIN
        try:
            changes = gitlab.flag_changes(settings.GITLAB_FLAG_LOG, flag, since)
        except GitLabProblem as problem:
            report.problems.append(Problem.of(say("log of flags {project}", project=settings.GITLAB_FLAG_LOG), problem))
            return
        for case in found:
            if change := _change_behind(case, changes, urlsplit(instance.api_url).hostname or ""):
                drift_log.explain(case, by=change.by, at=change.at, command=change.command, url=change.url)


def _change_behind(case: DriftCase, changes: list[FlagChange], host: str) -> FlagChange | None:
    """The last change of this host's flag before GitLab was first read so."""
    before = [one for one in changes if one.at <= case.since + SLACK and one.host in ("", host) and one.url]
    return max(before, key=lambda one: one.at, default=None)
