"""Checklist items judge themselves: each kind looks at synced facts, or at who confirmed it with what evidence.

Source: guide, rules G1 to G12 (DESIGN section 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from .capacity import Capacity
from .expected import Presence
from .percentages import NOTHING
from .phrases import Phrase, joined, say


class ItemKind(StrEnum):
    ISSUE = "issue"
    ISSUE_CLOSED = "issue_closed"
    TASKS_DONE = "tasks_done"
    FLAG = "flag"
    CAPACITY = "capacity"
    MANUAL = "manual"
    DECISION = "decision"
    ANNOUNCEMENT = "announcement"
    CRITERION = "criterion"
    COMPARISON = "comparison"

    @property
    def words(self) -> Phrase:
        return KIND_WORDS[self]


KIND_WORDS: dict[ItemKind, Phrase] = {
    ItemKind.ISSUE: say("issue"),
    ItemKind.ISSUE_CLOSED: say("issue closed"),
    ItemKind.TASKS_DONE: say("tasks done"),
    ItemKind.FLAG: say("flag"),
    ItemKind.CAPACITY: say("capacity"),
    ItemKind.MANUAL: say("manual"),
    ItemKind.DECISION: say("decision"),
    ItemKind.ANNOUNCEMENT: say("announcement"),
    ItemKind.CRITERION: say("criterion"),
    ItemKind.COMPARISON: say("comparison"),
}
#: Kinds that check themselves from synced state and can't be ticked by hand.
AUTOMATIC = frozenset({ItemKind.ISSUE, ItemKind.ISSUE_CLOSED, ItemKind.TASKS_DONE, ItemKind.FLAG, ItemKind.CAPACITY})
#: What has blockers of its own at a start, besides the item's.
BLOCK_BY_THEMSELVES = frozenset({ItemKind.FLAG, ItemKind.CAPACITY})
ABOUT_AN_ISSUE = frozenset({ItemKind.ISSUE, ItemKind.ISSUE_CLOSED, ItemKind.TASKS_DONE})


class Gate(StrEnum):
    """When an item must be satisfied: before a phase starts, before it leaves a step, or before it completes."""

    START = "start"
    ADVANCE = "advance"
    COMPLETE = "complete"


GATE_WORDS: dict[Gate, Phrase] = {
    Gate.START: say("before start"),
    Gate.ADVANCE: say("before the next step"),
    Gate.COMPLETE: say("before complete"),
}


class Answer(StrEnum):
    """What somebody answered to a criterion: whether its sentence holds."""

    YES = "yes"
    NO = "no"


ANSWER_WORDS: dict[Answer, Phrase] = {Answer.YES: say("yes"), Answer.NO: say("no")}


@dataclass(frozen=True, slots=True)
class IssueFacts:
    """What is known of a tracked issue. ``read_at`` is None until GitLab was asked; ``found`` is GitLab's answer.

    Of a ``confidential`` one the words of a verdict tell no counts: everybody reads them.
    """

    reference: str
    state: str
    found: bool
    task_count: int
    task_done: int
    read_at: datetime | None
    confidential: bool = False


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Who confirmed a manual item, when, with what evidence; of a criterion also whether ``goes_on`` says so.

    ``words`` are what a comparison says besides.
    """

    by: str
    at: datetime
    evidence: str
    answer: str = ""
    goes_on: bool = True
    words: str = ""


#: An issue's states as GitLab names them.
ISSUE_STATES: dict[str, Phrase] = {"opened": say("opened"), "closed": say("closed")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an item is satisfied, and the fact behind it in words."""

    satisfied: bool
    words: str


def judge(
    kind: ItemKind,
    *,
    issue: IssueFacts | None = None,
    presence: Presence = Presence.UNREAD,
    capacity: Capacity | None = None,
    reach: Decimal = NOTHING,
    confirmation: Confirmation | None = None,
) -> Verdict:
    """Whether an item of this kind is satisfied by these facts; ``reach`` is what starts or advances next (0 to 1)."""
    if kind in ABOUT_AN_ISSUE:
        return _judge_issue(kind, issue)
    if kind is ItemKind.FLAG:
        return Verdict(presence not in (Presence.UNREAD, Presence.UNKNOWN), presence.words)
    if kind is ItemKind.CAPACITY:
        known = capacity or Capacity(None, None)
        return Verdict(known.carries_reach(reach), known.fact)
    if confirmation is None:
        asked = {
            ItemKind.DECISION: say("not decided yet"),
            ItemKind.ANNOUNCEMENT: say("not announced yet"),
            ItemKind.CRITERION: say("not answered yet"),
            ItemKind.COMPARISON: say("not compared yet"),
        }.get(kind, say("not confirmed yet"))
        return Verdict(False, asked)
    if kind is ItemKind.CRITERION:
        answer = ANSWER_WORDS[Answer(confirmation.answer)]
        words = say("{answer}: {evidence}", answer=answer, evidence=confirmation.evidence)
        return Verdict(confirmation.goes_on, words)
    if confirmation.words:
        return Verdict(True, joined([confirmation.words, confirmation.evidence], ". "))
    return Verdict(True, confirmation.evidence)


def _judge_issue(kind: ItemKind, issue: IssueFacts | None) -> Verdict:
    if issue is None:
        return Verdict(False, say("no issue is linked"))
    if not issue.found:
        message = (
            say("not read yet") if issue.read_at is None else say("GitLab does not show it: deleted, moved, or hidden")
        )
        return Verdict(False, message)
    state = ISSUE_STATES.get(issue.state, issue.state)
    if kind is ItemKind.ISSUE_CLOSED:
        return Verdict(issue.state == "closed", state)
    is_done = 0 < issue.task_count <= issue.task_done
    if issue.confidential:
        if kind is not ItemKind.TASKS_DONE:
            return Verdict(True, state)
        return Verdict(
            is_done, say("its task list is done") if is_done else say("its task list is missing or not done")
        )
    tasks = say("{done} of {count} tasks", done=issue.task_done, count=issue.task_count)
    if kind is ItemKind.TASKS_DONE:
        if not issue.task_count:
            return Verdict(False, say("it has no task list"))
        return Verdict(is_done, tasks)
    return Verdict(True, joined([state, tasks], ", ") if issue.task_count else state)
