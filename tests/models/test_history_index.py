"""A rollout's events are found by index, however long the history of all others is."""

from __future__ import annotations

import pytest
from django.db import connection

from rollouts.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_events_of_a_rollout_are_found_without_walking_the_table(world):
    world.apply()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # the table is short here
        plan = AuditEvent.objects.of_rollout("haiku").newest_first()[:10].explain()
    table = AuditEvent._meta.db_table
    assert table in plan
    assert f"SCAN {table}" not in plan
    assert f"Seq Scan on {table}" not in plan
