"""``make run``: starts, answers, keeps its data, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from tests.on_services import free_port
from tests.setup.running import PATIENCE, Run

#: One after the other: they share one folder.
pytestmark = [pytest.mark.embedded, pytest.mark.xdist_group("make_run")]


@pytest.fixture
def run(folder):
    runs = []

    def start(**more: str) -> Run:
        runs.append(Run(folder, **more))
        return runs[-1]

    yield start
    for started in runs:
        started.kill()


def rollouts_in(folder: Path) -> int:
    with sqlite3.connect(folder / "portal.sqlite3") as database:
        return database.execute("SELECT count(*) FROM rollouts_rollout").fetchone()[0]


def test_it_starts_answers_says_one_line_and_keeps_its_data(run, folder):
    first = run()
    first.wait_until_up()
    assert first.said().strip().splitlines() == [first.said().strip()]
    assert "mia (manager)" in first.said()
    assert first.get("/healthz") == (200, "ok\n")
    assert first.get("/accounts/login/")[0] == 200
    assert rollouts_in(folder) == 7
    beside = run()
    assert beside.process.wait(PATIENCE) != 0
    assert "the portal runs already on" in beside.said()
    os.kill(first.process.pid, signal.SIGTERM)
    first.ends()
    second = run()
    second.wait_until_up()
    assert rollouts_in(folder) == 7
    os.kill(second.pid_of("config.run"), signal.SIGINT)  # Ctrl-C reaches the whole group
    second.ends()


DRILLED = [
    pytest.param(name, marks=pytest.mark.drill) for name in ("gunicorn", "celery -A config beat", "gitlab_simulator")
]


@pytest.mark.parametrize("victim", ["celery -A config worker", *DRILLED])
def test_when_one_dies_nothing_is_left_behind(run, victim):
    started = run()
    started.wait_until_up()
    os.kill(started.pid_of(victim), signal.SIGKILL)
    assert started.ends() != 0
    assert "has ended" in started.said()


def test_when_the_supervisor_is_killed_nothing_is_left_behind(run):
    started = run()
    started.wait_until_up()
    os.kill(started.pid_of("config.run"), signal.SIGKILL)
    started.ends()


def test_ctrl_c_while_it_still_prepares_says_nothing(run):
    started = run()
    while not started.family() or "migrate" not in " ".join(started.family().values()):
        time.sleep(0.02)
    os.killpg(started.process.pid, signal.SIGINT)
    started.ends()
    assert "failed" not in started.said()
    assert "KeyboardInterrupt" not in started.said()


def test_what_is_wrong_is_said_in_one_line(run, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("a file where a folder is needed")
    no_database = tmp_path / "notes.txt"
    no_database.write_text("words " * 100)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port, free = str(taken.getsockname()[1]), str(free_port())
        for wrong, words in (
            ({"PORT": port}, f"port {port} can't be used"),
            ({"SIMULATOR_PORT": port}, f"port {port} can't be used"),
            ({"PORT": "abc"}, "PORT is 'abc'"),
            ({"PORT": free, "SIMULATOR_PORT": free}, f"PORT and SIMULATOR_PORT are both {free}"),
            ({"DATA_DIR": f"{in_the_way}/var"}, "can't be written"),
            ({"DATABASE_URL": f"sqlite:///{in_the_way}/portal.sqlite3"}, "the database can't be written"),
            ({"DATABASE_URL": f"sqlite:///{no_database}"}, "is no database"),
            ({"DATABASE_URL": "nonsense"}, "DATABASE_URL is of no database that the portal runs on"),
            ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/x", "SECRET_KEY": "x" * 60}, "does not answer"),
        ):
            started = run(**wrong)
            assert started.process.wait(PATIENCE) != 0
            lines = [line for line in started.said().splitlines() if not line.startswith("make")]
            assert len(lines) == 1, wrong
            assert words in lines[0]
