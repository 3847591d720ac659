"""What grows by what: bytes, with all indexes, that each thing leaves in the database, measured over a few hundred."""

from __future__ import annotations

import os

import pytest
from django.db import connection
from django.utils import timezone

from rollouts.audit import sealing, signed_note
from rollouts.models import GitLabWrite
from rollouts.models.sessions import SessionStore
from rollouts.services import deliveries, tokens
from rollouts.services.instances import default_instance
from rollouts.services.keeping.sizes import bytes_by_table
from rollouts.sync import outbox, passes
from tests.walk import World

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600), pytest.mark.django_db(transaction=True)]
TIMES = int(os.environ.get("TIMES", "400"))
#: Events, their seals and checkpoints, what search keeps of them; readings; bookkeeping.
HISTORY = (
    "rollouts_auditevent", "rollouts_seal", "rollouts_personsalt", "rollouts_checkpoint", "rollouts_eventwords",
)  # fmt: skip


def test_bytes_by_what_happens(transactional_db, gitlab, settings, capsys):
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    settings.GITLAB_WRITES = "issues"
    world = World.build(gitlab)
    world.up_to("team", "active")
    mia, actor, instance = world.people["mia"], world.actor("mia"), default_instance()
    now = timezone.now()

    def signs_in(number):
        session = SessionStore()
        session["_auth_user_id"], session["signed_in_at"] = str(mia.pk), now.isoformat()
        session["_auth_user_hash"] = "0" * 64
        session.create()

    def flag_changes(number):
        gitlab.state.set_feature("use_haiku", "true" if number % 2 else "false")
        passes.read_flags(instance)

    def delivery(number):
        deliveries.store(
            instance, key=f"key-{number:036}", event="Issue Hook", project_path="acme/app", happened_at=now, content={}
        )

    def stands(number):
        world.do("pause" if number % 2 else "resume", "team", "mia", reason="because it is being measured here")
        while outbox.work().ids:
            pass

    def token(number):
        tokens.issue(mia, f"report {number}", actor)

    things = {
        "an event (a token was issued), sealed": (token, TIMES),
        "a session": (signs_in, TIMES),
        "a change of a flag, read (reading, events)": (flag_changes, TIMES // 4),
        "a webhook delivery, kept": (delivery, TIMES),
        "a pass over GitLab": (lambda number: passes.sync_instance(instance, trigger="beat"), TIMES),
        "a transition with its note in GitLab": (stands, TIMES // 4),
    }
    lines = []
    for name, (do, times) in things.items():
        sealing.work(now=True)
        before = _sizes()
        for number in range(1, times + 1):
            do(number)
        sealing.work(now=True)
        after = _sizes()
        grew = {table: (size - before.get(table, 0)) / times for table, size in after.items()}
        history = sum(size for table, size in grew.items() if table.startswith(HISTORY))
        total = sum(grew.values())
        assert total > 0, f"{name}: {times} times fit on pages that there were, give a larger TIMES"
        most = sorted(((size, table) for table, size in grew.items() if size > 20), reverse=True)[:3]
        tables = ", ".join(f"{table.removeprefix('rollouts_')} {size:,.0f}" for size, table in most)
        lines.append(f"{name}: {total:,.0f} bytes, of them history {history:,.0f} ({tables})")
    assert GitLabWrite.objects.exists()
    with capsys.disabled():
        print(f"\nBytes with indexes, on {connection.vendor}, mean of {TIMES} (or a quarter of it):")
        print("\n".join(lines))


def _sizes():
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM")
    return bytes_by_table()
