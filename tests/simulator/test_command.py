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


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), "gitlab_simulator", *arguments]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_stopped(tmp_path: Path, how: signal.Signals) -> None:
    running = subprocess.Popen(
        command("--port", "0", "--state", str(tmp_path / "state.json")),
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
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
    assert (tmp_path / "state.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--port", "70000"], 2, "0 to 65535"),
        (["--port", "x"], 2, "invalid int value"),
        (["--port", "0", "--state", "{tmp}/broken.json"], 1, "Delete it to start anew"),
        (["--port", "0", "--state", "{tmp}/broken.json/below.json"], 1, "cannot be read or written"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    (tmp_path / "broken.json").write_text("{")
    ran = subprocess.run(
        command(*[part.format(tmp=tmp_path) for part in arguments]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == code
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = subprocess.run(
            command("--port", port, "--state", str(tmp_path / "state.json")),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 1
    assert (
        ran.stderr.strip()
        == f"CommandError: Port {port} is taken. Stop what listens there, or choose another with --port."
    )
