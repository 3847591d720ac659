"""A tracked issue as one person may see it: for every door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..audit.actor import Actor
from ..models import TrackedIssue
from ..rules.phrases import say
from .freshness import is_stale

STATES = {"opened": say("open"), "closed": say("closed")}


@dataclass(frozen=True, slots=True)
class IssueShown:
    """A tracked issue as far as this viewer may see it: without the role no title, no people, no notes.

    ``is_stale``: GitLab was not asked for it for longer than a reading counts as fresh.
    """

    url: str
    label: str
    title: str
    state: str
    is_open: bool
    is_confidential: bool
    tasks_done: int
    tasks: int
    assignees: tuple[str, ...]
    author: str
    labels: tuple[str, ...]
    notes: int | None
    changed_at: datetime | None
    read_at: datetime | None
    is_stale: bool


def issue_shown(issue: TrackedIssue, viewer: Actor, now: datetime) -> IssueShown:
    sees = viewer.sees_confidential or not issue.confidential
    return IssueShown(
        url=issue.url,
        label=f"#{issue.iid}",
        title=issue.title_for(sees_confidential=viewer.sees_confidential) if issue.read_at else "",
        state=STATES.get(issue.state, issue.state) if issue.found else "",
        is_open=issue.state == "opened",
        is_confidential=issue.confidential and issue.read_at is not None,
        tasks_done=issue.task_done if sees else 0,
        tasks=issue.task_count if sees else 0,
        assignees=tuple(issue.assignees) if sees else (),
        author=issue.author if sees else "",
        labels=tuple(issue.labels) if sees else (),
        notes=issue.notes_count if sees and issue.found else None,
        changed_at=issue.changed_at if sees else None,
        read_at=issue.read_at,
        is_stale=is_stale(issue.read_at, now),
    )
