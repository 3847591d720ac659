"""Run the simulated GitLab: a server, a page and two tokens, until it is stopped."""

from __future__ import annotations

import errno
import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gitlab_simulator import ADMIN_TOKEN, READER_TOKEN, Simulator


class Command(BaseCommand):
    help = "Run a simulated GitLab on this machine: for the demo, and to try the portal without a GitLab."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8001, help="port on 127.0.0.1 (default 8001; 0: any free one)")
        parser.add_argument("--state", type=Path, help="file of its state (default simulator.json in the data folder)")
        parser.add_argument("--latency", type=int, default=0, metavar="MS", help="answer this many milliseconds late")

    def handle(self, *args: Any, port: int, state: Path | None, latency: int, **options: Any) -> None:
        path = state or Path(settings.DATA_DIR) / "simulator.json"
        if not 0 <= port <= 65_535 or latency < 0:
            raise CommandError("--port is 0 to 65535, and --latency is not negative.", returncode=2)
        try:
            simulator = Simulator(path, port).start()
        except (OSError, ValueError) as problem:
            raise CommandError(_words(problem, port, path)) from None
        if latency:
            simulator.delay(latency / 1_000, path="/api/v4/")
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        self.stdout.write(
            f"Simulated GitLab at {simulator.url} (tokens: {ADMIN_TOKEN}, {READER_TOKEN}; "
            f"state: {path}). Ctrl-C stops it."
        )
        self.stdout.flush()
        stop.wait()
        simulator.stop()


def _words(problem: OSError | ValueError, port: int, path: Path) -> str:
    """One line: what is wrong, and the cure."""
    if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:
        return f"Port {port} is taken. Stop what listens there, or choose another with --port."
    if isinstance(problem, OSError) and problem.errno == errno.EACCES and problem.filename is None:
        return f"Port {port} may not be used by this user. Choose one above 1023 with --port."
    if isinstance(problem, OSError):
        return f"The state file {path} cannot be read or written: {problem.strerror}. Choose another with --state."
    return str(problem)
