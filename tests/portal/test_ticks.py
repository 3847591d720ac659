"""Labels of a time axis: few, in order, at whole hours and days of the viewer's clock, also when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rollouts.portal.charts.axis import ticks

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [UTC, BERLIN, ZoneInfo("America/St_Johns"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/Havana")]


@given(
    some.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    some.integers(1, 400 * 24 * 60),
    some.sampled_from(ZONES),
    some.integers(2, 12),
)
def test_labels_are_few_in_order_and_whole(start, minutes, zone, most):
    since = start.replace(tzinfo=UTC)
    until = since + timedelta(minutes=minutes)
    found = ticks(since, until, zone, most)
    assert len(found) <= most + 2
    assert all(one[0] < two[0] for one, two in pairwise(found))
    for moment, within_a_day in found:
        assert since <= moment <= until
        local = moment.astimezone(zone)
        assert within_a_day or local.hour <= 1  # clocks of Havana leave out midnight itself
        assert (local.minute, local.second) in ((0, 0), (30, 0))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-03-29", ["00:00", "03:00", "06:00", "09:00", "12:00"]),
        ("2026-10-25", ["00:00", "03:00", "06:00", "09:00", "12:00"]),
    ],
)
def test_hours_stay_whole_on_the_day_when_clocks_change(day, expected):
    since = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    until = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=BERLIN)
    found = ticks(since.astimezone(UTC), until.astimezone(UTC), BERLIN, 5)
    assert [f"{moment.astimezone(BERLIN):%H:%M}" for moment, _ in found] == expected


def test_nothing_to_label():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert ticks(now, now, UTC, 8) == ()
