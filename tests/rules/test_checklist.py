"""Items that check themselves: what GitLab's issue says of each."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rollouts.rules.checklist import IssueFacts, ItemKind, judge

READ = datetime(2026, 11, 1, tzinfo=UTC)


def tasks(count, done, confidential=False):
    return IssueFacts("acme/app#11", "opened", True, count, done, READ, confidential)


@pytest.mark.parametrize(
    ("issue", "satisfied", "words"),
    [
        (None, False, "no issue is linked"),
        (tasks(0, 0), False, "it has no task list"),
        (tasks(3, 2), False, "2 of 3 tasks"),
        (tasks(3, 3), True, "3 of 3 tasks"),
        (tasks(0, 0, confidential=True), False, "its task list is missing or not done"),
        (tasks(3, 2, confidential=True), False, "its task list is missing or not done"),
        (tasks(1, 1, confidential=True), True, "its task list is done"),
    ],
)
def test_tasks_are_done_when_there_are_some_and_all_are_ticked(issue, satisfied, words):
    verdict = judge(ItemKind.TASKS_DONE, issue=issue)
    assert (verdict.satisfied, verdict.words) == (satisfied, words)
