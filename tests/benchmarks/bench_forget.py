"""``make bench-forget``: for how long others wait while somebody is forgotten in a long history (``EVENTS``)."""

from __future__ import annotations

import os
import threading
import time

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections

from rollouts.audit import sealing, signed_note, triggers
from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AIModel, AuditEvent, Checkpoint
from rollouts.services import forgetting
from tests.walk import World

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True), pytest.mark.timeout(36_000)]
EVENTS = int(os.environ.get("EVENTS", "100000"))


class Others(threading.Thread):
    """Writes an event, or reads the newest, again and again: the longest that one took."""

    def __init__(self, *, writes: bool) -> None:
        super().__init__(daemon=True)
        self.writes, self.longest, self.ended = writes, 0.0, threading.Event()

    def run(self) -> None:
        try:
            while not self.ended.wait(0.02):
                begun = time.perf_counter()
                if self.writes:
                    with recorded("model.add", by=Actor.system_user()) as recording:
                        name = f"m{begun}"
                        recording.about = AIModel.objects.create(slug=name, name=name)
                else:
                    list(AuditEvent.objects.newest_first()[:50])
                self.longest = max(self.longest, time.perf_counter() - begun)
        finally:
            connections.close_all()


def test_others_wait_only_while_rows_are_written(transactional_db, gitlab, settings, capsys):
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    world = World.build(gitlab)
    world.up_to("team", "active")
    person = User.objects.create_user("quill", "quill@example.com", "a long password 7", first_name="Quilliana")
    kinds = list(AuditEvent.objects.order_by("pk"))
    while AuditEvent.objects.count() < EVENTS:
        for event in kinds:
            event.pk, event._state.adding = None, True
        AuditEvent.objects.bulk_create(kinds * 20, batch_size=500)
    sealing.work(batches=1_000_000, now=True)
    with connection.cursor() as cursor:  # as if an hour had passed: all is settled
        cursor.execute("SELECT max(id) FROM rollouts_auditevent")
        (last,) = cursor.fetchone()
    assert Checkpoint.objects.exists()
    triggers.drop(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rollouts_checkpoint SET settled = %s", [last])
    triggers.create(connection)
    others = [Others(writes=True), Others(writes=False)]
    for other in others:
        other.start()
    begun = time.perf_counter()
    found = forgetting.forget(person, by=Actor.system_user(), reason="left")
    took = time.perf_counter() - begun
    for other in others:
        other.ended.set()
        other.join()
    with capsys.disabled():
        print(f"\n{AuditEvent.objects.count():,} events on {connection.vendor}: forgetting took {took:.2f} s "
              f"({found.rows.get('auditevent')} events), a writer waited {others[0].longest:.2f} s at most, "
              f"a reader {others[1].longest:.2f} s")  # fmt: skip
