"""The phase track: how each phase looks, and how much of it is filled."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from rollouts.rules.expected import Drift
from rollouts.rules.exposure import NOBODY, Exposure
from rollouts.rules.track import TrackPhase, track_phases
from tests.rules.situations import COMPANY, EVERYONE, TEAM, facts, phase, reading

CUTS = (1, 25, 45)


def track(state, opening, drift=Drift.NONE, exposure=NOBODY):
    (found,) = track_phases(facts(phase("any", state, opening), reading=reading(exposure)), drift)
    return found


@pytest.mark.parametrize(
    ("state", "look", "share", "step", "cuts"),
    [
        ("planned", "rest", 0, None, CUTS),
        ("requested", "now", 0, 25, CUTS),
        ("approved", "now", 0, 25, CUTS),
        ("active", "now", 0.25, 25, CUTS),
        ("paused", "now", 0.25, 25, CUTS),
        ("completed", "done", 1, None, ()),
        ("skipped", "skip", 0, None, ()),
        ("rolled_back", "back", 0, None, ()),
    ],
)
def test_a_ramp_in_each_state(state, look, share, step, cuts):
    assert track(state, replace(EVERYONE, step=Decimal(25))) == TrackPhase("Any", state, step, look, share, True, cuts)


def test_a_ramp_without_a_step_is_empty_and_named_people_are_all_in():
    assert track("active", EVERYONE).share == 0
    assert (track("active", TEAM).share, track("active", COMPANY).is_ramp) == (1, False)


@pytest.mark.parametrize(
    ("drift", "look", "share"),
    [(Drift.NONE, "now", 0.25), (Drift.BEHIND, "now", 0.25), (Drift.AHEAD, "off", 0.5), (Drift.DIFFERENT, "off", 0.5)],
)
def test_what_drifts_shows_what_was_read(drift, look, share):
    found = track("active", replace(EVERYONE, step=Decimal(25)), drift, Exposure(percentage_of_actors=Decimal(50)))
    assert (found.look, found.share) == (look, share)


def test_what_is_not_live_or_was_not_read_shows_the_plan():
    assert track("approved", EVERYONE, Drift.AHEAD, Exposure(percentage_of_actors=Decimal(50))).look == "now"
    assert track("active", replace(EVERYONE, step=Decimal(25)), Drift.MISSING, None).share == 0.25
    assert track("active", TEAM, Drift.AHEAD, Exposure(percentage_of_actors=Decimal(50))).share == 1
