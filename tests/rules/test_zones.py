"""Zones by name, and the two hours a year that are not like the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rollouts.rules.zones import edge, from_utc, to_utc, zone, zone_names

NAMES = st.sampled_from(zone_names())
LOCAL_TIMES = st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2150, 1, 1))


def refusal(*arguments, **named):
    with pytest.raises(ValueError) as refused:
        to_utc(*arguments, **named)
    return str(refused.value)


def test_the_list_is_for_a_select():
    names = zone_names()
    assert list(names) == sorted(set(names))
    assert {"Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC"} <= set(names)
    assert not [name for name in names if name.startswith(("posix/", "right/")) or name in ("localtime", "Factory")]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        (" Asia/Tokyo ", "Asia/Tokyo"),
    ],
)
def test_a_misspelt_zone_is_told_the_nearest(written, meant):
    with pytest.raises(ValueError, match=rf"is not the name of a time zone\. Did you mean {meant}\?"):
        zone(written)


@pytest.mark.parametrize(
    "written",
    [
        "../etc/passwd",
        "/etc/passwd",
        "x" * 1_000_000,
        "Europe/Berlin\0",
        "\0",
        "posix/Europe/Berlin",
        "localtime",
        "💥",
    ],
)
def test_whatever_is_written_is_refused_in_words(written):
    with pytest.raises(ValueError) as refused:
        zone(written)
    assert "is not the name of a time zone. " in str(refused.value)
    assert len(str(refused.value)) < 200
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("written", ["", "  ", "\n"])
def test_no_zone_is_told_how_to_write_one(written):
    with pytest.raises(ValueError, match="the time zone is empty"):
        zone(written)


def test_a_local_time_has_one_moment():
    assert to_utc(datetime(2027, 1, 15, 12), "Europe/Berlin") == datetime(2027, 1, 15, 11, tzinfo=UTC)
    assert to_utc(datetime(2027, 7, 15, 12), "Europe/Berlin") == datetime(2027, 7, 15, 10, tzinfo=UTC)
    assert from_utc(datetime(2027, 7, 15, 10, tzinfo=UTC), "Europe/Berlin").hour == 12


def test_a_time_that_does_not_exist_is_told_the_next_that_does():
    assert refusal(datetime(2027, 3, 28, 2, 30), "Europe/Berlin") == (
        "2027-03-28 02:30 does not exist in Europe/Berlin: clocks go from 02:00 to 03:00. Take 03:00 or later."
    )
    assert "does not exist" in refusal(datetime(2027, 3, 28, 2), "Europe/Berlin", 1)
    assert to_utc(datetime(2027, 3, 28, 3), "Europe/Berlin") == datetime(2027, 3, 28, 1, tzinfo=UTC)


def test_a_time_that_exists_twice_may_be_chosen():
    twice = datetime(2027, 10, 31, 2, 30)
    assert refusal(twice, "Europe/Berlin") == (
        "2027-10-31 02:30 exists twice in Europe/Berlin: clocks go back from 03:00 to 02:00. "
        "Write it in UTC, or take a time outside that hour."
    )
    assert to_utc(twice, "Europe/Berlin", fold=0) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert to_utc(twice, "Europe/Berlin", fold=1) == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


def test_samoa_once_left_out_a_whole_day():
    assert refusal(datetime(2011, 12, 30, 12), "Pacific/Apia") == (
        "2011-12-30 12:00 does not exist in Pacific/Apia: clocks go from 00:00 to 2011-12-31 00:00. "
        "Take 2011-12-31 00:00 or later."
    )


def test_an_edge_never_shrinks_a_lock():
    berlin = zone("Europe/Berlin")
    left_out, twice = datetime(2027, 3, 28, 2, 30), datetime(2027, 10, 31, 2, 30)
    for latest in (False, True):
        assert edge(left_out, berlin, latest=latest) == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert edge(twice, berlin, latest=False) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert edge(twice, berlin, latest=True) == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


def test_naive_and_aware_are_not_mixed_up():
    assert "has a zone already" in refusal(datetime(2027, 1, 1, tzinfo=UTC), "UTC")
    with pytest.raises(ValueError, match="has no zone"):
        from_utc(datetime(2027, 1, 1), "UTC")


def test_the_ends_of_time_are_refused_in_words():
    assert "at the end of time" in refusal(datetime.max, "America/New_York")
    assert "at the end of time" in refusal(datetime.min, "Asia/Tokyo")
    with pytest.raises(ValueError, match="at the end of time"):
        from_utc(datetime.max.replace(tzinfo=UTC), "Asia/Tokyo")


@given(local=LOCAL_TIMES, name=NAMES)
def test_there_and_back_where_a_time_exists_once(local, name):
    try:
        moment = to_utc(local, name)
    except ValueError:
        assume(False)
    assert from_utc(moment, name).replace(tzinfo=None) == local


@given(moment=LOCAL_TIMES, name=NAMES)
def test_back_and_there_for_every_moment(moment, name):
    local = from_utc(moment.replace(tzinfo=UTC), name)
    assert to_utc(local.replace(tzinfo=None, fold=0), name, fold=local.fold) == moment.replace(tzinfo=UTC)


@given(local=LOCAL_TIMES, name=NAMES)
def test_edges_are_the_moment_where_there_is_only_one(local, name):
    first, last = (edge(local, zone(name), latest=latest) for latest in (False, True))
    assert first <= last <= first + timedelta(hours=24)
    try:
        assert first == last == to_utc(local, name)
    except ValueError as refused:
        if "does not exist" in str(refused):
            assert first == last
            assert first.astimezone(zone(name)).replace(tzinfo=None) > local
        else:
            assert (first, last) == (to_utc(local, name, 0), to_utc(local, name, 1))
