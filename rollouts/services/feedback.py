"""Feedback on a rollout as one person may see it: the newest comments, how many came since the phase began, and what
people made of it. For page, API and command.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..audit.actor import Actor
from ..models import IssueFeedback, Rollout, TrackedIssue
from ..rules.facts import RolloutFacts
from . import facts as facts_of
from .issues import IssueShown, issue_shown

#: As many comments as are read at most: more are «so many or more».
MOST = 100


@dataclass(frozen=True, slots=True)
class Comment:
    author: str
    at: datetime | None
    body: str
    url: str
    is_internal: bool
    reactions: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Feedback:
    """Of one issue. ``may_see`` False: it is confidential, and nothing of it is told, no number either.

    ``since`` is when the phase began that runs, or ran last; ``count`` the comments since then, and ``is_more`` whether
    there may be more than were read. ``reactions`` are those of the issue and of the comments that are shown.
    """

    issue: IssueShown
    may_see: bool
    read_at: datetime | None = None
    since: datetime | None = None
    phase: str = ""
    count: int = 0
    is_more: bool = False
    comments: tuple[Comment, ...] = ()
    reactions: tuple[tuple[str, int], ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "issue": self.issue.url,
            "may_see": self.may_see,
            "read_at": self.read_at.isoformat() if self.read_at else None,
            "since": self.since.isoformat() if self.since else None,
            "phase": self.phase or None,
            "count": self.count,
            "is_more": self.is_more,
            "reactions": dict(self.reactions),
            "labels": list(self.issue.labels),
            "comments": [
                {
                    "author": one.author,
                    "at": one.at.isoformat() if one.at else None,
                    "body": one.body,
                    "url": one.url,
                    "is_internal": one.is_internal,
                    "reactions": dict(one.reactions),
                }
                for one in self.comments
            ],
        }


def of(rollout: Rollout, viewer: Actor, facts: RolloutFacts) -> tuple[Feedback, ...]:
    """One for each issue that gathers feedback, on a rollout loaded whole. One query."""
    links = [link for link in rollout.issue_links.all() if link.role.endswith("feedback")]
    issues = {link.issue_id: link.issue for link in links}
    kept = {row.issue_id: row for row in IssueFeedback.objects.filter(issue__in=issues)} if issues else {}
    begun = [(phase.started_at, phase.title) for phase in facts_of.newest_attempts(rollout) if phase.started_at]
    since, phase = max(begun, default=(None, ""))
    return tuple(_of(issue, kept.get(pk), viewer, facts.now, since, phase) for pk, issue in issues.items())


def _of(
    issue: TrackedIssue, kept: IssueFeedback | None, viewer: Actor, now: datetime, since: datetime | None, phase: str
) -> Feedback:
    shown = issue_shown(issue, viewer, now)
    if (issue.confidential and not viewer.sees_confidential) or not issue.found:
        return Feedback(shown, may_see=False)
    if kept is None:
        return Feedback(shown, may_see=True, since=since, phase=phase)
    visible = [one for one in kept.comments if viewer.sees_confidential or not one["is_internal"]]
    times = [datetime.fromisoformat(one["at"]) for one in visible if one["at"]]
    newer = [at for at in times if since is None or at >= since]
    comments = tuple(_comment(one, issue.url) for one in visible if "body" in one)
    reactions = Counter(kept.reactions)
    for one in comments:
        reactions.update(dict(one.reactions))
    return Feedback(
        shown,
        may_see=True,
        read_at=kept.read_at,
        since=since,
        phase=phase,
        count=len(newer),
        is_more=len(kept.comments) >= MOST and len(newer) == len(times),
        comments=comments,
        reactions=_in_order(reactions),
    )


def _comment(kept: Mapping[str, Any], url: str) -> Comment:
    at = datetime.fromisoformat(kept["at"]) if kept["at"] else None
    of_it = _in_order(kept["reactions"])
    return Comment(kept["author"], at, kept["body"], f"{url}#note_{kept['id']}", kept["is_internal"], of_it)


def _in_order(reactions: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(reactions.items(), key=lambda one: (-one[1], one[0])))
