"""What comes when at the earliest: after soaks, not before planned times, around locks, and nothing past a roll back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from rollouts.rules.expected import Audience
from rollouts.rules.locks import Window
from rollouts.rules.prediction import predict
from rollouts.rules.schedule import PhaseTimes, StepTimes

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ramp(state="planned", soak=24, planned=None, **more):
    times = planned or {}
    steps = tuple(StepTimes(Decimal(p), soak * HOUR, times.get(p)) for p in (1, 25, 100))
    return PhaseTimes("everyone", "All", state, Audience.PERCENTAGE, final_soak=24 * HOUR, steps=steps, **more)


def named(name, state, **more):
    return PhaseTimes(name, name, state, Audience.ACTORS, final_soak=48 * HOUR, **more)


def told(prediction):
    return [(each.phase, each.percentage, (each.at - NOON) / HOUR) for each in prediction.coming]


def test_phases_follow_one_another_after_their_soaks():
    phases = [named("team", "active", confirmed_at=NOON - 8 * HOUR), named("company", "planned"), ramp()]
    prediction = predict(phases, NOON)
    assert told(prediction) == [
        ("company", None, 40),
        ("everyone", 1, 88),
        ("everyone", 25, 112),
        ("everyone", 100, 136),
    ]
    assert prediction.complete_at == NOON + 160 * HOUR
    assert prediction.coming[0].reach is None


def test_a_ramp_goes_on_from_where_it_stands_but_not_before_a_planned_time_nor_in_a_lock():
    stands = {"percentage": 1, "confirmed_at": NOON - 30 * HOUR}
    assert told(predict([ramp("active", **stands)], NOON)) == [("everyone", 25, 0), ("everyone", 100, 24)]
    planned = ramp("active", planned={25: NOON + 5 * HOUR}, **stands)
    assert told(predict([planned], NOON))[0] == ("everyone", 25, 5)
    assert predict([planned], NOON).coming[0].is_planned_time
    locks = [Window(NOON - HOUR, NOON + 2 * HOUR), Window(NOON + 2 * HOUR, NOON + 9 * HOUR)]
    assert told(predict([planned], NOON, locks)) == [("everyone", 25, 9), ("everyone", 100, 33)]


def test_the_last_step_only_soaks_and_what_is_over_or_rolled_back_predicts_nothing():
    last = predict([ramp("active", percentage=100, confirmed_at=NOON - 20 * HOUR)], NOON)
    assert (told(last), last.complete_at) == ([], NOON + 4 * HOUR)
    for phases in ([named("team", "rolled_back"), ramp()], [named("team", "completed"), ramp("completed")], []):
        assert predict(phases, NOON).complete_at is None


@given(
    some.integers(0, 100),
    some.lists(some.tuples(some.integers(0, 300), some.integers(1, 50)), max_size=6),
)
def test_no_step_begins_in_a_lock_or_before_the_soak_of_the_one_before(soak, spans):
    locks = [Window(NOON + start * HOUR, NOON + (start + length) * HOUR) for start, length in spans]
    prediction = predict([named("team", "planned"), ramp(soak=soak)], NOON, locks)
    assert not any(lock.holds(each.at) for lock in locks for each in prediction.coming)
    steps = [each.at for each in prediction.coming if each.percentage]
    assert all(later - earlier >= soak * HOUR for earlier, later in pairwise(steps))
