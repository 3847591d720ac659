"""A transition asks the database a bounded number of things, whatever it is and whatever it owes to GitLab."""

from __future__ import annotations

import pytest

from rollouts.rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from tests.benchmarks.transitions import walked

#: With what it owes to GitLab, which is asked for, cancelled and written with it, and the words of its events.
MOST = 20
#: Items change in the same way.
CHANGES = (*PHASE_VERBS, *ROLLOUT_VERBS, "confirm", "unconfirm")


@pytest.mark.django_db
@pytest.mark.parametrize("writes", ["off", "issues", "flags"])
def test_no_transition_takes_more_than_it_may_ask(world, settings, writes):
    settings.GITLAB_WRITES = writes
    found = walked(world)
    assert set(found) >= set(CHANGES)
    over = {name: len(found[name]) for name in CHANGES if len(found[name]) > MOST}
    assert over == {}
