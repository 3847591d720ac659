"""When everybody will have it: the range holds the truth at its stated rate, however the times are spread."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from rollouts.rules.forecast import NEEDED, RATE, Finished, forecast, ranks

MADE = datetime(2026, 3, 2, 9, tzinfo=UTC)
#: Seconds that each of three phases took: ties, zeros and tails of any length.
LENGTHS = st.tuples(*[st.integers(0, 10**7)] * 3)
PHASES = ("team", "company", "everyone")


def finished(lengths):
    """A rollout whose phases took so many seconds, one after the other."""
    entered, at = {}, MADE
    for name, seconds in zip(PHASES, lengths, strict=True):
        entered[name], at = at, at + timedelta(seconds=seconds)
    return Finished(entered, at)


def held(histories, phase, stood):
    """Of how many that came so far the others' range holds the end, each left out in turn; and how many there are."""
    came = [one for one in histories if one.left(phase, stood) is not None]
    inside = 0
    for one in came:
        now = one.entered[phase] + stood
        told = forecast([other for other in came if other is not one], phase, one.entered[phase], now)
        assert told.since is not None
        inside += told.since <= one.everybody_at <= told.until
    return inside, len(came)


@given(st.lists(LENGTHS, min_size=NEEDED + 1, max_size=40), st.sampled_from(PHASES))
def test_each_left_out_in_turn_the_range_of_the_others_holds_it_at_the_stated_rate(lengths, phase):
    """Who is new among n + 1 alike may be any of them: so this is the rate for the one that is to come."""
    inside, all_of_them = held([finished(one) for one in lengths], phase, timedelta(0))
    assert inside >= RATE * all_of_them


@given(st.lists(LENGTHS, min_size=NEEDED + 1, max_size=40), st.sampled_from(PHASES), st.integers(0, 10**6))
def test_it_holds_for_those_that_stand_in_their_phase_for_some_time_too(lengths, phase, seconds):
    stood = timedelta(seconds=seconds)
    histories = [finished(one) for one in lengths]
    assume(sum(one.left(phase, stood) is not None for one in histories) > NEEDED)
    inside, came = held(histories, phase, stood)
    assert inside >= RATE * came


@given(st.integers(0, 1000))
def test_the_ranks_hold_the_rate_and_no_smaller_range_of_ranks_would(samples):
    bounds = ranks(samples)
    if bounds is None:
        assert samples < NEEDED
        return
    lowest, highest = bounds
    assert (highest - lowest) / (samples + 1) >= RATE - 1e-9
    assert (highest - lowest - 2) / (samples + 1) < RATE


def test_few_finished_rollouts_predict_nothing_and_it_is_said():
    told = forecast([finished((60, 60, 60))] * (NEEDED - 1), "team", MADE, MADE)
    assert (told.at, told.since, told.until) == (None, None, None)
    assert told.words == (
        "When everybody has it can't be predicted yet: 8 finished rollouts of the template came by here, 9 are needed."
    )


def test_it_is_told_in_words_and_never_before_the_guards_would_let_it_be():
    days = [finished((0, 0, day * 86_400)) for day in range(1, 20)]
    told = forecast(days, "everyone", MADE, MADE)
    assert told.words == (
        "Everybody has it about 12 Mar 2026; between 4 Mar 2026 and 20 Mar 2026 in 80 % of all cases, by 19 finished "
        "rollouts of the template."
    )
    late = MADE + timedelta(days=15)
    held_back = forecast(days, "everyone", MADE, MADE, late)
    assert (held_back.since, held_back.at, held_back.until) == (late, late, MADE + timedelta(days=18))


def test_who_stands_longer_than_most_is_compared_with_those_that_did_too():
    days = [finished((0, 0, day * 86_400)) for day in range(1, 31)]
    told = forecast(days, "everyone", MADE, MADE + timedelta(days=20, hours=1))
    assert told.samples == 10
    assert told.since > MADE + timedelta(days=20)
