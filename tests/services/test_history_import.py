"""An export taken up by an empty portal shows the same history, as of and reports; what is wrong with it changes nothing."""

from __future__ import annotations

import json
import re
import tracemalloc
from datetime import timedelta
from hashlib import sha256

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.utils import timezone

from rollouts.audit import replay, sealing, signed_note, triggers, verifying, word_index
from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, Checkpoint, Seal, Tombstone, clock, roles
from rollouts.services import history_import, templates
from tests.commands.running import run as command
from tests.portal.pages import words


def everything():
    """All that the database holds."""
    held = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names()):
            if not table.startswith("rollouts_eventwords_index"):
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                held[table] = sorted(map(str, cursor.fetchall()))
    return held


def a_new_portal():
    """As ``migrate`` leaves it."""
    triggers.drop(connection)
    tables = [
        model._meta.db_table
        for app in ("rollouts", "auth", "axes", "admin")
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
        if model._meta.db_table not in ("auth_permission",)
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET session_replication_role = replica")
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = DEFAULT")
    triggers.create(connection)
    roles.ensure(Group)
    templates.ensure_builtin()


@pytest.fixture
def file(world, settings, tmp_path, time_machine):
    """The whole history of a rollout that went on and came back, of one that began, and of somebody who left."""
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    world.up_to("team", "active")
    world.do("pause", "team", "mia", reason="latency of ümläuts")
    gone = User.objects.create_user("quill", "quill@example.com", "a long password 7", first_name="Quilliana")
    gone.groups.add(Group.objects.get(name="approver"))
    sealing.work(now=True)
    assert command("forget", "quill", "--reason", "left")[2] == 0
    assert Tombstone.objects.exists()
    time_machine.move_to(timezone.now() + timedelta(hours=3))
    world.sync()
    world.do("resume", "team", "mia", reason="it was the network")
    path = tmp_path / "history.jsonl"
    assert command("audit", "export", str(path), "--for-import")[2] == 0
    return path


def told(world, now):
    """What pages, commands and the API tell."""
    browser = Client()
    browser.force_login(User.objects.get(username="root"))
    moments = [event.at for event in AuditEvent.objects.of_rollout("haiku").order_by("at") if event.at <= now]
    pages = ["/audit/", "/audit/?rollout=haiku", "/audit/?q=ümläuts", "/audit/?actor=mia", "/rollouts/haiku/report/"]
    pages += ["/reports/", "/audit/?verb=phase"]
    pages += [f"/rollouts/haiku/then/?at={at.isoformat().replace('+00:00', 'Z')}" for at in (*moments[::3], now)]
    found = {}
    for page in pages:
        bound = (
            f"{'&' if '?' in page else '?'}until={now.isoformat().replace('+00:00', 'Z')}" if "audit" in page else ""
        )
        answer = browser.get(page + bound)
        assert answer.status_code == 200, page
        # What can be chosen names the one verb more by which it was taken up, and passes over GitLab are kept for days.
        text = re.sub(r"<form.*?</form>|<a href=\"/sync/[^>]*>[^<]*</a>", "", words(answer).split("Sign out")[-1])
        found[page] = " ".join(text.split())
    for at in moments[::5]:
        found[f"as_of {at}"] = command("as_of", "haiku", at.isoformat(), "--json")[0]
    found["find"] = command("audit", "find", "--until", now.isoformat(), "--limit", "1000", "--json")[0]
    return found


def test_the_same_pages_are_shown_and_the_history_verifies_and_goes_on(world, file, time_machine):
    checkpoint = Checkpoint.objects.first()
    now = clock.now()
    time_machine.move_to(now + timedelta(minutes=1), tick=False)
    assert verifying.verify().is_ok
    verifying.keep(verifying.verify())
    before, facts = told(world, now), world.rollout().as_it_is()
    a_new_portal()
    out, err, code = command("audit", "import", str(file))
    assert code == 0, err
    assert f"{checkpoint.size} events taken up" in out
    report = verifying.verify(outside=checkpoint.note)
    assert (report.is_ok, report.tombstones) == (True, Tombstone.objects.count()), report.words
    assert report.events == checkpoint.size + 1, "that it was taken up is an event of its own"
    assert world.rollout().as_it_is() == facts
    assert not User.objects.filter(is_active=True).exists()
    assert not any(user.has_usable_password() for user in User.objects.all())
    User.objects.filter(username__in=("root", "mia")).update(is_active=True)
    verifying.keep(verifying.verify())
    after = told(world, now)
    assert after.keys() == before.keys()
    for name, text in before.items():
        assert after[name] == text, name
    world.do("pause", "team", "mia", reason="and on it goes")
    sealing.work(now=True)
    assert verifying.verify().is_ok


def at_most(work):
    """How many bytes Python held at once while this worked, more than before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_events(world, settings, tmp_path, monkeypatch):
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    for module, name in ((history_import, "BATCH"), (word_index, "BATCH"), (replay, "CHUNK")):
        monkeypatch.setattr(module, name, 20)
    rollout, held = world.apply(), []
    for more in (100, 900):
        for number in range(more):
            with recorded("rollout.reconcile", by=world.actor("mia"), about=rollout, rollout=rollout) as made:
                made.notes = {"number": number, "said": f"{number} " * 800}
        sealing.work(now=True)
        path = tmp_path / f"{more}.jsonl"
        assert command("audit", "export", str(path), "--for-import")[2] == 0
        held.append(path)
    peaks = []
    for path in held:
        a_new_portal()
        peaks.append(at_most(lambda path=path: command("audit", "import", str(path))))
        assert AuditEvent.objects.filter(verb="rollout.reconcile").exists()
    sizes = [path.stat().st_size for path in held]
    assert sizes[1] > 6 * sizes[0]
    assert peaks[1] - peaks[0] < (sizes[1] - sizes[0]) / 10


def without_a_line(lines):
    return lines[:4] + lines[5:]


def broken_off(lines):
    return lines[: len(lines) // 2]


def mid_line(lines):
    return [*lines[:-2], lines[-2][: len(lines[-2]) // 2]]


def damaged(lines):
    return [*lines[:2], "{damaged\n", *lines[3:]]


def another_value(lines):
    return [line.replace("latency of", "delight of") for line in lines]


def hashed_anew(lines):
    """What somebody does who knows the format: another reason, sealed form and manifest made to fit."""
    *events, last = another_value(lines)
    manifest = json.loads(last)
    manifest["manifest"]["sha256"] = sha256("".join(events).encode()).hexdigest()
    return [*events, json.dumps(manifest) + "\n"]


def too_long(lines):
    return [lines[0], '{"x": "' + "x" * 10_000_001 + '"}\n', *lines[1:]]


def row_changed(lines):
    """Only what people read, not what is sealed."""
    row = json.loads(lines[3])
    row["row"]["verb"] = "phase.rejoice"
    return [*lines[:3], json.dumps(row) + "\n", *lines[4:]]


def no_export(lines):
    return ["a\n", "b\n"]


def nothing(lines):
    return []


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (without_a_line, "Line 5 "),
        (broken_off, "breaks off"),
        (mid_line, "breaks off"),
        (damaged, "Line 3 is damaged"),
        (another_value, "does not follow on|not what was sealed|not those"),
        (hashed_anew, "does not follow on|not those that the checkpoint"),
        (too_long, "Line 2 is longer than 10 MB"),
        (row_changed, "Line 4 is not what was sealed"),
        (no_export, "breaks off"),
        (nothing, "breaks off"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_wrong_is_said_with_its_line_and_nothing_is_changed(file, harm, words):
    a_new_portal()
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(harm(lines)))
    before = everything()
    _out, err, code = command("audit", "import", str(file))
    assert code == 1, err
    assert re.search(words, err), err
    assert "othing was changed" in err
    assert everything() == before
    with pytest.raises(Exception, match="append-only"), connection.cursor() as cursor:
        cursor.execute("UPDATE rollouts_auditevent SET actor = 'x'")


def test_another_portals_history_needs_its_key(file, settings):
    key = Checkpoint.objects.first().keys[0]
    a_new_portal()
    before = everything()
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    settings.PORTAL_URL = "https://elsewhere.example.com"
    _out, err, code = command("audit", "import", str(file))
    assert (code, "signed by no key of this portal" in err, everything() == before) == (1, True, True)
    other = str(signed_note.signers(signed_note.new_key().decode(), "localhost:8000/audit")[0].verifier)
    _out, err, code = command("audit", "import", str(file), "--key", other)
    assert (code, "another key" in err, everything() == before) == (1, True, True)
    _out, err, code = command("audit", "import", str(file), "--key", "no key")
    assert (code, "no verifier key" in err, everything() == before) == (1, True, True)
    _out, err, code = command("audit", "import", str(file), "--key", key)
    assert code == 0, err
    assert verifying.verify().is_ok


def test_a_portal_that_is_not_empty_takes_nothing_up(world, file):
    before = everything()
    _out, err, code = command("audit", "import", str(file))
    assert (code, "not empty" in err) == (1, True)
    assert everything() == before
    a_new_portal()
    assert command("audit", "import", str(file))[2] == 0
    assert "not empty" in command("audit", "import", str(file))[1]
    assert Seal.objects.count() == AuditEvent.objects.count()


def test_a_part_or_one_without_salts_is_refused(file, tmp_path):
    plain, part = str(tmp_path / "plain"), str(tmp_path / "part")
    assert command("audit", "export", plain)[2] == 0
    assert command("audit", "export", part, "--rollout", "haiku")[2] == 0
    assert '"salt"' not in (tmp_path / "plain").read_text()
    for more in (["--rollout", "haiku"], ["--as", "root"]):
        assert command("audit", "export", part, "--for-import", *more)[2] == 2
    a_new_portal()
    assert "make it by «audit export --for-import»" in command("audit", "import", plain)[1]
    assert "part of a history" in command("audit", "import", part)[1]
    assert "can't be read" in command("audit", "import", str(tmp_path / "none"))[1]
