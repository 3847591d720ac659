"""Classes of drift: each way in which GitLab stands elsewhere is one, and there are some exactly where drift is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules.drift_cases import LETS_MORE_IN, DriftClass, Found, of_flag_at
from rollouts.rules.expected import Drift, Presence, drift
from rollouts.rules.exposure import EVERYONE, NOBODY, Exposure
from tests.rules.situations import reading

D = DriftClass
names = st.frozensets(st.sampled_from(["User:1", "User:2", "Project:3", "User:1:opt_out", "User:9:opt_out"]))
shares = st.sampled_from([Decimal(0), Decimal(1), Decimal(25), Decimal(50), Decimal(100)])
exposures = st.builds(
    Exposure,
    boolean=st.booleans(),
    percentage_of_actors=shares,
    percentage_of_time=st.sampled_from([Decimal(0), Decimal(10), Decimal(30)]),
    groups=st.frozensets(st.sampled_from(["staff", "beta"])),
    actors=names,
    unknown_gates=st.frozensets(st.sampled_from(["expression", "block"])),
)


@given(exposures, exposures)
def test_there_are_classes_exactly_where_there_is_drift_and_they_say_which(expected, read):
    found = {each.kind for each in of_flag_at(expected, reading(read))}
    more, fewer = bool(found & LETS_MORE_IN), D.BEHIND in found
    kind = {(True, True): Drift.DIFFERENT, (True, False): Drift.AHEAD, (False, True): Drift.BEHIND}
    assert drift(expected, reading(read)) is kind.get((more, fewer), Drift.NONE)


def at(percentage, **gates):
    return Exposure(percentage_of_actors=Decimal(percentage), **gates)


@pytest.mark.parametrize(
    ("expected", "read", "found"),
    [
        (at(25), at(25), []),
        (at(25), at(50), [Found(D.AHEAD)]),
        (at(25), at(10), [Found(D.BEHIND)]),
        (at(25), at(100), [Found(D.AHEAD)]),
        (at(25), EVERYONE, [Found(D.BOOLEAN)]),
        (EVERYONE, at(100), []),
        (EVERYONE, at(50), [Found(D.BEHIND)]),
        (NOBODY, at(0, actors=frozenset({"User:7"})), [Found(D.FOREIGN_ACTOR, ("User:7",))]),
        (at(25), at(25, groups=frozenset({"beta"})), [Found(D.FOREIGN_ACTOR, ("beta",))]),
        (at(25), at(0, percentage_of_time=Decimal(25)), [Found(D.WRONG_GATE, ("percentage_of_time",)), Found(D.BEHIND)]),
        (at(25), at(25, unknown_gates=frozenset({"expression"})), [Found(D.WRONG_GATE, ("expression",))]),
        (
            at(25, groups=frozenset({"staff"})),
            at(50, actors=frozenset({"User:7", "User:8"})),
            [Found(D.FOREIGN_ACTOR, ("User:7", "User:8")), Found(D.AHEAD), Found(D.BEHIND)],
        ),
        (at(25, actors=frozenset({"User:1:opt_out"})), at(25), [Found(D.AHEAD)]),
        (at(25), at(25, actors=frozenset({"User:1:opt_out"})), [Found(D.BEHIND)]),
    ],
)  # fmt: skip
def test_what_is_found(expected, read, found):
    assert list(of_flag_at(expected, reading(read))) == found


def test_a_flag_that_is_not_set_or_not_known():
    unset = reading(EVERYONE, presence=Presence.UNSET_ON)
    assert of_flag_at(at(25), unset) == (Found(D.DEFAULT_ON),)
    assert of_flag_at(EVERYONE, unset) == ()
    assert of_flag_at(at(25), reading(None, presence=Presence.UNKNOWN)) == (Found(D.MISSING),)
    assert of_flag_at(NOBODY, reading(None, presence=Presence.UNKNOWN)) == ()
    assert of_flag_at(at(25), reading(None, presence=Presence.UNREAD)) == ()
    assert of_flag_at(at(25), reading(NOBODY, presence=Presence.UNSET_OFF)) == (Found(D.BEHIND),)
