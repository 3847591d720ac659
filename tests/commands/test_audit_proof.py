"""What a stranger needs to check the history: exports, proofs and checkpoints, checked without the portal."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from rollouts.audit import sealing, signed_note, triggers, verifying
from rollouts.models import AuditEvent, Checkpoint, Verification
from tests.docs.checker import PATH


@pytest.fixture
def history(world, settings):
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    world.up_to("team", "active")
    return world


def run(*words):
    from io import StringIO

    out = StringIO()
    call_command("audit", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


def check(path, *more):
    done = subprocess.run([sys.executable, PATH, path, *more], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_checkpoint_is_printed_signed_and_verified(history, tmp_path):
    note = run("checkpoint")
    assert note.startswith("localhost:8000/audit\n")
    assert note.count("— localhost:8000/audit ") == 1
    kept = tmp_path / "note.txt"
    kept.write_text(note)
    told = json.loads(run("verify", "--json", "--checkpoint", str(kept)))
    events = AuditEvent.objects.count()
    assert {key: told[key] for key in ("ok", "events", "first_bad")} == {
        "ok": True,
        "events": events,
        "first_bad": None,
    }
    assert told["checkpoint"]["size"] == events
    assert f"{events} events in " in run("verify")
    assert Verification.objects.get().is_ok


def test_verify_ends_with_1_and_names_the_first_that_is_wrong(history, django_db_blocker):
    from django.db import connection

    run("checkpoint")
    event = AuditEvent.objects.filter(chain="rollout:haiku").order_by("pk")[1]
    triggers.drop(connection, triggers.HISTORY)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rollouts_auditevent SET reason = 'because' WHERE id = %s", [event.pk])
    triggers.create(connection)
    with pytest.raises(CommandError, match="not as it was sealed") as ended:
        run("verify", "--json")
    assert ended.value.returncode == 1
    assert Verification.objects.get().first_bad["event"] == event.pk


def test_a_stranger_checks_a_whole_export(history, tmp_path):
    path, key = tmp_path / "history.jsonl", str(sealing.signers()[0].verifier)
    run("export", str(path))
    events = AuditEvent.objects.count()
    code, told = check(path, "--key", key)
    assert (code, told.split(" events")[0]) == (0, str(events))
    lines = path.read_text().splitlines(keepends=True)
    assert [json.loads(line)["event"]["id"] for line in lines[:-1]] == list(
        AuditEvent.objects.order_by("seal__position").values_list("pk", flat=True)
    )
    changed = tmp_path / "changed.jsonl"
    for spoilt, why in (
        ([lines[0].replace('"verb":"', '"verb":"x'), *lines[1:]], "not those that the manifest was written for"),
        (lines[:-1], "breaks off"),
        ([*lines[:-1], lines[-1][:40]], "breaks off"),
        ([], "breaks off"),
        (["{}"], "breaks off"),
        (["[1]\n", lines[-1]], "WRONG"),
    ):
        changed.write_text("".join(spoilt))
        code, told = check(changed)
        assert (code, why in told, "Traceback" in told) == (1, True, False), told


def test_a_rewritten_export_is_caught_by_a_checkpoint_from_elsewhere(history, tmp_path):
    import hashlib

    path, kept = tmp_path / "history.jsonl", tmp_path / "note.txt"
    run("export", str(path))
    kept.write_text(Checkpoint.objects.first().note)
    *lines, last = path.read_text().splitlines(keepends=True)
    lines[-1] = lines[-1].replace("phase.", "phrase.")
    manifest = json.loads(last)
    manifest["manifest"]["sha256"] = hashlib.sha256("".join(lines).encode()).hexdigest()
    path.write_text("".join([*lines, json.dumps(manifest)]))
    assert check(path, "--checkpoint", kept)[0] == 1
    assert "are not those that the checkpoint was signed over" in check(path, "--checkpoint", kept)[1]


def test_a_part_is_exported_with_what_fits_and_nothing_else(history, tmp_path):
    path = tmp_path / "part.jsonl"
    run("export", str(path), "--rollout", "haiku", "--verb", "phase")
    *lines, last = path.read_text().splitlines()
    told = json.loads(run("find", "--rollout", "haiku", "--verb", "phase", "--json", "--limit", "500"))
    assert {json.loads(line)["event"]["id"] for line in lines} == {event["id"] for event in told["items"]}
    assert json.loads(last)["manifest"]["query"] == {"rollout": "haiku", "verb": "phase"}
    assert "are a part" in check(path)[1]


def test_an_event_is_proved_to_a_stranger(history, tmp_path):
    run("checkpoint")
    key, path = str(sealing.signers()[0].verifier), tmp_path / "proof.json"
    for event in AuditEvent.objects.order_by("pk")[:7]:
        path.write_text(run("prove", str(event.pk)))
        code, told = check(path, "--key", key)
        assert code == 0, told
        assert "stands at place" in told
    proof = json.loads(path.read_text())
    for spoilt in (
        {"sealed": proof["sealed"].replace('"verb":"', '"verb":"x')},
        {"position": proof["position"] + 1},
        {"path": proof["path"][1:]},
        {"path": proof["path"] * 2},
        {"position": 10**9},
        {"checkpoint": ""},
        {"path": ["zz"]},
    ):
        path.write_text(json.dumps({**proof, **spoilt}))
        code, told = check(path, "--key", key)
        assert (code, told.startswith("WRONG"), "Traceback" in told) == (1, True, False), (spoilt, told)
    other = key[:-8] + "AAAAAAA="
    path.write_text(json.dumps(proof))
    assert check(path, "--key", other)[0] == 1


def test_today_is_proved_to_begin_with_an_earlier_checkpoint(history, tmp_path):
    kept, path = tmp_path / "note.txt", tmp_path / "proof.json"
    kept.write_text(run("checkpoint"))
    history.apply(slug="opus", flag="use_opus")
    run("checkpoint")
    path.write_text(run("prove", "--checkpoint", str(kept)))
    code, told = check(path)
    assert code == 0, told
    proof = json.loads(path.read_text())
    path.write_text(json.dumps({**proof, "path": proof["path"][:-1]}))
    assert check(path)[0] == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("prove",), "give either"),
        (("prove", "1", "--checkpoint", "x"), "give either"),
        (("prove", "99999999"), "there is no event 99999999"),
        (("verify", "--checkpoint", "/nowhere"), "can't be read"),
        (("export", "/nowhere/at/all"), "can't be written"),
        (("export", "-", "--verb", "x" * 300, "--since", "yesterday?"), "--since"),
    ],
)
def test_what_can_not_be_done_is_said(history, words, why):
    run("checkpoint")
    with pytest.raises(CommandError, match=why):
        run(*words)


@pytest.mark.parametrize("pem", ["nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_a_damaged_key_is_said_and_what_is_written_is_sealed_all_the_same(history, settings, pem):
    settings.AUDIT_SIGNING_KEY = pem
    with pytest.raises(CommandError, match="AUDIT_SIGNING_KEY"):
        run("checkpoint")
    assert not AuditEvent.objects.filter(seal=None).exists()
    assert not Checkpoint.objects.exists()


def test_keys_change_by_a_checkpoint_that_both_have_signed(history, settings):
    old, new = signed_note.new_key().decode(), signed_note.new_key().decode()
    settings.AUDIT_SIGNING_KEY = old
    run("checkpoint")
    settings.AUDIT_SIGNING_KEY = old + new
    history.apply(slug="opus", flag="use_opus")
    assert run("checkpoint").count("— ") == 2
    settings.AUDIT_SIGNING_KEY = new
    history.apply(slug="sonnet", flag="use_sonnet")
    run("checkpoint")
    assert verifying.verify().is_ok
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    assert "signed by no key of this portal" in verifying.verify().first_bad.why


@pytest.mark.embedded
def test_beside_sqlite_a_key_is_made_once(history, settings):
    settings.AUDIT_SIGNING_KEY = ""
    assert run("checkpoint").count("— ") == 1
    assert settings.AUDIT_KEY_PATH.stat().st_mode & 0o777 == 0o600
    assert len({str(sealing.signers()[0].verifier) for _ in range(2)}) == 1


def test_a_portal_without_a_key_says_that_nobody_signed(history, settings):
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_KEY_PATH = "", None
    assert "—" not in run("checkpoint")
    assert "stand as they were sealed" in run("verify")
