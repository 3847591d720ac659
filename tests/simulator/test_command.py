"""``manage.py gitlab_simulator``: it starts, says where, stops when told, and explains what is wrong in one line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]


DOORS = {
    "manage.py": ([sys.executable, str(ROOT / "manage.py"), "gitlab_simulator"], "CommandError: "),
    "-m": ([sys.executable, "-m", "gitlab_simulator"], ""),
}
ALONE = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}  # nothing of the portal's settings or its database


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def start(door: str, *arguments: str, folder: Path) -> subprocess.Popen[str]:
    words, _ = DOORS[door]
    environment = {**os.environ, "DATA_DIR": str(folder)} if door == "manage.py" else ALONE
    return subprocess.Popen(
        [*words, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
    )


def said(door: str, *arguments: str, folder: Path) -> tuple[int, str]:
    """What it ends with and what it says then, for one that can't run."""
    running = start(door, *arguments, folder=folder)
    _, words = running.communicate(timeout=60)
    return running.returncode, words


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_stopped(door: str, tmp_path: Path, how: signal.Signals) -> None:
    running = start(door, "--port", "0", "--state", str(tmp_path / "state.json"), folder=tmp_path)
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        url = line.split("at ", 1)[1].split(" ", 1)[0]
        with requests.Session() as session:
            session.trust_env = False
            assert session.get(url, timeout=10).status_code == 200
        running.send_signal(how)
        assert running.wait(10) == 0
    finally:
        running.kill()
        running.communicate()
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"], "and it leaves nothing else"


def test_by_itself_it_keeps_its_state_in_memory_and_wants_the_scope_it_is_told_to(tmp_path: Path) -> None:
    running = start("-m", "--port", "0", "--admin-mode", folder=tmp_path)
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        assert "in memory" in line
        url = line.split("at ", 1)[1].split(" ", 1)[0]
        with requests.Session() as session:
            session.trust_env = False
            headers = {"PRIVATE-TOKEN": "simulator-admin-token"}
            assert session.get(f"{url}/api/v4/features", headers=headers, timeout=10).status_code == 200
    finally:
        running.kill()
        running.communicate()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--port", "70000"], 2, "0 to 65535"),
        (["--port", "x"], 2, "invalid int value"),
        (["--port", "0", "--state", "{tmp}/broken.json"], 1, "Delete it to start anew"),
        (["--port", "0", "--state", "{tmp}/broken.json/below.json"], 1, "cannot be read or written"),
    ],
)
def test_what_is_wrong_is_one_line(door: str, tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    (tmp_path / "broken.json").write_text("{")
    ended, line = said(door, *[part.format(tmp=tmp_path) for part in arguments], folder=tmp_path)
    assert ended == code
    assert words in line
    assert "Traceback" not in line


def test_a_taken_port_is_said(door: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended, line = said(door, "--port", port, "--state", str(tmp_path / "state.json"), folder=tmp_path)
    assert ended == 1
    before = DOORS[door][1]
    assert line.strip() == f"{before}Port {port} is taken. Stop what listens there, or choose another with --port."
