"""How much a GitLab may be asked: shares, pauses and the circuit."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules import rate_limits
from rollouts.rules.rate_limits import FIRST_PAUSE, LONGEST_PAUSE, WINDOW, Standing, allowance, pause_after, wait

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_where_gitlab_names_no_limit_there_is_none():
    assert allowance(Standing(50), NOW) is None
    assert wait(Standing(50, window_at=NOW, window_calls=10**6), NOW) is None


@pytest.mark.parametrize(
    ("standing", "allowed"),
    [
        (Standing(50, limit=2000, rate_read_at=NOW), 1000),
        (Standing(50, most=300, limit=2000, rate_read_at=NOW), 300),
        (Standing(100, most=300), 300),
        (Standing(1, limit=10, rate_read_at=NOW), 1),
        (Standing(50, limit=2000, rate_read_at=NOW - timedelta(hours=2)), None),
    ],
)
def test_our_share_is_of_what_gitlab_allows(standing, allowed):
    assert allowance(standing, NOW) == allowed


def test_the_share_is_used_up_until_the_window_is_over():
    used = Standing(50, most=10, window_at=NOW, window_calls=10)
    assert wait(used, NOW + SECOND).until == NOW + WINDOW
    assert wait(used, NOW + SECOND).why == "share"
    assert wait(used, NOW + WINDOW) is None


def test_the_longest_of_several_waits_counts():
    held = Standing(50, paused_until=NOW + SECOND, open_until=NOW + 9 * SECOND)
    assert (wait(held, NOW).why, wait(held, NOW).until) == ("circuit", NOW + 9 * SECOND)
    assert wait(held, NOW + 9 * SECOND) is None


def test_what_others_have_left_is_not_ours():
    left = Standing(50, limit=2000, remaining=99, resets_at=NOW + SECOND, rate_read_at=NOW)
    assert wait(left, NOW).until == NOW + SECOND
    assert wait(left, NOW + SECOND) is None


def test_the_circuit_opens_after_five_and_each_time_for_twice_as_long():
    assert [pause_after(failures, 0) for failures in (1, 4)] == [None, None]
    assert [pause_after(5, opened) for opened in (0, 1, 2)] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pause_after(10**6, 10**6) == LONGEST_PAUSE


@given(
    share=st.integers(1, 100),
    limit=st.integers(1, 100_000),
    calls=st.lists(st.integers(0, 300), min_size=1, max_size=200),
)
def test_never_more_than_the_share_in_any_window(share, limit, calls):
    """Whatever the calls' times, those that were allowed never exceed the share within one window."""
    at, window_at, used = NOW, None, 0
    made = []
    for gap in calls:
        at += timedelta(milliseconds=gap * 10)
        standing = Standing(share, limit=limit, rate_read_at=NOW, window_at=window_at, window_calls=used)
        if wait(standing, at):
            continue
        used = rate_limits.calls_in_window(standing, at) + 1
        window_at = at if used == 1 else window_at
        made.append(window_at)
    assert all(made.count(window) <= max(1, limit * share // 100) for window in set(made))
