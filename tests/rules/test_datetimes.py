"""Days and times that somebody asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rollouts.rules.datetimes import asked_since, asked_until, parse_moment


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)),
        ("2026-11-01T14:00Z", *[datetime(2026, 11, 1, 14, tzinfo=UTC)] * 2),
        ("2026-11-01T14:00+01:00", *[datetime(2026, 11, 1, 13, tzinfo=UTC)] * 2),
        ("2026-11-01 14:00 Europe/Berlin", *[datetime(2026, 11, 1, 13, tzinfo=UTC)] * 2),
        ("1970-01-01", datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)),
    ],
)
def test_a_day_is_asked_for_whole_and_a_time_as_it_is(text, since, until):
    assert (asked_since(text), asked_until(text)) == (since, until)


@pytest.mark.parametrize(
    "text", ["1969-12-31", "9000-01-01", "2026-11-01 14:00 Europe/Nowhere", "14:00", "soon", "20261101"]
)
def test_what_is_no_time_or_out_of_bounds_is_refused(text):
    with pytest.raises(ValueError, match="is no time that can be asked for"):
        asked_since(text)


@pytest.mark.parametrize(
    ("edge", "out"),
    [("2000-01-01T00:00Z", "1999-12-31T23:59Z"), ("2099-12-31T23:59Z", "2100-01-01T00:00Z")],
)
def test_a_plan_is_of_this_century(edge, out):
    assert parse_moment(edge) == datetime.fromisoformat(edge)
    with pytest.raises(ValueError, match="out of this century"):
        parse_moment(out)


@pytest.mark.parametrize(("edge", "out"), [("1970-01-01T00:00Z", "1969-12-31T23:59Z"), ("8999-12-31", "9000-01-01")])
def test_what_may_be_asked_for_has_an_edge(edge, out):
    assert asked_since(edge) < asked_since("8999-12-31T00:01Z")
    with pytest.raises(ValueError, match="is no time that can be asked for"):
        asked_since(out)
