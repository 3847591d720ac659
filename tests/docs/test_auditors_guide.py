"""What the guide for auditors tells them to type is typed, as it stands, in a portal where something has happened."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError

from rollouts.models import AuditEvent
from rollouts.services import tokens
from tests.walk import World

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "guide/auditors.md").read_text()
COMMANDS = re.findall(r"^\$ (.+)$", GUIDE, re.MULTILINE)
MANAGE = ".venv/bin/python manage.py "


@pytest.fixture
def typed(transactional_db, live_server, gitlab, tmp_path, monkeypatch):
    """A rollout under way; what an auditor types answers with what is printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(DOCS)
    world = World.build(gitlab)
    world.plan["slug"] = "haiku-code-completion"
    world.up_to("team", "active")
    _, token = tokens.issue(world.people["vic"], "guide", world.actor("vic"))
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PORTAL": f"{live_server.url}/api/v1", "TOKEN": token}

    def type_in(command: str) -> str:
        given = None
        if command.startswith(MANAGE):
            managed, _, command = command.removeprefix(MANAGE).partition(" | ")
            managed, _, file = managed.partition(" > ")
            managed = managed.replace("prove 12", f"prove {AuditEvent.objects.order_by('pk')[11].pk}")
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                call_command(*shlex.split(managed), stdout=printed)
            given = printed.getvalue()
            if file:
                Path(file).write_text(given)
        if not command:
            return given
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env=env,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return type_in


def the_one(words: str) -> str:
    (command,) = (command for command in COMMANDS if words in command)
    return command


def test_all_that_is_asked_is_answered(typed):
    looked_up = [command for command in COMMANDS if "UPDATE" not in command]
    assert len(looked_up) > 5
    answers = {command: typed(command) for command in looked_up}
    assert all(answers.values()), answers
    assert "phase.start" in answers[the_one("find --rollout haiku-code-completion --since")]
    assert '"alice"' in answers[the_one("--verb phase.approve")]
    assert "mia" in answers[the_one("--actor mia")]
    assert "stand as they were sealed" in answers[the_one("audit verify")]
    assert "stand under the checkpoint" in answers[the_one("history.jsonl --checkpoint")]
    assert "stands at place 12" in answers[the_one("check_history.py proof.json")]


def test_the_history_refuses_to_be_changed(typed):
    reasons = list(AuditEvent.objects.values_list("reason", flat=True))
    with pytest.raises(DatabaseError, match="history is append-only"):
        typed(the_one("UPDATE"))
    assert list(AuditEvent.objects.values_list("reason", flat=True)) == reasons


def test_the_fields_are_those_of_events(typed):
    told = AuditEvent.objects.newest_first()[0].as_json(sees_confidential=True)
    (table,) = re.findall(r"\| field \|.*?\n\n", GUIDE, re.DOTALL)
    named = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines()[2:] if row)))
    assert named == {*told, "snapshot"}, json.dumps(told)
