"""``make run``: prepare, then start web, worker, beat and (where no GitLab is named) the simulator as one group.

All of them stop together: on Ctrl-C, on SIGTERM, when one of them dies, and when this process is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
SIGN_INS = "mia (manager), alice (approver), vic (viewer), root (admin), password rollout"
PATIENCE_SECONDS = 60
GRACE_SECONDS = 10
PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """One clear line for the person at the terminal."""


class Stopped(Exception):
    """Somebody wants to stop while things are still being prepared: nothing to say."""


@dataclass(slots=True)
class Group:
    """Processes that live and die together."""

    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    stopping: bool = False

    def start(self, name: str, *command: str, environment: dict[str, str]) -> None:
        self.processes[name] = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # banners; what matters is on stderr
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )

    def dead(self) -> str | None:
        """The name of a process that has ended, if one has."""
        return next((name for name, process in self.processes.items() if process.poll() is not None), None)

    def stop(self) -> None:
        """Ask all to end, wait, then make them; each has a process group of its own, so its children go too."""
        for ask, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 2)):
            for process in self.processes.values():
                _signal_group(process.pid, ask)
            end = time.monotonic() + patience
            while time.monotonic() < end and any(_group_is_alive(p) for p in self.processes.values()):
                time.sleep(0.05)


def main() -> int:
    group = Group()

    def ask_to_stop(number: int, frame: object) -> None:
        group.stopping = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    try:
        with _alone():
            return _run(group)
    except Stopped:
        return 0
    except Failed as failed:
        print(f"portal: {failed}", file=sys.stderr, flush=True)
        return 1
    finally:
        group.stop()


def _run(group: Group) -> int:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore:You're running the worker with superuser"}
    port = _port(environment.get("PORT", "8000"), "PORT")
    _must_be_free(port, "PORT")
    url = f"http://localhost:{port}"
    environment.setdefault("PORTAL_URL", url)
    with_simulator = not any(_configured(name, environment) for name in ("GITLAB_URL", "GITLAB_URL_FILE"))
    if with_simulator:
        next_to_it = port + 1 if port < 65_535 else port - 1
        simulator_port = _port(environment.get("SIMULATOR_PORT", str(next_to_it)), "SIMULATOR_PORT")
        if simulator_port == port:
            raise Failed(f"PORT and SIMULATOR_PORT are both {port}: they must differ.")
        _must_be_free(simulator_port, "SIMULATOR_PORT")
        environment["GITLAB_URL"] = f"http://127.0.0.1:{simulator_port}"
        environment |= {"GITLAB_TOKEN": "simulator-admin-token", "GITLAB_TOKEN_FILE": ""}
    _manage(group, environment, "migrate", "--verbosity", "0")
    _collect_static(group, environment)
    if with_simulator:
        _manage(group, environment, "demo", "--if-empty")
        state = str(_data_folder() / "simulator.json")
        words = (PYTHON, "-m", "gitlab_simulator", "--port", str(simulator_port), "--state", state)
        group.start("simulator", *words, environment=environment)
        _wait_for(f"{environment['GITLAB_URL']}/", group)
    group.start(
        "worker",
        PYTHON,
        "-m",
        "celery",
        "-A",
        "config",
        "worker",
        "-P",
        "threads",
        "-c",
        "4",
        "-l",
        "WARNING",
        "--without-gossip",
        "--without-mingle",
        environment=environment,
    )
    group.start(
        "beat", PYTHON, "-m", "celery", "-A", "config", "beat", "-l", "WARNING", "--pidfile=", environment=environment
    )
    group.start(
        "web",
        PYTHON,
        "-m",
        "gunicorn",
        "config.wsgi",
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        "2",
        "--threads",
        "4",
        "--log-level",
        "warning",
        "--graceful-timeout",
        "5",
        environment=environment,
    )
    _wait_for(f"http://127.0.0.1:{port}/healthz", group)
    if not group.stopping:
        beside = f" GitLab simulator: {environment['GITLAB_URL']}." if with_simulator else ""
        who = f" Sign in as {SIGN_INS}." if with_simulator else ""
        print(f"The portal runs at {url}.{who}{beside} Ctrl-C stops it.", flush=True)
    while not group.stopping:
        if name := group.dead():
            raise Failed(f"{name} has ended (exit {group.processes[name].returncode}): everything else is stopped too.")
        time.sleep(0.2)
    return 0


def _manage_command(*arguments: str) -> tuple[str, ...]:
    return (PYTHON, str(ROOT / "manage.py"), *arguments)


def _manage(group: Group, environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        _manage_command(*arguments), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if group.stopping:
        raise Stopped
    if done.returncode:
        output_lines = [
            line for line in (done.stderr or done.stdout).splitlines() if line[:1].strip()
        ]  # not what is indented
        raise Failed(_in_one_line(arguments[0], output_lines[-1] if output_lines else f"exit {done.returncode}"))


def _in_one_line(command: str, message: str) -> str:
    if any(
        words in message
        for words in ("unable to open database file", "readonly database", "disk I/O error", "disk is full")
    ):
        return (
            f"the database can't be written ({message}). Check DATABASE_URL, the folder var/ and the space on the disk."
        )
    if "file is not a database" in message:
        return f"the file that DATABASE_URL names is no database ({message}). Name another, or take it away."
    if any(words in message for words in ("connection failed", "could not connect", "Connection refused")):
        return f"the database does not answer ({message}). Check DATABASE_URL."
    return f"{command} failed: {message}"


def _collect_static(group: Group, environment: dict[str, str]) -> None:
    """Once per change of our own files or of what is installed; it takes seconds."""
    sources = [*(ROOT / "static").rglob("*"), ROOT / "requirements.txt"]
    newest = max((path.stat().st_mtime_ns for path in sources if path.exists()), default=0)
    stamp = _data_folder() / "static.stamp"
    if stamp.exists() and stamp.read_text() == str(newest):
        return
    _manage(group, environment, "collectstatic", "--noinput", "--verbosity", "0")
    stamp.write_text(str(newest))


def _data_folder() -> Path:
    return Path(os.environ.get("DATA_DIR") or ROOT / "var")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One portal for a data folder: two simulators would overwrite each other's file, two beats ring twice."""
    folder = _data_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "run.lock").open("w")
    except OSError as error:
        raise Failed(f"{folder} can't be written ({error.strerror}). Choose another folder by DATA_DIR.") from None
    with lock:
        end = time.monotonic() + 2  # the one before may still be stopping
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > end:
                    raise Failed(
                        f"the portal runs already on {folder}. Stop it, or choose a folder by DATA_DIR."
                    ) from None
                time.sleep(0.1)
        yield


def _configured(name: str, environment: dict[str, str]) -> bool:
    if environment.get(name):
        return True
    dotenv = ROOT / ".env"
    lines = dotenv.read_text().splitlines() if dotenv.is_file() else []
    return any(line.strip().startswith(f"{name}=") and line.split("=", 1)[1].strip(" '\"") for line in lines)


def _port(text: str, name: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise Failed(f"{name} is {text!r}; it must be a number from 1 to 65535.")
    return int(text)


def _must_be_free(port: int, name: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failed(
                f"port {port} can't be used ({error.strerror}). Stop what uses it, or choose another by {name}."
            ) from None


def _wait_for(url: str, group: Group) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and not group.stopping:
        if name := group.dead():
            raise Failed(f"{name} did not start (exit {group.processes[name].returncode}).")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    if not group.stopping:
        raise Failed(f"{url} did not answer within {PATIENCE_SECONDS} s.")


def _die_with_parent() -> None:
    """Linux: the kernel ends the child when this process is killed, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _group_is_alive(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
