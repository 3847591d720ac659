"""Expected exposure, drift in words, health, and the milestones that tell a flag's age."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules import health
from rollouts.rules.capacity import Capacity
from rollouts.rules.expected import (
    Audience,
    Drift,
    FlagReading,
    Opening,
    Presence,
    drift,
    drift_in_words,
    expected_exposure,
)
from rollouts.rules.exposure import EVERYONE, NOBODY, Exposure, widens
from rollouts.rules.machine import LIVE, PhaseState
from rollouts.rules.ramp import Ramp, Step, soak_left

NOW = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
RAMP = Ramp((Step(1, timedelta(0)), Step(25, timedelta(0)), Step(100, timedelta(0))))
states = st.sampled_from(list(PhaseState))


def openings(team, company, everyone, step):
    return [
        Opening(team, Audience.ACTORS, actors=frozenset({"User:1"})),
        Opening(company, Audience.GROUPS, groups=frozenset({"staff"})),
        Opening(everyone, Audience.PERCENTAGE, ramp=RAMP, step=step),
    ]


@given(states, states, states, st.sampled_from([1, 25, 100]))
def test_only_live_phases_are_expected(team, company, everyone, step):
    expected = expected_exposure(openings(team, company, everyone, step))
    assert (expected.actors == {"User:1"}) is (team in LIVE)
    assert (expected.groups == {"staff"}) is (company in LIVE)
    assert expected.percentage_of_actors == (step if everyone in LIVE else 0)


@given(states, states, states, st.sampled_from([1, 25, 100]))
def test_taking_a_phase_back_never_widens(team, company, everyone, step):
    before = expected_exposure(openings(team, company, everyone, step))
    for back in (
        (PhaseState.ROLLED_BACK, company, everyone),
        (team, PhaseState.ROLLED_BACK, everyone),
        (team, company, PhaseState.ROLLED_BACK),
    ):
        assert not widens(before, expected_exposure(openings(*back, step)))


def reading(exposure, presence=Presence.SET):
    return FlagReading(presence, exposure, NOW, NOW)


def at(percentage, *groups):
    return Exposure(percentage_of_actors=Decimal(percentage), groups=frozenset(groups))


@pytest.mark.parametrize(
    ("expected", "read", "kind"),
    [
        (at(25), reading(at(25)), Drift.NONE),
        (at(25), reading(at(50)), Drift.AHEAD),
        (at(25), reading(at(10)), Drift.BEHIND),
        (at(25, "staff"), reading(at(50)), Drift.DIFFERENT),
        (at(25), reading(None, Presence.UNKNOWN), Drift.MISSING),
        (NOBODY, reading(None, Presence.UNKNOWN), Drift.NONE),
        (NOBODY, reading(EVERYONE, Presence.UNSET_ON), Drift.AHEAD),
        (at(25), reading(NOBODY, Presence.UNSET_OFF), Drift.BEHIND),
        (at(25), FlagReading(Presence.UNREAD, None, None, None), Drift.NONE),
        (at(100), reading(EVERYONE), Drift.NONE),
    ],
)
def test_drift(expected, read, kind):
    assert drift(expected, read) is kind


def test_drift_is_told_by_what_differs():
    said = drift_in_words(Drift.AHEAD, at(25, "staff"), reading(at(50, "staff")))
    assert said == "GitLab: 50 % of actors. Plan: 25 % of actors. More people see the model than approved."
    said = drift_in_words(Drift.BEHIND, at(25, "staff"), reading(at(25)))
    assert said == "GitLab: nobody else. Plan: group staff. Fewer people see the model than planned."


@pytest.mark.parametrize("steps", [(), (5, 5), (10, 1), (0, 100), (1, 101)])
def test_a_ramp_rises_from_1_to_100(steps):
    with pytest.raises(ValueError, match="ramp"):
        Ramp(tuple(Step(percentage, timedelta(0)) for percentage in steps))


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_soak_only_gets_shorter(confirmed_ago, soak):
    left = soak_left(NOW - timedelta(seconds=confirmed_ago), timedelta(seconds=soak), NOW)
    assert left == timedelta(seconds=max(0, soak - confirmed_ago))
    assert soak_left(None, timedelta(seconds=soak), NOW) is None


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.floats(0, 1))
def test_capacity_carries_less_reach_whenever_it_carries_more(quota, peak, reach):
    capacity = Capacity(quota, peak)
    if capacity.carries_reach(reach):
        assert capacity.carries_reach(reach / 2)


@pytest.mark.parametrize(
    ("flag_type", "born", "end"),
    [
        ("beta", datetime(2026, 1, 31, tzinfo=UTC), date(2026, 7, 28)),
        ("gitlab_com_derisk", datetime(2026, 10, 1, tzinfo=UTC), date(2026, 12, 1)),
        ("ops", datetime(2025, 10, 1, tzinfo=UTC), date(2026, 10, 1)),
        ("undefined", datetime(2016, 1, 1, tzinfo=UTC), None),
        ("beta", None, None),
    ],
)
def test_a_flags_type_says_how_long_it_may_live(flag_type, born, end):
    assert health.end_of_life(flag_type, born) == end


@pytest.mark.parametrize(
    ("milestone", "month"),
    [("15.0", (2022, 5)), ("17.11", (2025, 4)), ("19.3", (2026, 8)), ("18.12", None), ("x", None)],
)
def test_a_milestone_tells_about_when_a_release_came_out(milestone, month):
    day = health.release_day(milestone)
    assert (day and (day.year, day.month)) == month
