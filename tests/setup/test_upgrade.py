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
FILL = f"""
import django; django.setup()
from datetime import datetime, timedelta, timezone
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

old = MigrationExecutor(connection).loader.project_state([("rollouts", "{BEFORE}")]).apps
row = lambda kind, /, **values: old.get_model("rollouts", kind).objects.create(**values)
at = datetime(2026, 10, 1, tzinfo=timezone.utc)
instance, _ = old.get_model("rollouts", "GitLabInstance").objects.get_or_create(name="gitlab")
flag = row("FeatureFlag", instance=instance, name="use_claude_code_completion")
model = row("AIModel", slug="haiku", name="Haiku")
template = row("PlanTemplate", slug="plain", title="Plain", document={{}})
rollout = row("Rollout", slug="haiku", title="Haiku", flag=flag, ai_model=model, template=template, state="underway",
              created_at=at, created_by="mia", completed_at=at)
phase = row("Phase", rollout=rollout, name="everyone", title="All users", position=0, audience="everyone",
            state="skipped", optional=True, final_soak=timedelta(days=1), started_at=at, confirmed_at=at, paused_at=at, ended_at=at,
            reason="too slow")
row("RampStep", phase=phase, percentage=25, soak=timedelta(minutes=15))
row("ChecklistItem", rollout=rollout, phase=phase, key="bugs", title="Bugs?", kind="decision", gate="complete",
    confirmed_by="mia", confirmed_at=at - timedelta(days=1), evidence="none")
"""
READ = """
import json, django; django.setup()
from rollouts.models import Phase, RampStep, Rollout
phase = Phase.objects.get(rollout__slug="haiku")
print(json.dumps([phase.state, str(phase.confirmed_at), str(phase.paused_at), str(phase.started_at)[:10],
                  str(Rollout.objects.get().completed_at), str(RampStep.objects.get().percentage)]))
"""


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
def run(environment):
    def run(*arguments):
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_database_of_an_earlier_release_comes_up_to_this_one(run):
    run("-m", "tests.setup.earlier", BEFORE)
    run("-c", FILL)
    run("manage.py", "migrate", "--verbosity", "0")
    assert json.loads(run("-c", READ)) == ["skipped", "None", "None", "2026-10-01", "None", "25"]


def test_one_migration_makes_what_those_made_that_it_replaces(run):
    at_once, one_by_one = json.loads(run("-m", "tests.setup.earlier", "both"))
    words = {word for name, row in at_once.items() for word in re.findall(r"\w+", f"{name} {row}")}
    assert {"rollouts_rollout", "rollouts_auditevent_ids_rise", "one_view_of_a_name"} <= words
    assert at_once["roles"] == ["admin", "approver", "auditor", "manager", "viewer"]
    assert at_once == one_by_one


@pytest.mark.parametrize("number", ["0001_first", "0012", LAST])
def test_a_database_goes_on_from_wherever_it_stands(run, number):
    run("-m", "tests.setup.earlier", number)
    run("manage.py", "migrate", "--verbosity", "0")
    run("manage.py", "migrate", "--check")
    plan = run("manage.py", "showmigrations", "rollouts")
    assert f"[X] {SQUASHED} (28 squashed migrations)" in plan
    assert "[ ]" not in plan
