"""The one scale of all pictures: inside it values keep their distances, outside they stand at the edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from rollouts.portal.charts.axis import ends, labels
from rollouts.portal.charts.scale import Scale, number, percent

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SHARES = st.decimals(0, 1, places=5)


@given(SHARES, SHARES, SHARES)
def test_distances_are_kept_whichever_way_the_picture_counts(one, other, third):
    up, down = Scale(0, 1, 10.0, 110.0), Scale(0, 1, 196.0, 40.0)
    assert up(one) - up(other) == pytest.approx(float(one - other) * 100, abs=1e-9)
    assert (down(one) < down(other)) is (one > other)
    assert 40 <= down(third) <= 196


def test_what_is_outside_stands_at_the_edge_and_what_has_no_length_at_the_begin():
    scale = Scale(NOON, NOON + timedelta(hours=2), 62.0, 748.0)
    assert (scale(NOON - timedelta(days=9)), scale(NOON), scale(NOON + timedelta(days=9))) == (62.0, 62.0, 748.0)
    assert scale(NOON + timedelta(hours=1)) == 405.0
    assert Scale(NOON, NOON, 62.0, 748.0)(NOON) == 62.0
    assert scale.shows(NOON)
    assert not scale.shows(NOON + timedelta(hours=2))


def test_a_stretch_is_at_least_so_wide_that_it_is_seen():
    scale = Scale(NOON, NOON + timedelta(hours=1), 0.0, 100.0)
    assert scale.stretch(NOON, NOON, 2.0) == (0.0, 2.0)
    assert scale.stretch(NOON - timedelta(hours=1), NOON + timedelta(minutes=30)) == (0.0, 50.0)


@pytest.mark.parametrize(
    ("value", "message"), [(12.0, "12"), (12.04, "12"), (12.06, "12.1"), (Decimal("0.5"), "0.5"), (-3.0, "-3")]
)
def test_coordinates_have_a_point_and_one_decimal_at_most(value, message):
    with timezone.override("Europe/Berlin"):
        assert number(value) == message
    assert percent(33.3333) == "33.33%"


def test_the_ends_are_told_to_the_minute_and_the_middle_where_there_is_room():
    short, long = (Scale(NOON, NOON + timedelta(days=days), 46.0, 746.0) for days in (1, 4))
    with timezone.override(UTC):
        assert [label.words for label in ends(short)] == ["28 Nov 12:00", "29 Nov 12:00"]
        assert [(each.x, each.anchor) for each in ends(long, middle=True)] == [
            ("46", "start"),
            ("396", "middle"),
            ("746", "end"),
        ]
        assert len(ends(short, middle=True)) == 2


def test_a_label_at_the_edge_stands_before_its_tick():
    with timezone.override(UTC):
        found = labels(Scale(NOON, NOON + timedelta(days=6, hours=12), 62.0, 748.0))
    assert [label.words for label in found][:2] == ["29 Nov", "30 Nov"]
    assert [label.anchor for label in found] == ["middle"] * (len(found) - 1) + ["end"]
