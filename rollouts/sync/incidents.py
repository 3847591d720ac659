"""Read what locks changes in GitLab: open issues with configured labels in configured projects."""

from __future__ import annotations

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..gitlab import GitLab, GitLabProblem
from ..models import GitLabInstance, IncidentSource, Outcome, clock
from ..rules.phrases import say
from .outcome import Problem, Report
from .phrases import phrase_of

JOB = Actor.job("sync")


def sync_incidents(gitlab: GitLab, instance: GitLabInstance, report: Report) -> None:
    """One call for each label of each source; what was known stays, and grows stale, where GitLab does not answer."""
    for source in IncidentSource.objects.filter(instance=instance):
        read_at = clock.now()
        try:
            labels = {issue.iid: label for label in source.labels for issue in gitlab.open_issues(source.path, label)}
        except GitLabProblem as problem:
            source.outcome, source.words = problem.kind, phrase_of(problem)
            source.save()
            report.problems.append(Problem.of(say("incidents of {project}", project=source.path), problem))
            continue
        still = [{"iid": iid, "label": label} for iid, label in sorted(labels.items())]
        source.read_at, source.outcome, source.words = read_at, Outcome.OK, ""
        if still == source.open_issues:
            source.save()
            continue
        with recorded("incidents.read", by=JOB, about=source):
            source.open_issues = still
            source.save()
