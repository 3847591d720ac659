"""Read tracked issues: per project, up to 100 in one call; only rows that changed are written."""

from __future__ import annotations

from typing import Any

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..gitlab import GitLab, GitLabProblem, IssueRecord
from ..models import GitLabProject, Outcome, TrackedIssue, clock
from .outcome import Report
from .scopes import keep_problem, keep_success

JOB = Actor.job("sync")


def sync_project_issues(gitlab: GitLab, project: GitLabProject, issues: list[TrackedIssue], report: Report) -> None:
    """``GET /projects/:id/issues?iids[]=…`` for all tracked issues of one project.

    An issue that GitLab does not show is kept as it was and marked as not found: deleted, moved, or hidden
    from our token (GitLab answers the same for all three).
    """
    report.issues.tracked += len(issues)
    read_at = clock.now()
    try:
        records = {record.iid: record for record in gitlab.issues(project.path, [issue.iid for issue in issues])}
    except GitLabProblem as problem:
        keep_problem(project, "issues", problem, report, project.path)
        if problem.kind == Outcome.NOT_FOUND:
            for issue in issues:
                _apply(issue, None, read_at, report)
            report.issues.missing += len(issues)
        return
    for issue in issues:
        record = records.get(issue.iid)
        _apply(issue, record, read_at, report)
        report.issues.missing += record is None
    keep_success(project, "issues", read_at)


def _apply(issue: TrackedIssue, record: IssueRecord | None, read_at: Any, report: Report) -> None:
    values = {"found": False} if record is None else _values(record)
    if not _differs(issue, values) and issue.first_read_at:
        return
    with deed("issue.read", by=JOB) as doing:
        issue = (
            TrackedIssue.objects.select_for_update(of=("self",)).select_related("project__instance").get(pk=issue.pk)
        )
        if record and record.updated_at and issue.changed_at and record.updated_at < issue.changed_at:
            return  # another pass has read something newer
        for name, value in values.items():
            setattr(issue, name, value)
        issue.first_read_at = issue.first_read_at or read_at
        issue.save()
        link = issue.links.select_related("rollout").first()
        doing.about = issue
        doing.rollout = link.rollout if link else None
    report.issues.changed += 1


def _differs(issue: TrackedIssue, values: dict[str, Any]) -> bool:
    return any(getattr(issue, name) != value for name, value in values.items())


def _values(record: IssueRecord) -> dict[str, Any]:
    return {
        "found": True,
        "title": record.title[:1024],
        "state": record.state,
        "confidential": record.confidential,
        "labels": list(record.labels),
        "assignees": list(record.assignees),
        "author": record.author,
        "task_count": record.task_count,
        "task_done": min(record.task_done, record.task_count),
        "notes_count": record.notes_count,
        "opened_at": record.created_at,
        "changed_at": record.updated_at,
        "closed_at": record.closed_at,
        "moved_to_id": record.moved_to_id,
    }
