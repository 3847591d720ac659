"""A portal for a drill: a database, a broker and processes of its own, all of which may be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from gitlab_simulator import Simulator
from tests.walk import ISSUES

ROOT = Path(__file__).resolve().parents[2]


QUICK = {"SYNC_LEASE_SECONDS": "1", "SYNC_INTERVAL_SECONDS": "1", "FLAG_INTERVAL_SECONDS": "1", "GITLAB_WRITES": "off"}
TRUTH = "__import__('json').dumps(sorted(map(list, TrackedIssue.objects.values_list('project__path', 'iid', 'title', 'state'))))"
DOUBLED = (
    "len([k for k, n in __import__('collections').Counter("
    "(e.object_id, e.after.get('changed_at'), e.after.get('title')) for e in AuditEvent.objects.filter(verb='issue.read')"
    ").items() if n > 1])"
)


def seed(gitlab: Simulator, projects: int) -> None:
    state = gitlab.state
    with state.change():
        state.add_user("ann")
        state.add_group("acme/code")
        for number in range(projects):
            state.add_project(f"acme/app{number}")
            for role, iid in ISSUES.items():
                state.add_issue(f"acme/app{number}", role, iid=iid)
            state.add_flag_definition(f"flag_{number}", type="beta", group="g", milestone="19.3", default_enabled=False)


def truth(gitlab: Simulator) -> list[list]:
    state = gitlab.state
    rows = []
    with state.read():
        for project in state.table("projects").values():
            rows += [
                [project["path_with_namespace"], issue["iid"], issue["title"], issue["state"]]
                for issue in state.table("issues", project["id"]).values()
            ]
    return sorted(rows)


def wait_until(is_so: Callable[[], Any], seconds: float = 90) -> None:
    """Until it is so; what can't be asked meanwhile (a database that restarts) is asked again."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(psycopg.OperationalError, sqlite3.OperationalError):
            if is_so():
                return
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.1)


def end_of(process: subprocess.Popen) -> None:
    """kill -9 of a process and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


class Ground:
    """A portal with a database and a broker of its own; processes that can be killed."""

    def __init__(self, folder: Path, gitlab: Simulator, **more: str) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "DATA_DIR": str(folder),
            "GITLAB_URL": gitlab.url,
            "GITLAB_TOKEN": gitlab.token,
            "GITLAB_WRITES": "flags",
            "SECRET_KEY": "drill",
            "OUTBOX_CLAIM_SECONDS": "5",
            "SYNC_INTERVAL_SECONDS": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            **more,
        }

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def spawn(self, *command: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def prepare(self, projects: int) -> None:
        """Its database, and so many rollouts with a project each."""
        self.run("manage.py", "migrate", "-v0")
        self.run("-m", "tests.drills.ground", "projects", str(projects))

    def worker(self, threads: int = 2) -> subprocess.Popen:
        quiet = ("--without-gossip", "--without-mingle", "-n", f"w{time.monotonic_ns()}@drill")
        return self.spawn("-m", "celery", "-A", "config", "worker", "-P", "threads", "-c", str(threads), *quiet)

    def beat(self) -> subprocess.Popen:
        return self.spawn("-m", "celery", "-A", "config", "beat", "--pidfile=")

    def count(self, query: str) -> int:
        with contextlib.closing(self._connect()) as database:
            return int(database.execute(query).fetchone()[0])

    def lock_database(self, seconds: float) -> None:
        """Nobody else writes to SQLite meanwhile."""
        with contextlib.closing(self._connect()) as database:
            database.isolation_level = None
            database.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            database.execute("ROLLBACK")

    def _connect(self) -> Any:
        if url := self.environment.get("DATABASE_URL"):
            return psycopg.connect(url)
        return sqlite3.connect(Path(self.environment["DATA_DIR"]) / "portal.sqlite3", timeout=60)

    def ask(self, expression: str) -> str:
        """One expression over the models, in a process of its own."""
        script = f"from rollouts.models import *; print({expression})"
        return self.run("manage.py", "shell", "-v0", "-c", script).strip().splitlines()[-1]
