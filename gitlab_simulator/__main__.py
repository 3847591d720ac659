"""``python -m gitlab_simulator``: the simulated GitLab by itself, without the portal and its database."""

from __future__ import annotations

import argparse
import errno
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from gitlab_simulator import ADMIN_TOKEN, READER_TOKEN, Simulator


class Failed(Exception):
    """It can't run: one line that says why and the cure, and the exit code."""

    def __init__(self, why: str, code: int = 1) -> None:
        super().__init__(why)
        self.code = code


def add_arguments(parser: argparse.ArgumentParser, *, state: Path | None = None) -> None:
    """``state``: the file where none is named; None keeps it in memory."""
    parser.add_argument("--port", type=int, default=8001, help="port on 127.0.0.1 (default 8001; 0: any free one)")
    parser.add_argument(
        "--state", type=Path, default=state, help=f"file of its state (default: {state or 'none, all is forgotten'})"
    )
    parser.add_argument("--latency", type=int, default=0, metavar="MS", help="answer this many milliseconds late")
    parser.add_argument("--admin-mode", action="store_true", help="administrators' tokens want the scope admin_mode")


def serve(
    *, port: int, state: Path | None, latency: int, admin_mode: bool, say: Callable[[str], object] = print
) -> None:
    """Until SIGTERM or Ctrl-C. Raises Failed."""
    if not 0 <= port <= 65_535 or latency < 0:
        raise Failed("--port is 0 to 65535, and --latency is not negative.", code=2)
    try:
        simulator = Simulator(state, port).start()
    except (OSError, ValueError) as problem:
        raise Failed(_words(problem, port, state)) from None
    simulator.state.admin_mode = admin_mode
    if latency:
        simulator.delay(latency / 1_000, path="/api/v4/")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    say(
        f"Simulated GitLab at {simulator.url} (tokens: {ADMIN_TOKEN}, {READER_TOKEN}; "
        f"state: {state or 'in memory'}). Ctrl-C stops it."
    )
    stop.wait()
    simulator.stop()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gitlab_simulator", description=__doc__)
    add_arguments(parser)
    try:
        serve(**vars(parser.parse_args(arguments)), say=lambda line: print(line, flush=True))
    except Failed as failed:
        print(failed, file=sys.stderr)
        return failed.code
    return 0


def _words(problem: OSError | ValueError, port: int, path: Path | None) -> str:
    if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:
        return f"Port {port} is taken. Stop what listens there, or choose another with --port."
    if isinstance(problem, OSError) and problem.errno == errno.EACCES and problem.filename is None:
        return f"Port {port} may not be used by this user. Choose one above 1023 with --port."
    if isinstance(problem, OSError):
        return f"The state file {path} cannot be read or written: {problem.strerror}. Choose another with --state."
    return str(problem)


if __name__ == "__main__":
    sys.exit(main())
