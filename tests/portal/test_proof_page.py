"""What proves the history, on its page, over the API and by the jobs that ring."""

from __future__ import annotations

import pytest

from rollouts import tasks
from rollouts.audit import signed_note, triggers
from rollouts.models import AuditEvent, Checkpoint
from tests.portal.pages import signed_in, words


@pytest.fixture
def history(world, settings):
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    world.up_to("team", "active")
    return world


def test_before_anything_is_sealed_it_says_so(history):
    assert "Nothing is sealed yet" in words(signed_in(history).get("/audit/proof/"))
    assert "not verified yet" in words(signed_in(history).get("/audit/"))
    told = signed_in(history).get("/api/v1/audit/verify").json()
    nothing = {"events": 0, "chains": 0, "tombstones": 0, "checkpoint": None, "first_bad": None}
    assert told == {"ok": None, **nothing, "verified_at": None}


def test_jobs_seal_and_verify_and_everybody_sees_what_they_found(history):
    tasks.seal_history()
    tasks.verify_history()
    newest = Checkpoint.objects.get()
    page = words(signed_in(history).get("/audit/proof/"))
    assert all(part in page for part in ("verified", newest.note.splitlines()[0], newest.keys[0], newest.root))
    note = signed_in(history).get(f"/audit/checkpoints/{newest.size}.txt")
    assert (note.content.decode(), note["Content-Type"]) == (newest.note, "text/plain; charset=utf-8")
    assert signed_in(history).get("/audit/checkpoints/9999.txt").status_code == 404
    told = signed_in(history).get("/api/v1/audit/verify").json()
    assert (told["ok"], told["events"], told["checkpoint"]["root"]) == (True, AuditEvent.objects.count(), newest.root)


def test_what_is_wrong_is_said_everywhere(history):
    from django.db import connection

    tasks.seal_history()
    event = AuditEvent.objects.filter(chain="rollout:haiku").order_by("pk")[2]
    triggers.drop(connection, triggers.HISTORY)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rollouts_auditevent SET actor = 'vic' WHERE id = %s", [event.pk])
    triggers.create(connection)
    tasks.verify_history()
    page = words(signed_in(history).get("/audit/proof/"))
    assert f"Event {event.pk} of rollout:haiku: The event is not what was sealed." in page
    assert "changed after it was sealed" in words(signed_in(history).get("/audit/"))
    told = signed_in(history).get("/api/v1/audit/verify").json()
    assert (told["ok"], told["first_bad"]["event"], told["first_bad"]["chain"]) == (False, event.pk, "rollout:haiku")
    assert "not what was sealed" in told["first_bad"]["why"]
