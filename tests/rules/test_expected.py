"""Expected exposure, drift in words, health, and the milestones that tell a flag's age."""

from __future__ import annotations

from dataclasses import replace
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
from rollouts.rules.facts import PhaseFacts, RolloutFacts
from rollouts.rules.machine import LIVE, PhaseState
from rollouts.rules.progress import blockers_of_step
from rollouts.rules.ramp import Ramp, Step

NOW = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
FRESH = timedelta(minutes=5)
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


def standing(confirmed_ago, unread, read_ago, soak):
    """A ramp that stands at 25 % whose clock is told in seconds: confirmed, not read in between, and read so long ago."""
    ramp = Ramp((Step(25, timedelta(seconds=soak)), Step(100, timedelta(0))))
    confirmed_at = None if confirmed_ago is None else NOW - timedelta(seconds=confirmed_ago)
    phase = PhaseFacts(
        name="everyone",
        title="All users",
        state=PhaseState.ACTIVE,
        optional=False,
        opening=Opening(PhaseState.ACTIVE, Audience.PERCENTAGE, ramp=ramp, step=25),
        final_soak=timedelta(days=900),  # not of a step before the last
        confirmed_at=confirmed_at,
        unread=timedelta(seconds=unread),
    )
    return phase, RolloutFacts(
        slug="haiku",
        state="underway",
        phases=(phase,),
        items=(),
        flag="use_haiku",
        reading=FlagReading(
            Presence.SET, Exposure(percentage_of_actors=25), confirmed_at, NOW - timedelta(seconds=read_ago)
        ),
        capacity=Capacity(60_000, 42_000),
        freshness=FRESH,
        now=NOW,
    )


def soak_left(phase, facts):
    """What the guard of a step says is left, in words; nothing when the soak is over."""
    return [blocker.message for blocker in blockers_of_step(facts, phase, None) if blocker.code == "soak"]


seconds = st.integers(0, 10**6)


@given(seconds, seconds, seconds, seconds)
def test_a_soak_counts_what_was_read_since_it_was_confirmed_and_nothing_else(confirmed_ago, unread, read_ago, soak):
    unread, read_ago = min(unread, confirmed_ago), min(read_ago, confirmed_ago)
    phase, facts = standing(confirmed_ago, unread, read_ago, soak)
    is_known_now = timedelta(seconds=read_ago) <= FRESH
    counted = max(0, confirmed_ago - unread - (0 if is_known_now else read_ago))
    assert facts.stood(phase) == timedelta(seconds=counted)
    assert phase.soaked_at == NOW - timedelta(seconds=confirmed_ago - unread - soak)
    assert bool(soak_left(phase, facts)) is (counted < soak)


@given(seconds, seconds, seconds, seconds, st.integers(1, 10**6))
def test_a_soak_only_gets_shorter_while_gitlab_is_read_and_stands_still_while_it_is_not(
    confirmed_ago, unread, read_ago, soak, later
):
    unread, read_ago = min(unread, confirmed_ago), min(read_ago, confirmed_ago)
    then = timedelta(seconds=later)
    phase, facts = standing(confirmed_ago, unread, read_ago, soak)
    read_again = replace(facts, now=NOW + then, reading=replace(facts.reading, read_at=NOW + then))
    assert read_again.stood(phase) >= facts.stood(phase)
    gap = replace(phase, unread=phase.unread + then)
    assert replace(read_again, phases=(gap,)).stood(gap) == max(timedelta(0), timedelta(seconds=confirmed_ago - unread))
    blind = replace(facts, now=facts.reading.read_at + FRESH + then)
    assert blind.stood(phase) == timedelta(seconds=max(0, confirmed_ago - unread - read_ago))


@given(seconds)
def test_a_soak_has_not_begun_before_gitlab_was_read_at_the_step(soak):
    phase, facts = standing(None, 0, 0, soak)
    assert facts.stood(phase) is None
    assert phase.soaked_at is None
    assert bool(soak_left(phase, facts)) is bool(soak)


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.decimals(0, 1, places=4))
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
