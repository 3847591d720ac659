"""``make bench-transitions``: how many queries each transition, item and plan takes, on the database of the tests."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.benchmarks.transitions import walked

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db]


@pytest.mark.parametrize("writes", ["off", "issues", "flags"])
def test_queries_of_each_change(world, settings, writes):
    settings.GITLAB_WRITES = writes
    found = walked(world)
    print(f"\n{connection.vendor}, GITLAB_WRITES={writes}: queries of each change")
    for name, statements in found.items():
        print(f"  {name:24} {len(statements):3}")
