"""Windows in which nothing may reach more people: which holds, which comes, and weeks with a change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rollouts.rules.locks import Weekly, Window, current, following, merged_end
from rollouts.rules.zones import from_utc, zone, zone_names

FREEZE = Weekly(4, time(12), 0, time(9), "Europe/Berlin")
WEEK = timedelta(weeks=1)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """An hour of January 2027, which begins on a Friday."""
    return datetime(2027, 1, day, hour, minute, tzinfo=UTC)


def local(moment: datetime, zone: str = "Europe/Berlin") -> str:
    return from_utc(moment, zone).strftime("%a %H:%M")


def hours(window: Window) -> float:
    return (window.ends_at - window.starts_at) / timedelta(hours=1)


def test_a_window_ends_after_it_starts():
    with pytest.raises(ValueError, match="«Freeze» ends before it starts"):
        Window(at(2), at(1), "Freeze")
    with pytest.raises(ValueError, match="it ends when it starts"):
        Window(at(2), at(2))
    with pytest.raises(ValueError, match="need a zone"):
        Window(datetime(2027, 1, 1), at(2))


def test_a_window_holds_from_its_start_until_just_before_its_end():
    window = Window(at(1), at(2))
    assert current([window], at(1)) == [window]
    assert current([window], at(1, 23, 59)) == [window]
    assert current([window], at(2)) == []
    assert following([window], at(1)) is None


def test_a_weekend_freeze_in_words_and_windows():
    assert FREEZE.words == "Fridays 12:00 to Mondays 09:00, Europe/Berlin"
    (window,) = FREEZE.windows(at(6), at(13))
    assert (window.starts_at, window.ends_at) == (at(8, 11), at(11, 8))
    assert window.title == FREEZE.words


def test_an_occurrence_that_only_touches_the_span_is_whole():
    (window,) = FREEZE.windows(at(11, 7, 59), at(11, 8))
    assert window.starts_at == at(8, 11)
    assert FREEZE.windows(at(11, 8), at(15, 11)) == []
    assert FREEZE.windows(at(15, 11), at(15, 11, 1))[0].ends_at == at(18, 8)
    assert FREEZE.windows(at(11), at(11)) == FREEZE.windows(at(15), at(11)) == []


@pytest.mark.parametrize(("month", "day", "nominal"), [(3, 27, 68), (10, 30, 70), (6, 12, 69)])
def test_its_edges_stay_where_they_are_when_clocks_change(month, day, nominal):
    saturday = datetime(2027, month, day, tzinfo=UTC)
    (window,) = FREEZE.windows(saturday, saturday + timedelta(days=1))
    assert (local(window.starts_at), local(window.ends_at)) == ("Fri 12:00", "Mon 09:00")
    assert hours(window) == nominal


def test_a_start_that_clocks_leave_out_moves_forward():
    (window,) = Weekly(6, time(2, 30), 6, time(6), "Europe/Berlin").windows(
        *(datetime(2027, 3, d, tzinfo=UTC) for d in (27, 29))
    )
    assert (local(window.starts_at), local(window.ends_at), hours(window)) == ("Sun 03:00", "Sun 06:00", 3)


def test_a_lock_that_clocks_leave_out_altogether_is_not_there():
    weekly = Weekly(6, time(2, 10), 6, time(2, 50), "Europe/Berlin")
    windows = weekly.windows(datetime(2027, 3, 20, tzinfo=UTC), datetime(2027, 4, 5, tzinfo=UTC))
    assert [window.starts_at.day for window in windows] == [21, 4]


def test_an_hour_that_comes_twice_is_locked_twice():
    weekly = Weekly(6, time(2, 10), 6, time(2, 50), "Europe/Berlin")
    (window,) = weekly.windows(datetime(2027, 10, 30, tzinfo=UTC), datetime(2027, 11, 2, tzinfo=UTC))
    assert hours(window) == pytest.approx(1 + 40 / 60)


def test_a_lock_of_nearly_a_week_does_not_overlap_itself():
    weekly = Weekly(6, time(2, 45), 6, time(2, 30), "Europe/Berlin")
    before, after = weekly.windows(datetime(2027, 10, 31, 0, tzinfo=UTC), datetime(2027, 11, 1, tzinfo=UTC))
    assert before.ends_at == after.starts_at
    assert weekly.windows(after.starts_at, after.ends_at)[0] == after


def test_a_weekly_lock_that_ends_when_it_starts_is_asked_when_it_ends():
    with pytest.raises(ValueError, match=r"starts and ends on Friday at 12:00.* Write when it ends"):
        Weekly(4, time(12), 4, time(12), "UTC")
    with pytest.raises(ValueError, match="7 is not a day of the week"):
        Weekly(7, time(12), 4, time(12), "UTC")
    with pytest.raises(ValueError, match="Did you mean Europe/Berlin"):
        Weekly(4, time(12), 0, time(12), "Europe/Berln")
    with pytest.raises(ValueError, match="times are local"):
        Weekly(4, time(12, tzinfo=UTC), 0, time(12), "UTC")


def test_the_lock_really_ends_where_the_last_of_its_chain_ends():
    windows = [Window(at(5), at(6)), Window(at(1), at(3)), Window(at(3), at(4)), Window(at(2), at(3, 12))]
    assert merged_end(windows, at(1)) == at(4)
    assert merged_end(windows, at(4)) is None
    assert merged_end(windows, at(5)) == at(6)
    assert following(windows, at(1)) == Window(at(2), at(3, 12))
    assert following(windows, at(4)) == Window(at(5), at(6))
    assert following(windows, at(5)) is None


MINUTES = st.integers(0, 600)
WINDOWS = st.lists(
    st.tuples(MINUTES, st.integers(1, 200)).map(
        lambda pair: Window(at(1) + timedelta(minutes=pair[0]), at(1) + timedelta(minutes=sum(pair)))
    ),
    max_size=8,
)


@given(windows=WINDOWS)
def test_it_agrees_with_a_look_at_every_minute(windows):
    minutes = [at(1) + timedelta(minutes=minute) for minute in range(900)]
    locked = {minute for window in windows for minute in minutes if window.starts_at <= minute < window.ends_at}
    for now in minutes[::7]:
        assert current(windows, now) == [window for window in windows if window.starts_at <= now < window.ends_at]
        assert bool(current(windows, now)) == (now in locked)
        free = next(minute for minute in [*minutes, at(2)] if minute >= now and minute not in locked)
        assert merged_end(windows, now) == (free if now in locked else None)
        to_come = following(windows, now)
        assert (to_come and to_come.starts_at) == min((w.starts_at for w in windows if w.starts_at > now), default=None)


CLOCKS = st.builds(time, hour=st.integers(0, 23), minute=st.integers(0, 59))
LOCKS = st.tuples(st.integers(0, 6), CLOCKS, st.integers(0, 6), CLOCKS, st.sampled_from(zone_names())).filter(
    lambda lock: lock[:2] != lock[2:4]
)


def greatest_change(tz: ZoneInfo, around: datetime) -> timedelta:
    """By how much clocks change at most in the two weeks around a moment."""
    offsets = [(around + timedelta(hours=hour)).astimezone(tz).utcoffset() for hour in range(-168, 169)]
    return max(offsets) - min(offsets)


@given(lock=LOCKS, since=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), weeks=st.integers(1, 30))
@example((6, time(2, 45), 6, time(2, 30), "Europe/Berlin"), datetime(2027, 10, 20), 5)
@example((6, time(2, 10), 6, time(2, 50), "Europe/Berlin"), datetime(2027, 3, 20), 5)
@example((4, time(0), 4, time(23), "Pacific/Apia"), datetime(2011, 12, 20), 5)
@example((5, time(23), 6, time(1, 50), "Australia/Lord_Howe"), datetime(2027, 3, 20), 5)
def test_weeks_anywhere(lock, since, weeks):
    weekly, tz = Weekly(*lock), zone(lock[4])
    since = since.replace(tzinfo=UTC)
    until = since + weeks * WEEK
    windows = weekly.windows(since, until)
    nominal = timedelta(
        days=lock[2] - lock[0], hours=lock[3].hour - lock[1].hour, minutes=lock[3].minute - lock[1].minute
    )

    assert weeks - 2 <= len(windows) <= weeks + 2
    assert all(window.starts_at < until and since < window.ends_at for window in windows)
    assert all(one.ends_at <= after.starts_at for one, after in pairwise(windows))
    for window in windows:
        starts, ends = window.starts_at.astimezone(tz), window.ends_at.astimezone(tz)
        longer = window.ends_at - window.starts_at - nominal % WEEK
        if (starts.weekday(), starts.time()) == lock[:2] and (ends.weekday(), ends.time()) == lock[2:4]:
            assert longer == starts.utcoffset() - ends.utcoffset()
        else:  # an edge that clocks leave out, or a start that waits for the end of the one before
            change = greatest_change(tz, window.starts_at) or greatest_change(tz, window.ends_at)
            assert timedelta(0) < change
            assert abs(longer) <= change


@given(lock=LOCKS, since=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)))
def test_it_does_not_matter_through_which_span_one_looks(lock, since):
    weekly, since = Weekly(*lock), since.replace(tzinfo=UTC)
    days = [since + timedelta(days=day) for day in range(40)]
    piecewise = {window for one, after in pairwise(days) for window in weekly.windows(one, after)}
    assert weekly.windows(days[0], days[-1]) == sorted(piecewise)
