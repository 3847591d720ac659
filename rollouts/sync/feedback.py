"""Read the comments of issues that gather feedback, and the emoji that people gave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q

from ..gitlab import GitLab, GitLabProblem, NoteRecord
from ..models import GitLabProject, IssueFeedback, RolloutIssue, TrackedIssue, clock
from ..rules.machine import OVER
from .outcome import Problem, Report

#: Emoji move no issue's ``updated_at``: what did not change is read again after so long.
AGAIN = timedelta(minutes=10)
#: So many of the newest comments are kept; of so many of them with their text and emoji.
KEPT, SHOWN = 100, 5


def read_due(gitlab: GitLab, project: GitLabProject, report: Report, still_mine: Callable[[], None]) -> None:
    """Of open rollouts' issues in this project those that changed since, or were not read for a while.

    Where nobody has commented, nothing is asked. What GitLab does not answer stays as it was.
    """
    for issue in _due(project):
        still_mine()
        try:
            comments, reactions = _ask(gitlab, project, issue)
        except GitLabProblem as problem:
            report.problems.append(Problem.of(f"{project.path}#{issue.iid}", problem))
            return  # the others wait for the next pass
        kept = {"read_at": clock.now(), "issue_changed_at": issue.changed_at}
        IssueFeedback.objects.update_or_create(
            issue=issue, defaults={**kept, "comments": comments, "reactions": reactions}
        )


def _due(project: GitLabProject) -> list[TrackedIssue]:
    gathers = RolloutIssue.objects.filter(issue=OuterRef("pk"), role__endswith="feedback")
    gathers = gathers.exclude(rollout__state__in=sorted(OVER))
    rows = TrackedIssue.objects.filter(Exists(gathers), project=project, found=True, notes_count__gt=0)
    known = dict(IssueFeedback.objects.filter(issue__in=rows).values_list("issue", "issue_changed_at"))
    old = set(
        IssueFeedback.objects.filter(Q(read_at__lt=clock.now() - AGAIN), issue__in=rows).values_list("issue", flat=True)
    )
    return [one for one in rows if one.pk not in known or known[one.pk] != one.changed_at or one.pk in old]


def _ask(gitlab: GitLab, project: GitLabProject, issue: TrackedIssue) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """One call for the comments, one for the issue's emoji, and one for those of each comment that is shown."""
    notes = gitlab.comments(project.address, issue.iid, KEPT)
    reactions = gitlab.reactions(project.address, issue.iid)
    comments = []
    for place, note in enumerate(notes):
        kept = _plain(note)
        if place < SHOWN:
            kept |= {"author": note.author, "body": note.body}
            kept["reactions"] = gitlab.reactions(project.address, issue.iid, note.id)
        comments.append(kept)
    return comments, reactions


def _plain(note: NoteRecord) -> dict[str, Any]:
    at = note.created_at.isoformat() if note.created_at else None
    return {"id": note.id, "at": at, "is_internal": note.is_internal}
