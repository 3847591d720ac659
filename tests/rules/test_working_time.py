"""Working time: how much of a time somebody is at work, over weekends, holidays and changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules.working_time import DAYS, WorkingHours, at_work, length, reached, working_hours

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
moments = st.integers(0, 60 * 24 * 700).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
spans = st.integers(0, 60 * 200).map(lambda n: timedelta(minutes=n))
minutes = st.tuples(st.integers(0, 1_440), st.integers(0, 1_440)).filter(lambda pair: pair[0] < pair[1])
hours = st.builds(
    lambda days, at, zone: WorkingHours(frozenset(days), *at, zone),
    st.sets(st.integers(0, 6), min_size=1),
    minutes,
    st.sampled_from(ZONES),
)
people = st.lists(hours, min_size=1, max_size=3)
holidays = st.lists(st.tuples(moments, st.integers(1, 96)), max_size=4).map(
    lambda rows: [(at, at + timedelta(hours=n)) for at, n in rows]
)


@given(people, holidays, st.lists(moments, min_size=3, max_size=3))
def test_what_passed_until_and_what_passed_since_is_all(who, off, at):
    one, two, three = sorted(at)
    two, three = min(two, one + timedelta(days=60)), min(three, one + timedelta(days=90))
    whole = length(at_work(who, off, one, three))
    parts = length(at_work(who, off, one, two)) + length(at_work(who, off, two, three))
    assert whole == parts
    assert timedelta(0) <= whole <= three - one


@given(people, holidays, moments, spans)
def test_by_the_moment_that_is_reached_just_so_much_has_passed(who, off, since, span):
    at = reached(who, off, since, span)
    if at is not None:
        assert length(at_work(who, off, since, at)) == span
        if span:
            assert length(at_work(who, off, since, at - timedelta(seconds=1))) < span


@given(people, hours, holidays, moments)
def test_one_person_more_never_takes_time_away_and_a_holiday_never_adds(who, more, off, since):
    until = since + timedelta(days=30)
    few = length(at_work(who, off, since, until))
    assert few <= length(at_work([*who, more], off, since, until))
    assert few <= length(at_work(who, [], since, until))


@given(hours)
def test_what_is_written_is_read(one):
    assert working_hours(one.written) == one


def of(written, since, until, off=()):
    stretches = at_work([working_hours(written)], off, *(datetime.fromisoformat(at) for at in (since, until)))
    return length(stretches) / timedelta(hours=1)


def test_on_days_on_which_the_clock_changes_as_much_as_is_there():
    berlin = "Mon-Sun 00:00-24:00 Europe/Berlin"
    assert of(berlin, "2026-03-28T23:00+00:00", "2026-03-29T22:00+00:00") == 23
    assert of(berlin, "2026-10-24T22:00+00:00", "2026-10-25T23:00+00:00") == 25
    office = "Mon-Sun 09:00-17:00 Europe/Berlin"
    assert of(office, "2026-03-28T23:00+00:00", "2026-03-29T22:00+00:00") == 8
    assert of("Sun 02:00-03:00 Europe/Berlin", "2026-03-28T12:00+00:00", "2026-03-29T12:00+00:00") == 0
    assert of("Sun 02:00-03:00 Europe/Berlin", "2026-10-24T12:00+00:00", "2026-10-25T12:00+00:00") in (1, 2)


def test_weekends_and_holidays_are_no_working_time():
    week = "Mon-Fri 09:00-17:00 UTC"
    assert of(week, "2026-11-27T16:00+00:00", "2026-11-30T10:00+00:00") == 2
    christmas = [(datetime(2026, 12, 25, tzinfo=UTC), datetime(2026, 12, 27, tzinfo=UTC))]
    assert of(week, "2026-12-24T16:00+00:00", "2026-12-28T10:00+00:00", christmas) == 2


@pytest.mark.parametrize(
    "written",
    ["", "always", "Mon-Fri", "Mon-Fri 9-17 UTC", "Mon-Fri 17:00-09:00 UTC", "Mon-Fri 09:00-09:00 UTC", "Mon 09:00-25:00 UTC",
     "Mon 09:61-10:00 UTC", "Moon 09:00-17:00 UTC", "Mon- 09:00-17:00 UTC" + "x" * 500, "Mon 09:00-17:00 Berlin"],
)  # fmt: skip
def test_what_are_no_working_hours_is_refused(written):
    with pytest.raises(ValueError, match=r"working hours|time zone"):
        working_hours(written)


def test_days_may_go_round_the_week():
    assert working_hours("sat-mon 10:00-12:00 UTC").days == {5, 6, 0}
    assert working_hours("Mon,Wed 10:00-12:00 UTC").written == "Mon,Wed 10:00-12:00 UTC"
    assert len(DAYS) == 7


def test_who_never_works_reaches_nothing():
    assert reached([], [], datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1)) is None
