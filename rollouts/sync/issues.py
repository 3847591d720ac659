"""Read tracked issues: per project, up to 100 in one call; only rows that changed are written, in bulk.

Most passes ask only for what changed since the last one, by GitLab's own clock. What such a question can't show
(deleted, hidden from us) is found by a full one now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..audit.actor import Actor
from ..audit.recording import recorded_in_bulk
from ..gitlab import GitLab, GitLabProblem, IssueRecord
from ..models import GitLabProject, Outcome, Rollout, RolloutIssue, TrackedIssue, clock
from ..rules.datetimes import is_before, may_be_same
from .outcome import Problem, Report
from .scopes import keep_problem, keep_success

JOB = Actor.job("sync")
#: Rows that could not be read are all alike: so many of them are told.
MOST_TOLD = 5
#: As many as one call can ask for and one transaction writes.
BATCH = 100
#: Changes this much older than the last question are asked for again: a change may be stamped by one clock of GitLab,
#: and be seen only after another has answered. Longer than a lease.
OVERLAP = timedelta(minutes=5)


class Followed(NamedTuple):
    """What must be known of an issue to ask for it. Of a project's thousands no more is held at once."""

    pk: int
    iid: int
    first_read_at: datetime | None


@dataclass(slots=True)
class IssuesRead:
    """What reading one project's issues brought: rows that changed, and by when we know it."""

    changed: set[int] = field(default_factory=set)
    newest: datetime | None = None
    asked_at: datetime | None = None
    records: list[IssueRecord] = field(default_factory=list)
    unread: list[GitLabProblem] = field(default_factory=list)

    def saw(self, records: Iterable[IssueRecord], told_at: datetime | None) -> None:
        """One record is enough to know the project by. The cursor is when GitLab first answered, by its own clock.

        Where it does not tell its clock, the newest change that it showed: then what changed last is sent each time.
        """
        if self.asked_at is None and told_at is not None:
            self.asked_at = min(told_at, clock.now())  # a clock that is ahead would hide changes
        for record in records:
            self.records = self.records or [record]
            if record.updated_at and (self.newest is None or record.updated_at > self.newest):
                self.newest = record.updated_at

    @property
    def cursor(self) -> datetime | None:
        return self.asked_at or self.newest


def sync_project_issues(
    gitlab: GitLab,
    project: GitLabProject,
    issues: Sequence[Followed],
    report: Report,
    *,
    since: datetime | None = None,
    still_mine: Callable[[], None] = lambda: None,
) -> IssuesRead:
    """``GET /projects/:id/issues?iids[]=…`` for the tracked issues of one project; with ``since`` what changed after.

    An issue that GitLab does not show is kept as it was and marked as not found: deleted, or hidden from our token
    (GitLab answers the same for both). ``still_mine`` is called between the calls and may raise.
    """
    report.issues.tracked += len(issues)
    read = IssuesRead(newest=since)
    read_at = clock.now()
    try:
        for batch in _ask(gitlab, project, issues, since, read, still_mine):
            read.changed |= write(batch, read_at)
    except GitLabProblem as problem:
        report.issues.changed += len(read.changed)
        keep_problem(project, "issues", problem, report, project.path)
        if problem.kind == Outcome.NOT_FOUND:
            for start in range(0, len(issues), BATCH):
                read.changed |= write({issue.pk: None for issue in issues[start : start + BATCH]}, read_at)
            report.issues.missing += len(issues)
        read.newest, read.asked_at = since, None
        return read
    report.issues.changed += len(read.changed)
    followed = TrackedIssue.objects.filter(project=project, links__isnull=False, found=False)
    report.issues.missing += followed.distinct().count()
    keep_success(project, "issues", read_at)
    report.problems += [Problem.of(project.path, bad) for bad in read.unread[:MOST_TOLD]]
    if read.unread:
        read.newest, read.asked_at = since, None  # asked for again until it can be read
    return read


#: What GitLab says of issues, by our ids: a record, or None where it was asked for one and did not show it.
Found = dict[int, IssueRecord | None]


