"""``make bench-migration``: a long history that an earlier release wrote is taken over, killed midway and gone on with.

``EVENTS`` says how many there are. Told are the times, and for how long somebody waits who writes or reads meanwhile. In
the end all events are found by their words, sealed and verified, each once.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.on_services import Postgres

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(36_000)]
EVENTS = int(os.environ.get("EVENTS", "1000000"))
#: The last migration before events were sealed and found by their words.
BEFORE = "0030_units_of_work"
KILLS = 4
BATCH = 10_000
COLUMNS = """at actor_kind actor verb object_type object_id object_name chain reason source request_id before after
    confidential snapshot""".split()
VERBS = ("phase.start", "phase.advance", "flag.read", "issue.read", "plan.apply", "account.sign_in")


def event(number: int, at: datetime) -> tuple[object, ...]:
    """As one was written then, of some 500 bytes, in one of 200 chains."""
    before = {"state": "approved", "started_at": None, "version": number % 50}
    after = {"state": "active", "started_at": at.isoformat(), "version": number % 50 + 1, "note": "x" * 60}
    hidden = (
        {"TrackedIssue 3: app#3": {"before": {}, "after": {"title": f"title {number}"}}} if number % 10 == 0 else {}
    )
    return (
        at, "person", f"person-{number % 40}", VERBS[number % 6], "Phase", str(number % 5_000), f"Phase {number % 7}",
        f"rollout:r{number % 200}" if number % 3 else "portal", f"because of reason {number}", "page",
        f"request-{number // 3}", json.dumps(before), json.dumps(after), json.dumps(hidden), "{}",
    )  # fmt: skip


class Database:
    """One of an earlier release, with as many events; asked by hand, as processes of that release would."""

    def __init__(self, url: str) -> None:
        self.url, self.is_sqlite = url, url.startswith("sqlite")
        mark = "?" if self.is_sqlite else "%s"
        self.insert = (
            f"INSERT INTO rollouts_auditevent ({', '.join(COLUMNS)}) VALUES ({', '.join([mark] * len(COLUMNS))})"
        )

    def connect(self) -> Any:
        if self.is_sqlite:
            return sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=3_600, isolation_level=None)
        return psycopg.connect(self.url, autocommit=True)

    def row(self, number: int, at: datetime) -> tuple[object, ...]:
        values = event(number, at)
        return (at.isoformat(sep=" ").removesuffix("+00:00"), *values[1:]) if self.is_sqlite else values

    def fill(self) -> None:
        first = datetime.now(UTC) - timedelta(minutes=EVENTS)
        with closing(self.connect()) as connection:
            for at in range(0, EVENTS, BATCH):
                rows = [
                    self.row(number, first + timedelta(minutes=number)) for number in range(at, min(at + BATCH, EVENTS))
                ]
                cursor = connection.cursor()
                cursor.execute("BEGIN")
                cursor.executemany(self.insert, rows)
                cursor.execute("COMMIT")

    def one(self, question: str) -> Any:
        with closing(self.connect()) as connection:
            return connection.cursor().execute(question).fetchone()[0]


class Meanwhile(threading.Thread):
    """Somebody who writes an event, or reads the newest page, ten times a second: how long each took at most."""

    def __init__(self, database: Database, *, writes: bool) -> None:
        super().__init__(daemon=True)
        self.database, self.writes = database, writes
        self.longest, self.times, self.ended = 0.0, 0, threading.Event()

    def run(self) -> None:
        with closing(self.database.connect()) as connection:
            while not self.ended.wait(0.1):
                begun = time.perf_counter()
                if self.writes:
                    connection.cursor().execute(self.database.insert, self.database.row(self.times, datetime.now(UTC)))
                else:
                    newest = "SELECT id, verb, after FROM rollouts_auditevent ORDER BY at DESC, id DESC LIMIT 50"
                    connection.cursor().execute(newest).fetchall()
                self.longest = max(self.longest, time.perf_counter() - begun)
                self.times += 1

    def stop(self) -> str:
        self.ended.set()
        self.join()
        who = "a writer" if self.writes else "a reader"
        return f"{who} waited {self.longest:.2f} s at most ({self.times} turns)"


def killed(command: list[str], environment: dict[str, str], seconds: float) -> bool:
    """Whether it was still at it, and was killed without notice."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, told = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    assert process.returncode == 0, told.decode()[-2_000:]
    return False


def taken_over(command: list[str], environment: dict[str, str], expected: float) -> tuple[float, int]:
    """Seconds in all, and how often it was killed: each time after a quarter of what the whole may take."""
    begun, kills = time.perf_counter(), 0
    while killed(command, environment, expected if kills < KILLS else 36_000):
        kills += 1
    return time.perf_counter() - begun, kills


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_long_history_is_taken_over(engine, tmp_path, capsys):
    server = Postgres() if engine == "postgresql" else None
    try:
        if server:
            server.start()
        url = server.url if server else f"sqlite:///{tmp_path}/portal.sqlite3"
        _take_over(Database(url), tmp_path, capsys)
    finally:
        if server:
            server.remove()


def _take_over(database: Database, folder: Path, capsys: Any) -> None:
    environment = os.environ | {
        "DATABASE_URL": database.url, "DATA_DIR": str(folder), "SECRET_KEY": "x" * 50,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }  # fmt: skip
    environment.pop("TESTS_ON_SERVICES", None)
    subprocess.run(
        [sys.executable, "-m", "tests.setup.earlier", "build", BEFORE], cwd=ROOT, env=environment, check=True,
        capture_output=True,
    )  # fmt: skip
    begun = time.perf_counter()
    database.fill()

    def say(words: str) -> None:
        with capsys.disabled():
            print(words, flush=True)

    engine = "SQLite" if database.is_sqlite else "PostgreSQL"
    say(f"\n{EVENTS:,} events on {engine}, written in {time.perf_counter() - begun:,.0f} s")
    size = database.one("SELECT count(*) FROM rollouts_auditevent")
    manage = [sys.executable, "manage.py"]
    for what, command, expected in (
        ("migrate (indexes, words)", [*manage, "migrate"], EVENTS / 40_000 + 5),
        ("seal", [*manage, "audit", "checkpoint"], EVENTS / 40_000 + 3),
    ):
        others = [Meanwhile(database, writes=False)]
        if what == "seal" or not database.is_sqlite:  # on SQLite the portal rests while it is migrated
            others.append(Meanwhile(database, writes=True))
        for other in others:
            other.start()
        seconds, kills = taken_over(command, environment, expected)
        say(f"{what}: {seconds:,.0f} s, killed {kills} times; {'; '.join(other.stop() for other in others)}")
        subprocess.run([*manage, "migrate", "--check"], cwd=ROOT, env=environment, check=True, capture_output=True)
    subprocess.run([*manage, "audit", "checkpoint"], cwd=ROOT, env=environment, check=True, capture_output=True)
    begun = time.perf_counter()
    verified = subprocess.run(
        [*manage, "audit", "verify", "--json"], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    report = json.loads(verified.stdout)
    say(f"verify: {time.perf_counter() - begun:,.0f} s, {report['events']:,} events in {report['chains']} chains")
    events = database.one("SELECT count(*) FROM rollouts_auditevent")
    assert report["ok"] is True
    assert (report["events"], report["unsealed"]) == (events, 0)
    assert events >= size
    found = database.one("SELECT count(DISTINCT event_id) FROM rollouts_eventwords")
    assert found == events, "those too that the earlier release wrote while it was migrated"
