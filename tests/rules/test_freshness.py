"""How old a reading may be, to the second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rollouts.rules.freshness import is_stale

NOW, LIMIT = datetime(2026, 11, 1, tzinfo=UTC), timedelta(minutes=5)


@pytest.mark.parametrize(
    ("age", "stale"), [(None, True), (timedelta(0), False), (LIMIT, False), (LIMIT + timedelta(seconds=1), True)]
)
def test_a_reading_is_stale_once_it_is_older_than_the_limit(age, stale):
    assert is_stale(None if age is None else NOW - age, NOW, LIMIT) is stale
