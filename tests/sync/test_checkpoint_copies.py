"""Copies of checkpoints outside: in a folder, in a mailbox and on a GitLab issue, each once, and told where they fail."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from config import settings as configured
from rollouts.admin.todo import concerns
from rollouts.audit import sealing, signed_note
from rollouts.models import Checkpoint, CheckpointCopy
from rollouts.rules.checkpoint_copies import folders, issues, mail_addresses
from rollouts.sync import copies
from rollouts.tasks import copy_checkpoints
from tests.commands.running import run
from tests.mailbox import mail_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def inbox(settings):
    with mail_server(settings) as handler:
        yield handler


@pytest.fixture
def sealed(world, settings):
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    world.apply()
    sealing.work(now=True)
    return world


@pytest.fixture
def later(time_machine):
    return lambda **by: time_machine.move_to(timezone.now() + timedelta(**by))


def to(settings, *places):
    settings.CHECKPOINT_COPIES = [
        place
        for to in places
        for place in (folders(to) if to[0] == "/" else issues(to) if to.startswith("http") else mail_addresses(to))
    ]


def grow(world):
    world.apply(title="Another title")
    sealing.work(now=True)


def test_a_copy_stands_in_a_folder_a_mailbox_and_an_issue_and_verifies(sealed, settings, tmp_path, inbox):
    settings.GITLAB_WRITES = "issues"
    to(settings, str(tmp_path), "audit@example.com", f"{sealed.gitlab.url}/acme/app/-/issues/12")
    copy_checkpoints()
    newest = Checkpoint.objects.get()
    (file,) = tmp_path.iterdir()
    assert file.read_text() == newest.note
    assert run("audit", "verify", "--checkpoint", str(file))[2] == 0
    (mail,) = inbox.mails
    assert (mail["To"], mail["From"]) == ("audit@example.com", "portal@localhost")
    (attached,) = mail.iter_attachments()
    assert attached.get_content().replace("\r\n", "\n") == newest.note
    (note,) = sealed.gitlab.state.issue("acme/app", 12)["notes"]
    fenced = note["body"].split("```text\n")[1].split("\n```")[0]
    assert f"{fenced}\n" == newest.note
    assert {copy.checkpoint for copy in CheckpointCopy.objects.all()} == {newest}


def test_each_checkpoint_is_copied_once_and_the_next_a_day_later(sealed, settings, tmp_path, later):
    settings.GITLAB_WRITES = "issues"
    to(settings, str(tmp_path), f"{sealed.gitlab.url}/acme/app/-/issues/12")
    copy_checkpoints()
    grow(sealed)
    copy_checkpoints()
    assert len(list(tmp_path.iterdir())) == len(sealed.gitlab.state.issue("acme/app", 12)["notes"]) == 1
    later(hours=25)
    copy_checkpoints()
    copy_checkpoints()
    assert len(list(tmp_path.iterdir())) == len(sealed.gitlab.state.issue("acme/app", 12)["notes"]) == 2


def test_who_died_after_it_arrived_is_followed_by_nobody_who_posts_it_again(sealed, settings, tmp_path):
    settings.GITLAB_WRITES = "issues"
    to(settings, str(tmp_path), f"{sealed.gitlab.url}/acme/app/-/issues/12")
    copy_checkpoints()
    CheckpointCopy.objects.update(checkpoint=None, copied_at=None, next_attempt_at=timezone.now())
    copy_checkpoints()
    assert len(list(tmp_path.iterdir())) == len(sealed.gitlab.state.issue("acme/app", 12)["notes"]) == 1
    assert not CheckpointCopy.objects.filter(checkpoint=None)


def test_a_file_that_was_written_halfway_is_written_whole(sealed, settings, tmp_path):
    to(settings, str(tmp_path))
    note = Checkpoint.objects.get().note
    (tmp_path / f"checkpoint-{Checkpoint.objects.get().size:012}.txt").write_text(note[:30])
    copy_checkpoints()
    (file,) = tmp_path.iterdir()
    assert file.read_text() == note


def test_a_history_that_was_rebuilt_does_not_write_over_what_stands_outside(sealed, settings, tmp_path):
    to(settings, str(tmp_path))
    kept = tmp_path / f"checkpoint-{Checkpoint.objects.get().size:012}.txt"
    kept.write_text("localhost:8000/audit\n9\nanother root\n")
    copy_checkpoints()
    assert kept.read_text() == "localhost:8000/audit\n9\nanother root\n"
    assert "another checkpoint of as many events" in CheckpointCopy.objects.get().words


def test_what_fails_is_told_tried_again_and_holds_nothing_else_up(sealed, settings, tmp_path, inbox, later, client):
    inbox.refuses = "452 Insufficient storage of secret-server-7"
    to(settings, "audit@example.com", f"{tmp_path}/gone", str(tmp_path))
    copy_checkpoints()
    assert len(list(tmp_path.iterdir())) == 1
    client.force_login(sealed.people["root"])
    page = client.get("/audit/proof/").content.decode()
    assert "The mail server did not take it (SMTPDataError)." in page
    assert "secret-server-7" not in page
    told = [concern.words for concern in concerns() if "Checkpoints do not reach" in concern.words]
    assert len(told) == 2
    inbox.refuses = ""
    copy_checkpoints()
    assert not inbox.mails  # not yet
    (tmp_path / "gone").mkdir()
    later(minutes=11)
    copy_checkpoints()
    assert len(inbox.mails) == 1
    assert len(list((tmp_path / "gone").iterdir())) == 1
    assert not [concern for concern in concerns() if "Checkpoints do not reach" in concern.words]


def test_an_issue_of_no_gitlab_of_ours_and_one_that_is_gone(sealed, settings):
    settings.GITLAB_WRITES = "issues"
    to(settings, "https://elsewhere.example.com/a/b/-/issues/1", f"{sealed.gitlab.url}/acme/app/-/issues/999")
    code = run("audit", "checkpoint", "--copy")
    assert code[2] == 1
    assert "2 of 2 places have no copy of it" in code[1]
    words = dict(CheckpointCopy.objects.values_list("to", "words"))
    assert "No GitLab of this portal has that issue" in words["https://elsewhere.example.com/a/b/-/issues/1"]
    assert words[f"{sealed.gitlab.url}/acme/app/-/issues/999"]


def test_places_are_shown_to_who_sees_what_is_confidential_and_to_nobody_else(sealed, settings, tmp_path, client):
    to(settings, str(tmp_path))
    copy_checkpoints()
    shown = {}
    for name in ("root", "vic"):
        client.force_login(sealed.people[name])
        shown[name] = str(tmp_path) in client.get("/audit/proof/").content.decode()
    assert shown == {"root": True, "vic": False}


def test_the_command_copies_at_once_and_needs_a_place(sealed, settings, tmp_path):
    settings.CHECKPOINT_COPIES = []
    _, said, code = run("audit", "checkpoint", "--copy")
    assert (code, "set AUDIT_CHECKPOINT_FOLDER" in said) == (1, True)
    to(settings, str(tmp_path))
    _, said, code = run("audit", "checkpoint", "--copy")
    assert (code, said.strip()) == (0, f"{tmp_path}: copied")
    grow(sealed)
    run("audit", "checkpoint", "--copy")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_one_mail(sealed, settings, inbox):
    from django.db import connection

    to(settings, "audit@example.com")

    def work():
        copies.work()
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(inbox.mails) == 1


@pytest.mark.parametrize(
    ("way", "written", "why"),
    [
        ("FOLDER", "witness", "is no folder by its whole path"),
        ("MAIL", "nobody", "is no mail address"),
        ("MAIL", "a@b?bcc=c@d", "is no mail address"),
        ("MAIL", "a@example.com", "no mail is sent"),
        ("ISSUE", "https://gitlab.example.com/a/b", "is not the URL of a GitLab issue"),
        ("ISSUE", "https://gitlab.example.com/a/b/-/issues/1", "GITLAB_WRITES is off"),
    ],
)
def test_a_place_that_is_none_is_refused_when_the_portal_starts(way, written, why, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=configured.ROOT,
        env={
            "PATH": "/usr/bin",
            f"AUDIT_CHECKPOINT_{way}": written,
            "DATA_DIR": str(tmp_path),
            "SECRET_KEY": "k" * 50,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert why in done.stderr
