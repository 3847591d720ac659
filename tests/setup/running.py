"""The portal as a person starts it: by ``make``, in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.on_services import free_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240


class Run:
    """``make run`` (or another command of the Makefile) with a data folder of its own, of the code in a folder."""

    def __init__(self, folder: Path, command: str = "run", code: Path = ROOT, **more: str) -> None:
        self.port, simulator = free_port(), free_port()
        # make's own variables would make the inner make tell where it works
        names = (
            "MAKELEVEL",
            "MAKEFLAGS",
            "MFLAGS",
            "DJANGO_SETTINGS_MODULE",
            "SECRET_KEY",
            "GITLAB_URL",
            "GITLAB_TOKEN",
            "PORTAL_URL",
            "DATABASE_URL",
            "CELERY_BROKER_URL",
            "CACHE_URL",
        )
        environment = {name: value for name, value in os.environ.items() if name not in names}
        environment |= {
            "DATA_DIR": str(folder),
            "PORT": str(self.port),
            "SIMULATOR_PORT": str(simulator),
            **more,
        }
        self.url = f"http://127.0.0.1:{environment['PORT']}"
        self.log = folder.parent / f"run-{self.port}.log"
        self.marker = str(folder)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["make", command],
                cwd=code,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text()

    def wait_until_up(self) -> None:
        end = time.monotonic() + PATIENCE
        while "The portal runs at" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.1)

    def answers(self, path: str) -> str:
        """What it answers; nothing while it starts anew."""
        try:
            return self.get(path)[1]
        except OSError:
            return ""

    def policy(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.headers["Content-Security-Policy"]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def family(self) -> dict[int, str]:
        """Every living process that was started for this run, by its environment."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if f"DATA_DIR={self.marker}".encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def ends(self) -> int:
        """Wait until nothing of it is left; the exit status of make."""
        status = self.process.wait(PATIENCE)
        end = time.monotonic() + PATIENCE
        while self.family():
            assert time.monotonic() < end, self.family()
            time.sleep(0.1)
        return status

    def pid_of(self, words: str) -> int:
        return next(pid for pid, command in self.family().items() if words in command)

    def pids_of(self, words: str) -> set[int]:
        return {pid for pid, command in self.family().items() if words in command}

    def environment_of(self, words: str) -> dict[str, str]:
        """With which it was started."""
        given = Path(f"/proc/{self.pid_of(words)}/environ").read_bytes().decode().split("\0")
        return dict(one.split("=", 1) for one in given if one)

    def kill(self) -> None:
        for pid in self.family():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(PATIENCE)
