"""A figure over time: what counts, from when on, and for how long it hurt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules.metrics import Bound, Deed, Metric, Outcome, acting
from rollouts.rules.series import Sample, judge

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STALE = 4 * MINUTE
RULE = Bound("latency", "ms", at_most=100, window="5m", samples=3, hurt_for="10m", then="pause", query="x")


def minutes(*values, baseline=None, until=NOW):
    """A value a minute, the last at ``until``; None: nothing came."""
    start = until - MINUTE * (len(values) - 1)
    return [Sample(start + MINUTE * n, value, baseline) for n, value in enumerate(values) if value is not None]


def metric(bound, samples, **how):
    one = judge(bound, samples, how.pop("now", NOW), stale=STALE, **how).as_json()
    return Metric.all_from({bound.name: bound.as_dict()}, {}, {bound.name: one})[0]


def test_the_mean_over_the_window_counts():
    found = metric(RULE, minutes(*[900] * 10, 90, 90, 90, 90, 120))
    assert (found.value, found.count, found.outcome) == (96, 5, Outcome.KEPT)


def test_it_acts_once_it_has_hurt_for_so_long_and_not_before():
    assert metric(RULE, minutes(*[90] * 10, *[200] * 8)).acts is Deed.HOLD
    found = metric(RULE, minutes(*[90] * 10, *[200] * 20))
    assert found.acts is Deed.PAUSE
    assert acting([found], "active", Deed.ROLL_BACK).deed is Deed.PAUSE
    assert acting([found], "active", Deed.HOLD) is None
    assert acting([found], "paused", Deed.ROLL_BACK) is None


def test_a_gap_ends_what_hurts():
    """Ten minutes without a value are no ten minutes that hurt."""
    assert metric(RULE, minutes(*[200] * 8, *[None] * 10, *[200] * 8)).acts is Deed.HOLD


def test_values_of_before_the_step_say_nothing_of_it():
    found = metric(RULE, minutes(*[200] * 30), since=NOW - 4 * MINUTE)
    assert (found.outcome, found.count, found.acts) == (Outcome.BEYOND, 5, Deed.HOLD)


def test_an_old_value_says_nothing_of_now():
    found = metric(RULE, minutes(*[200] * 30, until=NOW - 5 * MINUTE))
    assert (found.outcome, found.acts) == (Outcome.NO_DATA, Deed.HOLD)


def test_too_few_values_are_no_news():
    found = metric(RULE, minutes(200, 200))
    assert (found.outcome, found.acts) == (Outcome.TOO_FEW, Deed.HOLD)


@pytest.mark.parametrize(
    ("value", "baseline", "kept"),
    [(105, 100, True), (105.1, 100, False), (-95, -100, True), (-94, -100, False), (0, 0, True), (1, 0, False)],
)
def test_at_most_5_per_cent_above_the_baseline(value, baseline, kept):
    bound = Bound("latency", above_baseline=5)
    assert bound.is_kept_by(value, baseline) is kept


def test_without_its_baseline_it_is_not_known():
    bound = Bound("latency", above_baseline=5, query="x", baseline_query="y", then="roll_back", hurt_for="1m")
    found = metric(bound, minutes(*[900] * 30))
    assert (found.outcome, found.acts) == (Outcome.TOO_FEW, Deed.HOLD)


def test_one_that_mends_does_not_act():
    assert metric(RULE, minutes(*[200] * 20, *[10] * 4)).acts is Deed.HOLD


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=40), st.integers(0, 30))
def test_it_never_acts_on_less_than_the_plan_says(values, since):
    """Whatever comes: where it acts, there are values in a row, each window of which is beyond, for so long."""
    samples = minutes(*values)
    found = metric(RULE, samples, since=NOW - MINUTE * since)
    if found.acts is Deed.HOLD:
        return
    assert found.hurt_until - found.hurt_since >= RULE.hurting
    row = [one for one in samples if found.hurt_since <= one.at <= found.hurt_until]
    assert all(after.at - before.at <= STALE for before, after in pairwise(row))
    for one in row:
        window = [
            o.value for o in samples if one.at - RULE.window_length < o.at <= one.at and o.at >= NOW - MINUTE * since
        ]
        assert len(window) >= RULE.samples
        assert sum(window) / len(window) > 100 - 1e-6
