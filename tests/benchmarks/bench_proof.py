"""Sealing and verifying the history, beside merely reading the same rows in the same run."""

from __future__ import annotations

import os
import time

import pytest

from rollouts.audit import sealing, verifying
from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AIModel, AuditEvent, Seal

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]
EVENTS = int(os.environ.get("EVENTS", "20000"))


def test_sealing_and_verifying(world, capsys):
    world.up_to("everyone", "active")
    for number in range(3):
        with recorded("model.add", by=Actor.system_user()) as recording:
            recording.about = AIModel.objects.create(slug=f"m{number}", name=f"Model {number}")
    kinds = list(AuditEvent.objects.order_by("pk"))
    copies = []
    while len(copies) < EVENTS:
        for event in kinds:
            event.pk = None
            event._state.adding = True
        copies = list(kinds)
        AuditEvent.objects.bulk_create(copies)
        copies = range(AuditEvent.objects.count())
    count = AuditEvent.objects.count()

    def timed(work):
        begun = time.process_time(), time.perf_counter()
        work()
        return time.process_time() - begun[0], time.perf_counter() - begun[1]

    def read():
        for start in range(0, count, 2_000):
            list(AuditEvent.objects.order_by("pk")[start : start + 2_000])
            list(Seal.objects.order_by("position")[start : start + 2_000])

    seal = timed(lambda: sealing.work(batches=1_000_000, now=True))
    reads, verifies = [], []
    for _ in range(3):
        reads.append(timed(read))
        verifies.append(timed(lambda: verifying.verify()))
    assert verifying.verify().is_ok
    reading, verified = min(reads), min(verifies)
    with capsys.disabled():
        print(f"\n{count:,} events: sealing {count / seal[1]:,.0f}/s, reading {count / reading[1]:,.0f}/s, "
              f"verifying {count / verified[1]:,.0f}/s: {reading[0] / verified[0]:.2f} × reading (CPU)")  # fmt: skip
