"""Who must agree: where a policy was edited, the stricter of before and now."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from rollouts.rules.approval_policy import Policy
from rollouts.rules.machine import Role

DAY = timedelta(days=1)


@pytest.mark.parametrize(("one", "other"), [*product([True, False], repeat=2)])
def test_who_asked_or_wrote_may_approve_only_where_both_let_them(one, other):
    for name in ("requester_may", "author_may"):
        both = Policy(**{name: one}).stricter(Policy(**{name: other}))
        assert getattr(both, name) is (one and other)
        assert both.requester_may + both.author_may == (one and other)


def test_more_approvals_for_a_shorter_time_by_who_is_in_both_circles():
    loose = Policy(needed=1, lives=14 * DAY)
    both = loose.stricter(Policy(needed=2, lives=3 * DAY, roles=frozenset({Role.MANAGER})))
    assert (both.needed, both.lives) == (2, 3 * DAY)
    approver, manager = frozenset({Role.APPROVER}), frozenset({Role.MANAGER})
    assert [both.admits(roles, frozenset()) for roles in (approver, manager, approver | manager)] == [
        False,
        False,
        True,
    ]
    assert both.admits(frozenset({Role.ADMIN}), frozenset())


def test_a_policy_needs_somebody():
    assert Policy(needed=1).needed == 1
    with pytest.raises(ValueError, match="at least one"):
        Policy(needed=0)
