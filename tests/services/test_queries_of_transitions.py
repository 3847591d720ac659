"""A transition asks the database a bounded number of things, whatever it is and whatever it owes to GitLab."""

from __future__ import annotations

import pytest

from rollouts.rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from tests.benchmarks.transitions import walked

#: Of a transition itself; what it owes to GitLab is asked for, cancelled and written besides.
MOST, MORE = 20, 3


@pytest.mark.django_db
@pytest.mark.parametrize(("writes", "most"), [("off", MOST), ("flags", MOST + MORE)])
def test_no_transition_takes_more_than_twenty_queries(world, settings, writes, most):
    settings.GITLAB_WRITES = writes
    found = walked(world)
    assert set(found) >= {*PHASE_VERBS, *ROLLOUT_VERBS}
    over = {name: len(found[name]) for name in (*PHASE_VERBS, *ROLLOUT_VERBS) if len(found[name]) > most}
    assert over == {}
