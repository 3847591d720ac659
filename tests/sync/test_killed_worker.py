"""kill -9 of the worker in the middle of a pass: the next pass completes, no event doubled, none lost."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gitlab_simulator import Simulator
from tests.on_services import Redis, throw_away
from tests.walk import PLAN

ROOT = Path(__file__).resolve().parents[2]
PROJECTS, PER_PROJECT = 12, 4


class Portal:
    """A portal with a folder and a database of its own: commands, a worker, and its database to look at.

    It runs on what the tests run on: all embedded, or PostgreSQL and Redis.
    """

    def __init__(self, folder: Path, gitlab: Simulator, broker: str = "") -> None:
        if os.environ.get("TESTS_ON_SERVICES"):
            self.database = database_of_its_own()
            broker = broker or f"{os.environ['CELERY_BROKER_URL'].rsplit('/', 1)[0]}/{1 + os.getpid() % 15}"
        else:
            self.database = f"sqlite:///{folder}/portal.sqlite3"
        self.environment = {
            **os.environ,
            "DATABASE_URL": self.database,
            "DATA_DIR": str(folder),
            "GITLAB_URL": gitlab.url,
            "GITLAB_TOKEN": gitlab.token,
            "CELERY_BROKER_URL": broker or "embedded://",
            "SYNC_LEASE_SECONDS": "3",
            "SYNC_INTERVAL_SECONDS": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def celery(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def count(self, query: str) -> int:
        with contextlib.closing(self._connect()) as database:
            return database.execute(query).fetchone()[0]

    def _connect(self) -> Any:
        if self.database.startswith("postgres"):
            return psycopg.connect(self.database)
        return sqlite3.connect(self.database.removeprefix("sqlite:///"), timeout=20)


def database_of_its_own() -> str:
    """A fresh database on the server that the tests run on; it goes with the server."""
    server, name = os.environ["DATABASE_URL"], f"portal_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.rsplit('/', 1)[0]}/{name}"


def seeded(gitlab: Simulator, folder: Path, **more: str) -> Portal:
    state = gitlab.state
    with state.change():
        state.add_user("ann")
        state.add_group("acme/code")
        for number in range(PROJECTS):
            state.add_project(f"acme/app{number}")
            for iid in range(11, 11 + PER_PROJECT):
                state.add_issue(f"acme/app{number}", f"issue {iid}", iid=iid)
    portal = Portal(folder, gitlab, **more)
    portal.manage("migrate", "-v0")
    files = []
    for number in range(PROJECTS):
        path = folder / f"plan{number}.yaml"
        plan = {"slug": f"r{number}", "title": f"R{number}", "flag": f"flag_{number}", "steps": [1, 100], "soak": "0"}
        path.write_text(PLAN.format(url=gitlab.url, **plan).replace("/acme/app/", f"/acme/app{number}/"))
        files.append(str(path))
    portal.manage("plan", "apply", *files)
    return portal


EVENTS = "SELECT count(*) FROM rollouts_auditevent WHERE verb = 'issue.read'"
DOUBLED = f"SELECT count(*) FROM (SELECT object_id FROM ({EVENTS.replace('count(*)', 'object_id')}) AS read GROUP BY 1 HAVING count(*) > 1) AS doubled"


def kill_in_the_middle(portal: Portal, after: int) -> int:
    """Let a worker and its beat read, kill both once so many issues are read; how many were read by then."""
    worker = portal.celery("worker", "-B", "-P", "threads", "-c", "2", "--without-gossip", "--without-mingle")
    end = time.monotonic() + 90
    while portal.count(EVENTS) < after:
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(30)
    return portal.count(EVENTS)


def test_the_next_pass_completes_what_a_killed_worker_left(tmp_path):
    with Simulator() as gitlab:
        portal = seeded(gitlab, tmp_path)
        gitlab.delay(
            60, path="/issues", every=5
        )  # two requests of twelve, one for each thread, so that it stays in the middle
        read = kill_in_the_middle(portal, after=2 * PER_PROJECT)
        assert read < PROJECTS * PER_PROJECT
        gitlab.heal()
        portal.manage("sync", "--json")
        assert portal.count(EVENTS) == PROJECTS * PER_PROJECT
        assert portal.count(DOUBLED) == 0
        assert portal.count("SELECT count(*) FROM rollouts_trackedissue WHERE found") == PROJECTS * PER_PROJECT


@pytest.mark.redis
@pytest.mark.embedded  # where the tests run on services, all of them take their work from Redis
def test_a_worker_takes_its_work_from_a_real_redis(tmp_path):
    with throw_away(Redis()) as redis, Simulator() as gitlab:
        portal = seeded(gitlab, tmp_path, broker=f"{redis}/0")
        portal.celery("call", "rollouts.tasks.sync_due").wait(60)
        worker = portal.celery("worker", "-P", "threads", "-c", "2", "--without-gossip", "--without-mingle")
        try:
            end = time.monotonic() + 90
            while not portal.count("SELECT count(*) FROM rollouts_syncrun WHERE outcome = 'ok'"):
                assert time.monotonic() < end
                time.sleep(0.05)
            assert portal.count(EVENTS) == PROJECTS * PER_PROJECT
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(30)
