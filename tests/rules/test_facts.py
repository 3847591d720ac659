"""What would be expected after a verb: wider at a start or a step, narrower after a roll back, else as it is."""

import pytest

from rollouts.rules.expected import Audience, Opening
from rollouts.rules.exposure import NOBODY, Exposure
from tests.rules.situations import COMPANY, EVERYONE, RAMP, TEAM, facts, phase

TEAM_IN = Exposure(actors=frozenset({"User:1"}))
STAFF_IN = Exposure(groups=frozenset({"staff"}))


@pytest.mark.parametrize(
    ("states", "verb", "of", "expected"),
    [
        (("planned", "planned"), "start", 0, TEAM_IN),
        (("active", "planned"), "start", 1, TEAM_IN.plus(STAFF_IN)),
        (("active", "active"), "roll_back", 1, TEAM_IN),
        (("active", "active"), "roll_back", 0, NOBODY),
        (("active", "active"), "pause", 1, TEAM_IN.plus(STAFF_IN)),
        (("active", "planned"), "complete", 0, TEAM_IN),
    ],
)
def test_what_is_expected_after_a_verb(states, verb, of, expected):
    phases = [phase(name, state, opening)
              for name, state, opening in zip(("team", "company"), states, (TEAM, COMPANY), strict=True)]  # fmt: skip
    rollout = facts(*phases)
    assert rollout.expected_after(verb, rollout.phases[of]) == expected


def test_only_a_ramp_has_a_first_step():
    assert EVERYONE.first_step == RAMP.first.percentage
    assert TEAM.first_step is None
    assert Opening("planned", Audience.ALL_AT_ONCE, ramp=RAMP).first_step is None
    assert Opening("planned", Audience.PERCENTAGE).first_step is None
