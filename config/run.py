"""``make run``: prepare, then start web, worker, beat and (where no GitLab is named) the simulator as one group.

All of them stop together: on Ctrl-C, on SIGTERM, when one of them dies, and when this process is killed.
``make dev`` is the same with the settings for developers, and what was saved runs at once.
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
SIGN_INS = "mia (manager), alice (approver), vic (viewer), root (admin), password rollout"
PATIENCE_SECONDS = 60
GRACE_SECONDS = 10
PR_SET_PDEATHSIG = 1
#: With ``--dev``: what starts anew when a file in these folders is saved. The web server sees to itself.
RELOADED = {"worker": ("rollouts", "config"), "beat": ("rollouts", "config"), "simulator": ("gitlab_simulator",)}


class Failed(Exception):
    """One clear line for the person at the terminal."""


class Stopped(Exception):
    """Somebody wants to stop while things are still being prepared: nothing to say."""


@dataclass(slots=True)
class Group:
    """Processes that live and die together."""

    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    started: dict[str, Callable[[], None]] = field(default_factory=dict)
    stopping: bool = False

    def start(self, name: str, *command: str, environment: dict[str, str]) -> None:
        self.started[name] = partial(self.start, name, *command, environment=environment)
        self.processes[name] = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # banners; what matters is on stderr
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )

    def dead(self, *but: str) -> str | None:
        """The name of a process that has ended, if one has, of others than these."""
        ended = (name for name, process in self.processes.items() if process.poll() is not None)
        return next((name for name in ended if name not in but), None)

    def stop(self, *names: str) -> None:
        """Ask all to end, or these, wait, then make them; each has a process group, so its children go too."""
        processes = [process for name, process in self.processes.items() if name in (names or self.processes)]
        for ask, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 2)):
            for process in processes:
                _signal_group(process.pid, ask)
            end = time.monotonic() + patience
            while time.monotonic() < end and any(_group_is_alive(p) for p in processes):
                time.sleep(0.05)

    def restart(self, *names: str) -> None:
        """With what was saved since; several end at once."""
        self.stop(*names)
        for name in names:
            self.started[name]()


def main() -> int:
    group = Group()

    def ask_to_stop(number: int, frame: object) -> None:
        group.stopping = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    try:
        with _alone():
            return _run(group, for_developers="--dev" in sys.argv)
    except Stopped:
        return 0
    except Failed as failed:
        print(f"portal: {failed}", file=sys.stderr, flush=True)
        return 1
    finally:
        group.stop()


def _run(group: Group, for_developers: bool) -> int:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore:You're running the worker with superuser"}
    if for_developers:
        environment |= _of_developers(environment)
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
    if not for_developers:  # Django finds assets where they are
        _collect_static(group, environment)
    if with_simulator:
        _manage(group, environment, "demo", "--if-empty")
        state = str(_data_folder() / "simulator.json")
        words = (PYTHON, "-m", "gitlab_simulator", "--port", str(simulator_port), "--state", state)
        group.start("simulator", *words, environment=environment)
        _wait_for(f"{environment['GITLAB_URL']}/", group)
    worker = "worker -P threads -c 4 -l WARNING --without-gossip --without-mingle"
    for name, arguments in (("worker", worker), ("beat", "beat -l WARNING --pidfile=")):
        group.start(name, PYTHON, "-m", "celery", "-A", "config", *arguments.split(), environment=environment)
    group.start("web", *_web_server(f"127.0.0.1:{port}", for_developers), environment=environment)
    _wait_for(f"http://127.0.0.1:{port}/healthz", group)
    if not group.stopping:
        beside = f" GitLab simulator: {environment['GITLAB_URL']}." if with_simulator else ""
        who = f" Sign in as {SIGN_INS}." if with_simulator else ""
        print(f"The portal runs at {url}.{who}{beside} Ctrl-C stops it.", flush=True)
    if for_developers:
        _follow_what_is_saved(group)
    while not group.stopping:
        _must_live(group)
        time.sleep(0.2)
    return 0


def _web_server(address: str, for_developers: bool) -> tuple[str, ...]:
    if for_developers:
        return _manage_command("runserver", address)
    arguments = f"--bind {address} --workers 2 --threads 4 --log-level warning --graceful-timeout 5"
    return (PYTHON, "-m", "gunicorn", "config.wsgi", *arguments.split())


def _of_developers(environment: dict[str, str]) -> dict[str, str]:
    """Errors in full, a toolbar, and mail as files, unless it is said where mail goes."""
    to_files = {} if _configured("EMAIL_URL", environment) else {"EMAIL_URL": _files_of(_data_folder() / "mail")}
    return {"DJANGO_SETTINGS_MODULE": "config.development", "DEBUG": "true", **to_files}


def _files_of(folder: Path) -> str:
    return f"filemail:///{quote(str(folder.absolute()))}"  # four slashes: it begins with one


def _must_live(group: Group, *but: str) -> None:
    if name := group.dead(*but):
        raise Failed(f"{name} has ended (exit {group.processes[name].returncode}): everything else is stopped too.")


def _follow_what_is_saved(group: Group) -> None:
    """What breaks by what was saved ends alone, says why by itself, and is tried again with the next save."""
    followed = {name: folders for name, folders in RELOADED.items() if name in group.processes}
    seen = {name: _last_saved(folders) for name, folders in followed.items()}
    while not group.stopping:
        _must_live(group, *followed)
        now = {name: _last_saved(folders) for name, folders in followed.items()}
        if changed := [name for name in followed if now[name] != seen[name]]:
            group.restart(*changed)
        seen = now
        time.sleep(0.5)


def _last_saved(folders: tuple[str, ...]) -> tuple[int, int]:
    """When a file of them was last saved, and how many there are."""
    times = [path.stat().st_mtime_ns for folder in folders for path in (ROOT / folder).rglob("*.py") if path.exists()]
    return max(times, default=0), len(times)


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
