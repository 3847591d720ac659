"""Somebody who left is nobody's name anywhere: in no table, on no page, in no export; and the history verifies."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from rollouts.audit import exporting, sealing, signed_note, triggers, verifying
from rollouts.audit.source import coming_from
from rollouts.models import Approval, AuditEvent, Checkpoint, PersonSalt, Rollout, SavedView, Tombstone
from rollouts.services import feed_keys, tokens, views
from tests.commands.running import run as command
from tests.portal.crawling import crawl
from tests.portal.pages import signed_in

CANARY = "quillfeather"
MAIL, FIRST, LAST = "q.feather@example.com", "Quilliana", "Featherstone"
TRACES = (CANARY, MAIL, FIRST, LAST)


@pytest.fixture
def left(world, settings):
    """An approver and manager who did a bit of everything, and whose rollout is over."""
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    with coming_from("admin"):
        person = User.objects.create_user(CANARY, MAIL, "a long password 7", first_name=FIRST, last_name=LAST)
        person.groups.set(Group.objects.filter(name__in=("approver", "manager")))
    world.people[CANARY] = person
    client = Client()
    assert client.post("/accounts/login/", {"username": CANARY, "password": "a long password 7"}).status_code == 302
    assert Client().post("/accounts/login/", {"username": CANARY, "password": "wrong"}).status_code == 200
    tokens.issue(person, "report", world.actor(CANARY))
    feed_keys.renew(person, by=world.actor(CANARY))
    views.keep("mine", f"owner={CANARY}", by=world.actor(CANARY))
    world.apply()
    world.sync()
    world.confirm("team")
    world.do("request", "team", "mia")
    world.do("approve", "team", CANARY, looked_at=world.looked_at("team"))
    sealing.work(now=True)
    return world


def everything():
    """All that the database holds, as one text."""
    held = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            held += [f"{table}: {row}" for row in cursor.fetchall()]
    return held


def forget(*more):
    return command("forget", CANARY, "--reason", f"{CANARY} left the company", *more)


def test_no_trace_is_left_in_any_table_and_the_history_verifies(left):
    assert any(CANARY in row for row in everything())
    checkpoint = sealing.checkpoint().note
    out, err, code = forget()
    assert code == 0, err
    assert "somebody-who-left-" in out
    traces = [row for row in everything() if any(trace.casefold() in row.casefold() for trace in TRACES)]
    assert traces == []
    sealing.work(now=True)
    report = verifying.verify(outside=checkpoint)
    assert report.is_ok, report.words
    person = User.objects.get(username__startswith="somebody-who-left-")
    assert (person.is_active, person.email, person.has_usable_password()) == (False, "", False)
    assert Approval.objects.filter(approver=person.username).exists()
    event = AuditEvent.objects.get(verb="person.forget")
    assert event.reason == f"{person.username} left the company"
    assert event.after["tombstones"]["events"] == Tombstone.objects.count()


def test_no_page_no_export_and_no_answer_of_the_api_names_them(left, tmp_path):
    before = crawl(left, "root")
    assert any(CANARY in told for _, told in before.values())
    assert forget()[2] == 0
    after = crawl(left, "root")
    named = [address for address, (_, told) in after.items() if any(trace in told for trace in TRACES)]
    assert named == []
    assert any("somebody-who-left-" in told for _, told in after.values())
    for arguments in (("audit", "find", "--limit", "1000"), ("audit", "export", str(tmp_path / "out"))):
        out, err, code = command(*arguments)
        assert code == 0, err
        assert not any(trace in out for trace in TRACES)
    exported = (tmp_path / "out").read_text()
    assert not any(trace in exported for trace in TRACES)
    assert "somebody-who-left-" in exported


def checked(export):
    """What a stranger finds, with the checker that needs nothing of the portal."""
    checker = Path(__file__).resolve().parents[2] / "docs" / "check_history.py"
    return subprocess.run([sys.executable, checker, export], capture_output=True, text=True, check=False)


def test_a_stranger_sees_that_tombstones_are_told_of(left, tmp_path):
    assert forget()[2] == 0
    assert Tombstone.objects.exists(), "the account's own events hold an address of mail"
    export = tmp_path / "out"
    assert command("audit", "export", str(export))[2] == 0
    assert checked(export).returncode == 0, checked(export).stderr
    buried = Tombstone.objects.first().event_id
    with pytest.raises(exporting.NotSealed, match="no longer what was sealed"):
        exporting.proof(buried)
    *lines, last = export.read_text().splitlines(keepends=True)
    victim = next(at for at, line in enumerate(lines) if '"sealed"' in line and "plan.apply" in line)
    row = json.loads(lines[victim])
    form = json.loads(row.pop("sealed"))
    kept = {key: form[key] for key in ("event", "chain", "number", "previous")}
    told_by = AuditEvent.objects.get(verb="person.forget").pk
    digest = AuditEvent.objects.get(pk=form["event"]).seal.digest
    row["tombstone"] = {**kept, "digest": digest, "told_by": told_by}
    lines[victim] = json.dumps(row) + "\n"
    manifest = json.loads(last)
    manifest["manifest"]["sha256"] = sha256("".join(lines).encode()).hexdigest()
    export.write_text("".join(lines) + json.dumps(manifest) + "\n")
    assert "not those that it tells of" in checked(export).stderr


def test_what_opened_the_portal_in_their_name_opens_nothing(left):
    browser = signed_in(left, CANARY)
    _, token = tokens.issue(left.people[CANARY], "used", left.actor(CANARY))
    assert Client().get("/api/v1/rollouts", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert forget()[2] == 0
    assert browser.get("/").status_code == 302
    assert Client().get("/api/v1/rollouts", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert not SavedView.objects.exists()
    assert not PersonSalt.objects.filter(name=CANARY).exists()


def test_a_dry_run_says_it_and_changes_nothing(left):
    before = everything()
    out, _, code = forget("--dry-run", "--json")
    told = json.loads(out)
    assert (code, told["ok"], told["dry_run"]) == (0, True, True)
    assert told["rows"]["auditevent"] > 3
    assert everything() == before
    with pytest.raises(Exception, match="append-only"), connection.cursor() as cursor:
        cursor.execute("UPDATE rollouts_auditevent SET actor = 'x'")


def test_who_owns_or_asks_for_something_is_not_forgotten(left):
    _out, err, code = command("forget", "mia", "--reason", "left")
    assert code == 1
    assert "mia owns open rollouts: Claude Haiku" in err
    assert "has asked for what still stands" in err
    assert command("forget", "nobody", "--reason", "left")[2] == 2
    assert "needs a reason" in command("forget", CANARY)[1]
    assert "takes the role admin" in forget("--as", "vic")[1]
    assert "the only admin" in command("forget", "root", "--reason", "left")[1]
    assert "ask another admin" in command("forget", "root", "--reason", "left", "--as", "root")[1]
    assert forget()[2] == 0
    again = User.objects.get(username__startswith="somebody-who-left-").username
    assert "forgotten already" in command("forget", again, "--reason", "twice")[1]
    assert Rollout.objects.get().owners == ["mia"]


def test_a_tombstone_that_no_event_tells_of_hides_nothing(left):
    assert forget()[2] == 0
    sealing.work(now=True)
    event = AuditEvent.objects.filter(tombstone=None, verb="plan.apply").first()
    told_by = AuditEvent.objects.get(verb="person.forget")
    triggers.drop(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rollouts_auditevent SET reason = 'another' WHERE id = %s", [event.pk])
    triggers.create(connection)
    assert verifying.verify().first_bad.event == event.pk
    Tombstone.objects.create(event=event, told_by=told_by)
    assert not verifying.verify().is_ok


@pytest.mark.parametrize("is_settled", [True, False])
def test_an_event_that_somebody_changed_before_is_named_and_gets_no_tombstone(left, monkeypatch, is_settled):
    """Whether it can't change any more and is looked at while nothing is locked, or came lately."""
    monkeypatch.setattr(sealing, "LATE", timedelta(0) if is_settled else timedelta(hours=1))
    tokens.issue(left.people["mia"], "later", left.actor("mia"))
    sealing.work(now=True)
    assert bool(Checkpoint.objects.first().settled) is is_settled
    event = AuditEvent.objects.filter(actor=CANARY, verb="phase.approve").get()
    triggers.drop(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rollouts_auditevent SET verb = 'phase.reject' WHERE id = %s", [event.pk])
    triggers.create(connection)
    before = everything()
    for more in ((), ("--dry-run",)):
        _out, err, code = forget(*more)
        assert code == 1
        assert f"Somebody has changed events that would lose the name, past the portal: {event.pk}." in err
    assert everything() == before
    assert verifying.verify().first_bad.event == event.pk
