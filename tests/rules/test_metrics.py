"""Guard metrics: what a bound says, how a figure stands by it, and what the portal does then by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules.metrics import (
    Bound,
    Deed,
    Metric,
    Outcome,
    acting,
    beyond,
    blockers_of_acting,
    tidy,
    unmeasured,
)
from rollouts.rules.phrases import packed, say

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
LATENCY = Bound("latency_p95", "ms", at_most=1200)
BESIDE = Bound("errors", "%", above_baseline=5)


def stands(bound: Bound = LATENCY, value: float | None = 1000, **more) -> Metric:
    return Metric(bound, value, **{"measured_at": NOW, "count": 1, **more})


@pytest.mark.parametrize(
    ("bound", "value", "baseline", "kept"),
    [
        (LATENCY, 1200, None, True),
        (LATENCY, 1200.1, None, False),
        (Bound("a", at_least=0.25), 0.25, None, True),
        (Bound("a", at_least=0.25), 0.24, None, False),
        (BESIDE, 105, 100, True),
        (BESIDE, 105.1, 100, False),
        (BESIDE, 1, 100, True),
        (BESIDE, 9999, None, True),  # nothing to compare with
        (BESIDE, -95, -100, True),
        (BESIDE, -94.9, -100, False),
        (Bound("a", below_baseline=10), 90, 100, True),
        (Bound("a", below_baseline=10), 89.9, 100, False),
        (Bound("a", below_baseline=10), 9999, 100, True),
        (Bound("a", at_most=10, above_baseline=50), 11, 100, False),  # both count
        (Bound("a", at_most=0), 0, None, True),
        (Bound("a", at_least=0), -1, None, False),
    ],
)
def test_a_bound_holds_up_to_its_edge(bound, value, baseline, kept):
    assert bound.is_kept_by(value, baseline) is kept
    assert stands(bound, value, baseline=baseline).outcome is (
        Outcome.TOO_FEW if bound.is_beside and baseline is None else Outcome.KEPT if kept else Outcome.BEYOND
    )


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(0, 100))
def test_the_baseline_itself_is_always_kept(baseline, further, part):
    bound = Bound("a", above_baseline=part, below_baseline=part)
    assert bound.is_kept_by(baseline, baseline)
    if not bound.is_kept_by(baseline + further, baseline):
        assert not bound.is_kept_by(baseline + 2 * further, baseline)


@pytest.mark.parametrize(
    ("bound", "words", "rule"),
    [
        (LATENCY, "at most 1,200 ms", "at most 1,200 ms"),
        (Bound("a", at_least=0.25, samples=5), "at least 0.25", "at least 0.25, from 5 values at least"),
        (
            Bound("a", "ms", at_most=1, at_least=0, window="15m", then="pause", hurt_for="10m"),
            "at least 0 ms, at most 1 ms",
            "at least 0 ms, at most 1 ms, over 15 min; beyond for 10 min: the phase is paused",
        ),
        (
            Bound("a", above_baseline=5, below_baseline=0, then="roll_back", hurt_for="1h"),
            "at most 5 % above the baseline, at most 0 % below the baseline",
            "at most 5 % above the baseline, at most 0 % below the baseline; beyond for 1 h: the phase is rolled back",
        ),
    ],
)
def test_a_bound_in_words(bound, words, rule):
    assert (bound.words, bound.rule_words) == (words, rule)


def test_a_bound_is_written_as_a_plan_writes_it():
    bound = Bound("latency_p95", "ms", at_most=0, samples=3, then="pause")
    assert bound.as_dict() == {"unit": "ms", "at_most": 0, "samples": 3, "then": "pause"}
    assert Bound.all_from({"latency_p95": bound.as_dict()}) == (bound,)
    assert LATENCY.as_dict() == {"unit": "ms", "at_most": 1200}
    assert (LATENCY.window_length, LATENCY.hurting) == (timedelta(0), timedelta(0))
    assert not LATENCY.is_beside


@pytest.mark.parametrize(
    ("value", "read"),
    [(3, 3), (3.0, 3), (0.123456, 0.1235), (999.96, 1000.0), (1234.56, 1234.6), (-1234.56, -1234.6), (1000.04, 1000.0)],
)
def test_a_figure_is_read_with_as_many_digits_as_say_something(value, read):
    assert tidy(value) == read


@pytest.mark.parametrize(
    ("metric", "outcome", "words"),
    [
        (stands(), Outcome.KEPT, "latency p95 is 1,000 ms, the plan says at most 1,200 ms"),
        (stands(value=1310), Outcome.BEYOND, "latency p95 is 1,310 ms, the plan says at most 1,200 ms"),
        (Metric(LATENCY), Outcome.NO_DATA, "latency p95 was not measured yet, the plan says at most 1,200 ms"),
        (
            stands(trouble="It hangs."),
            Outcome.UNREAD,
            "latency p95 could not be read: It hangs. The plan says at most 1,200 ms",
        ),
        (
            stands(Bound("p", at_most=1, samples=3), 2, count=2),
            Outcome.TOO_FEW,
            "p is 2 by 2 values, the plan asks for 3 at least",
        ),
        (stands(Bound("p", at_most=1, samples=3), 2, count=3), Outcome.BEYOND, "p is 2, the plan says at most 1"),
        (
            stands(Bound("p", at_most=1, samples=2), 2, count=1),
            Outcome.TOO_FEW,
            "p is 2 by 1 value, the plan asks for 2 at least",
        ),
        (
            stands(BESIDE, 3),
            Outcome.TOO_FEW,
            "errors is 3 %, and the baseline is not known, the plan says at most 5 % above the baseline",
        ),
        (
            stands(BESIDE, 106, baseline=100),
            Outcome.BEYOND,
            "errors is 106 %, the baseline 100 %, the plan says at most 5 % above the baseline",
        ),
    ],
)
def test_how_a_figure_stands(metric, outcome, words):
    assert (metric.outcome, metric.words) == (outcome, words)
    assert metric.is_beyond is (outcome is Outcome.BEYOND)
    assert metric.is_known is (outcome in (Outcome.KEPT, Outcome.BEYOND))
    assert [blocker.message for blocker in beyond([metric])] == ([f"{words}."] if metric.is_beyond else [])


ACTS = Bound("latency_p95", "ms", at_most=1200, then="roll_back", hurt_for="10m")


def hurting(minutes: float, bound: Bound = ACTS, value: float = 1310, **more) -> Metric:
    return stands(bound, value, hurt_since=NOW - timedelta(minutes=minutes), hurt_until=NOW, **more)


@pytest.mark.parametrize(
    ("metric", "hurt", "acts"),
    [
        (hurting(10), 10, Deed.ROLL_BACK),
        (hurting(9.9), 9.9, Deed.HOLD),
        (hurting(60, value=1000), 0, Deed.HOLD),  # it has mended
        (hurting(60, trouble="It hangs."), 0, Deed.HOLD),
        (stands(ACTS, 1310), 0, Deed.HOLD),
        (stands(ACTS, 1310, hurt_since=NOW), 0, Deed.HOLD),
        (stands(ACTS, 1310, hurt_until=NOW), 0, Deed.HOLD),
        (stands(Bound("p", at_most=1, then="pause"), 2), 0, Deed.HOLD),  # nobody knows since when
        (stands(Bound("p", at_most=1, then="pause"), 2, hurt_since=NOW, hurt_until=NOW), 0, Deed.PAUSE),
        (hurting(60, LATENCY), 60, Deed.HOLD),
    ],
)
def test_it_acts_when_it_has_hurt_for_long_enough(metric, hurt, acts):
    assert metric.hurt == timedelta(minutes=hurt)
    assert metric.acts is acts


@pytest.mark.parametrize(
    ("state", "allowed", "done"),
    [
        ("active", Deed.ROLL_BACK, Deed.ROLL_BACK),
        ("paused", Deed.ROLL_BACK, Deed.ROLL_BACK),
        ("active", Deed.PAUSE, Deed.PAUSE),
        ("paused", Deed.PAUSE, None),
        ("active", Deed.HOLD, None),
        ("approved", Deed.ROLL_BACK, None),
        ("completed", Deed.ROLL_BACK, None),
    ],
)
def test_it_does_at_most_what_the_template_allows(state, allowed, done):
    found = acting([hurting(10), stands()], state, allowed)
    assert (found.deed if found else None) is done
    for deed in ("pause", "roll_back"):
        held = [blocker.code for blocker in blockers_of_acting([hurting(10), stands()], state, allowed, deed)]
        assert held == ([] if done and deed == done.value else ["metric_kept"])


def test_the_gravest_is_done_and_says_what_it_saw():
    pause = Bound("errors", "%", at_most=1, then="pause")
    mild = stands(pause, 2, hurt_since=NOW, hurt_until=NOW)
    found = acting([mild, hurting(10, count=7)], "active", Deed.ROLL_BACK)
    assert (found.deed, [metric.bound.name for metric in found.by]) == (Deed.ROLL_BACK, ["latency_p95"])
    assert found.words == ("latency p95 is 1,310 ms, the plan says at most 1,200 ms, for 10 min by now (7 values).")
    assert [metric.bound.name for metric in acting([mild, hurting(9)], "active", Deed.ROLL_BACK).by] == ["errors"]
    assert hurting(10, count=7).seen() == {
        "value": 1310, "baseline": None, "values": 7, "beyond_since": "2026-11-03T11:50:00+00:00",
        "measured_at": "2026-11-03T12:00:00+00:00", "plan": ACTS.as_dict(),
    }  # fmt: skip
    assert (Metric(LATENCY).seen()["beyond_since"], Metric(LATENCY).seen()["measured_at"]) == (None, None)


@pytest.mark.parametrize(
    ("metric", "since", "code"),
    [
        (stands(), NOW, None),
        (stands(), NOW + timedelta(seconds=1), "metric_unmeasured"),
        (stands(), None, "metric_unmeasured"),
        (Metric(LATENCY), NOW, "metric_unmeasured"),
        (stands(value=1310), NOW, None),  # that it is beyond is another answer
        (stands(trouble="It hangs."), NOW, "metric_unknown"),
        (Metric(LATENCY, trouble="It hangs."), NOW, "metric_unknown"),
        (stands(Bound("p", at_most=1, samples=2)), NOW, "metric_unknown"),
    ],
)
def test_what_nobody_knows_since_the_step_stands_holds(metric, since, code):
    assert [blocker.code for blocker in unmeasured([metric], since)] == ([code] if code else [])


def test_who_told_a_figure_last_stands_beside_what_was_judged_of_it():
    told = {"value": 3, "at": NOW.isoformat(), "by": "mia", "evidence": "https://x.test", "baseline": 2}
    judged = {
        "value": 2.5, "baseline": 2.25, "at": NOW.isoformat(), "count": 4, "hurt_since": NOW.isoformat(),
        "hurt_until": NOW.isoformat(), "trouble": packed(say("It hangs.")),
    }  # fmt: skip

    def one(bound, measured=None, found=None):
        key = bound.name
        (metric,) = Metric.all_from(
            {key: bound.as_dict()}, {key: measured} if measured else {}, {key: found} if found else None
        )
        return metric

    read = Bound("p", at_most=1, query="up")
    mine = Bound("p", at_most=1)
    assert one(mine) == Metric(mine)
    assert one(mine, told) == Metric(mine, 3, NOW, "mia", "https://x.test", 2, count=1)
    assert one(read, told) == Metric(read)
    assert one(mine, told, judged) == Metric(mine, 2.5, NOW, "mia", "https://x.test", 2.25, 4, NOW, NOW, "It hangs.")
    assert one(read, told, judged) == Metric(read, 2.5, NOW, "Prometheus", "", 2.25, 4, NOW, NOW, "It hangs.")
    assert one(mine, None, {"value": None}) == Metric(mine)
    assert one(read, None, {"value": None}) == Metric(read, measured_by="Prometheus")


def test_the_milder_of_two():
    assert Deed.PAUSE.at_most(Deed.ROLL_BACK) is Deed.ROLL_BACK.at_most(Deed.PAUSE) is Deed.PAUSE
    assert Deed.HOLD.at_most(Deed.PAUSE) is Deed.HOLD
