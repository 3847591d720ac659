"""``make bench-asof``: a rollout with 10,000 events as it was, beside its page of now in the same run.

Goal: rebuilt within 10 × the time of its page.
"""

from __future__ import annotations

import os
import statistics
import time

import pytest
from django.test import Client

from rollouts.models import AuditEvent
from rollouts.services import as_of
from tests.walk import World

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]
EVENTS = int(os.environ.get("EVENTS", "10000"))
TIMES = 9


def test_a_rollout_with_many_events_is_rebuilt(world, capsys):
    world.up_to("everyone", "active")
    world.advance("everyone")
    world.obey()
    whole = list(AuditEvent.objects.of_rollout("haiku").order_by("pk"))
    while (count := AuditEvent.objects.of_rollout("haiku").count()) < EVENTS:
        for event in whole[: EVENTS - count]:
            event.pk, event._state.adding = None, True
        AuditEvent.objects.bulk_create(whole[: EVENTS - count])
    client = Client()
    client.force_login(world.people["mia"])

    def page():
        assert client.get("/rollouts/haiku/").status_code == 200

    def page_of_then():
        assert client.get("/rollouts/haiku/then/").status_code == 200

    def rebuild():
        assert as_of.of("haiku", World.now()).facts.phases

    took = {work: [] for work in (page, rebuild, page_of_then)}
    for _ in range(TIMES):
        for work, times in took.items():
            begun = time.process_time()
            work()
            times.append(time.process_time() - begun)
    now, past, both = (statistics.median(times) * 1000 for times in took.values())
    with capsys.disabled():
        print(f"\n{count:,} events: page {now:.0f} ms, rebuilt in {past:.0f} ms ({past / now:.1f} ×), page of then {both:.0f} ms "
              f"(CPU, median of {TIMES})")  # fmt: skip