def _ask(
    gitlab: GitLab,
    project: GitLabProject,
    issues: Sequence[Followed],
    since: datetime | None,
    read: IssuesRead,
    still_mine: Callable[[], None],
) -> Iterator[Found]:
    """Question by question, what GitLab says."""
    known = {issue.iid: issue.pk for issue in issues if since and issue.first_read_at}
    if since and known:
        for changed in gitlab.issue_batches(project.address, known, updated_after=since - OVERLAP):
            read.saw(changed, gitlab.told_at)
            read.unread += gitlab.unread
            yield {known[record.iid]: record for record in changed}
            still_mine()
    unread = [issue for issue in issues if issue.iid not in known]
    for start in range(0, len(unread), BATCH):
        still_mine()
        batch = {issue.iid: issue.pk for issue in unread[start : start + BATCH]}
        shown = gitlab.issues(project.address, batch)
        read.saw(shown, gitlab.told_at)
        # what could not be read may be any of those that are not there
        missing: Found = {} if gitlab.unread else dict.fromkeys(batch.values())
        read.unread += gitlab.unread
        yield missing | {batch[record.iid]: record for record in shown}


def write(issues_read: Found, read_at: datetime) -> set[int]:
    """Write what differs, with one event for each issue that changed; the ids of those. Constant queries."""
    wanted: dict[int, dict[str, Any]] = {}
    for issue in TrackedIssue.objects.filter(pk__in=issues_read):
        record = issues_read[issue.pk]
        values = {"found": False} if record is None else values_of(record)
        if not issue.first_read_at or _differs(issue, values):
            wanted[issue.pk] = values
    return write_values(wanted, {}, read_at) if wanted else set()


def write_values(
    wanted: dict[int, dict[str, Any]], notes: dict[int, dict[str, Any]], read_at: datetime, *, by: Actor = JOB
) -> set[int]:
    """Set fields of issues by id, unless something newer is there; one event for each that really changed.

    ``notes`` are kept with the events, by the issue's id: as confidential as the issue was or is.
    ``read_at`` is the first reading where there was none.
    """
    with recorded_in_bulk(by=by) as recording:
        rows = TrackedIssue.objects.locked().select_related("project__instance")
        changed: list[TrackedIssue] = []
        secret: set[int] = set()
        for issue in rows.filter(pk__in=wanted):
            values = wanted[issue.pk]
            newer = values.get("changed_at")
            if newer and issue.changed_at and is_before(newer, issue.changed_at):
                continue  # somebody has read something newer
            if issue.first_read_at and not _differs(issue, values):
                continue
            if issue.confidential or values.get("confidential"):
                secret.add(issue.pk)
            for name, value in values.items():
                setattr(issue, name, value)
            issue.first_read_at = issue.first_read_at or read_at
            changed.append(issue)
        fields = {"first_read_at"}.union(*(wanted[issue.pk] for issue in changed))
        TrackedIssue.objects.bulk_update(changed, sorted(fields), batch_size=BATCH)
        of = _rollouts_of(changed)
        for issue in changed:
            which = "confidential_notes" if issue.pk in secret else "notes"
            recording.close("issue.read", issue, rollouts=of.get(issue.pk, []), **{which: notes.get(issue.pk) or {}})
    return {issue.pk for issue in changed}


def values_of(record: IssueRecord) -> dict[str, Any]:
    """What is kept of an issue, by the names of TrackedIssue's fields."""
    return {
        "found": True,
        "title": record.title[:1024],
        "state": record.state,
        "confidential": record.confidential,
        "labels": sorted(record.labels),
        "assignees": sorted(record.assignees),
        "author": record.author,
        "task_count": record.task_count,
        "task_done": min(record.task_done, record.task_count),
        "notes_count": record.notes_count,
        "opened_at": record.created_at,
        "changed_at": record.updated_at,
        "closed_at": record.closed_at,
        "moved_to_id": record.moved_to_id,
    }


def _rollouts_of(issues: Sequence[TrackedIssue]) -> dict[int, list[Rollout]]:
    """All that follow an issue, the newest first."""
    found: dict[int, dict[int, Rollout]] = {}
    for link in RolloutIssue.objects.filter(issue__in=issues).select_related("rollout").order_by("-rollout_id"):
        found.setdefault(link.issue_id, {})[link.rollout_id] = link.rollout
    return {pk: list(rollouts.values()) for pk, rollouts in found.items()}


def _differs(issue: TrackedIssue, values: dict[str, Any]) -> bool:
    return any(not _is_same(getattr(issue, name), value) for name, value in values.items())


def contradict(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two accounts of an issue say different things of the same field."""
    return any(not _is_same(value, other[name]) for name, value in one.items() if name in other)


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, datetime) and isinstance(other, datetime):
        return may_be_same(one, other)
    return bool(one == other)
