"""When somebody is told: at once, with the digest, and never in quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rollouts.rules.notices import Kind
from rollouts.rules.telling import When, Wishes


def at(hour, minute=0, day=23):
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "moment", "told"),
    [
        (None, at(3), at(3)),
        ((22, 7), at(21, 59), at(21, 59)),
        ((22, 7), at(22), at(7, day=24)),
        ((22, 7), at(23, 30), at(7, day=24)),
        ((22, 7), at(0), at(7)),
        ((22, 7), at(6, 59), at(7)),
        ((22, 7), at(7), at(7)),
        ((12, 14), at(11, 59), at(11, 59)),
        ((12, 14), at(12), at(14)),
        ((12, 14), at(13, 59), at(14)),
        ((12, 14), at(14), at(14)),
    ],
)
def test_quiet_hours_end_before_anything_comes(quiet, moment, told):
    assert Wishes(quiet=quiet).after_quiet(moment) == told


def test_hours_are_of_the_readers_zone():
    assert Wishes(zone="Asia/Tokyo", quiet=(22, 7)).after_quiet(at(13)) == at(22)
    assert Wishes(zone="Asia/Tokyo", digest_hour=9).due(When.DIGEST, at(1), at(1), timedelta()) == at(0, day=24)


def test_the_digest_comes_at_its_next_hour():
    assert Wishes().due(When.DIGEST, at(7, 59), at(7), timedelta()) == at(8)
    assert Wishes().due(When.DIGEST, at(8), at(8), timedelta()) == at(8, day=24)


def test_what_settles_is_told_after_it_and_what_goes_on_changing_after_five_minutes():
    settling = timedelta(minutes=2)
    assert Wishes().due(When.NOW, at(12), at(12), settling) == at(12, 2)
    assert Wishes().due(When.NOW, at(12, 4), at(12), settling) == at(12, 5)
    assert Wishes().due(When.NOW, at(12, 9), at(12), settling) == at(12, 9)


def test_what_asks_something_of_somebody_comes_at_once_and_wishes_count_more():
    late = {kind for kind in Kind if Wishes().mail(kind) is not When.NOW}
    assert late == {Kind.MOVED, Kind.CONFIRMED}
    assert all(Wishes().mail(kind) is When.DIGEST for kind in late)
    assert Wishes(by_mail={Kind.MOVED: "off"}).mail(Kind.MOVED) is When.OFF
    assert Wishes().bell(Kind.MOVED) is When.NOW
    assert Wishes(by_bell={Kind.MOVED: "off"}).bell(Kind.MOVED) is When.OFF
