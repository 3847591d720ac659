"""A database of an earlier release, with rows, comes up to this one on either engine; what is over is tidied on the way.

A fresh one runs the first migrations as the one that replaces them, and holds the same in the end.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.on_services import Postgres

ROOT = Path(__file__).resolve().parents[2]
BEFORE, LAST, SQUASHED = "0017_what_events_say", "0028_unread", "0001_squashed_0028_unread"


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(request, tmp_path):
    """What a process with a database of its own is started with."""
    clean = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    }
    clean |= {"DATA_DIR": str(tmp_path), "SECRET_KEY": "x" * 50, "DJANGO_SETTINGS_MODULE": "config.settings"}
    if request.param == "sqlite":
        yield clean
        return
    server = Postgres()
    try:
        server.start()
        yield clean | {"DATABASE_URL": server.url}
    finally:
        server.remove()


@pytest.fixture
def ask(environment):
    """One question to a process of its own, which has the whole code and an empty database."""

    def ask(*question):
        command = [sys.executable, "-m", "tests.setup.earlier", *question]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return ask


def test_a_database_of_an_earlier_release_comes_up_to_this_one(ask):
    assert ask("filled", BEFORE) == ["skipped", "None", "None", "2026-10-01", "None", "25"]


@pytest.mark.drill  # neither changes any more
def test_one_migration_makes_what_those_made_that_it_replaces(ask):
    at_once, one_by_one = ask("both")
    words = {word for name, row in at_once.items() for word in re.findall(r"\w+", f"{name} {row}")}
    assert {"rollouts_rollout", "rollouts_auditevent_ids_rise", "one_view_of_a_name"} <= words
    assert at_once["roles"] == ["admin", "approver", "auditor", "manager", "viewer"]
    assert at_once == one_by_one


def unnamed(rows):
    """Without the names that databases give to indexes and keys: a table that was renamed keeps those of before."""
    return sorted(
        re.sub(r"INDEX \S+ ON", "INDEX ON", f"{'' if 'INDEX' in str(row) else name.partition(':')[0]} {row}")
        for name, row in rows.items()
    )


def test_the_databases_of_tests_are_as_migrations_make_them(ask):
    """Tests take ``--no-migrations``: a worker starts in half the time."""
    migrated, of_models = ask("newest")
    assert {"rollouts_rollout", "rollouts_auditevent"} <= {word for row in migrated for word in re.findall(r"\w+", row)}
    assert unnamed(migrated) == unnamed(of_models)


@pytest.mark.drill
def test_a_database_goes_on_from_wherever_it_stands(ask):
    said = ask("onward", "0001_first", "0012", LAST)
    assert list(said) == ["0001_first", "0012", LAST]
    for lines in said.values():
        assert f" [X] {SQUASHED} (28 squashed migrations)" in lines
        assert not [line for line in lines if "[ ]" in line]


@pytest.mark.parametrize("environment", [pytest.param("sqlite", marks=pytest.mark.drill), "postgresql"], indirect=True)
def test_a_migration_that_was_broken_off_goes_on_where_it_was(ask):
    words, went_on, at_once = ask("broken_off")
    assert [text.partition("\x1f")[0] for text in words] == ["haiku mia plan.apply"]
    assert "event_way" in went_on
    assert went_on == at_once
