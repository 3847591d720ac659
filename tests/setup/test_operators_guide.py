"""The operator's guide, word by word: who follows it on a fresh machine has a portal that people sign in to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from gitlab_simulator import Simulator
from tests.on_services import Postgres, Redis, free_port, throw_away

pytestmark = [pytest.mark.embedded, pytest.mark.xdist_group("make_run")]
ROOT = Path(__file__).resolve().parents[2]
SECTION = "## Set it up\n"
HOST = "rollouts.example.com"
PASSWORD = "correct horse battery staple"
#: What the guide tells that is the machine's: it was installed already, here.
INSTALLED = ("git clone ", "python3 -m venv ", ".venv/bin/python -m pip install ")


@dataclass
class Machine:
    """A fresh machine: a folder with the code, and what of the guide's names and addresses is other on it."""

    folder: Path
    places: dict[str, str]
    used: set[str]

    def own(self, text: str) -> str:
        """The guide's words with this machine's addresses; the rest is taken as it stands."""
        for word, own in self.places.items():
            if word in text:
                self.used.add(word)
                text = text.replace(word, own)
        return text

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of ours but where programs are: what the portal needs to know stands in ``.env``."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder.parent), "CURL_HOME": str(self.folder.parent)}

    def run(self, command: str, answers: str = "") -> str:
        if answers:
            return self._at_a_terminal(command, answers)
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, command: str) -> subprocess.Popen:
        log = (self.folder.parent / f"{len(list(self.folder.parent.glob('*.log')))}.log").open("wb")
        return subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _at_a_terminal(self, command: str, answer: str) -> str:
        """As a person types: the same answer to each question."""
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        said, asked = "", 0
        with contextlib.suppress(OSError):  # the terminal closes when the command ends
            while piece := os.read(ours, 1000).decode():
                said += piece
                if said.rstrip().endswith(":") and said.count(":") > asked:
                    asked = said.count(":")
                    time.sleep(0.1)  # what is typed before the echo is off is thrown away
                    os.write(ours, f"{answer}\n".encode())
        assert process.wait(60) == 0, said
        return said


def blocks() -> list[tuple[str, str]]:
    """What the guide tells to do, in its order: the kind of each block, and its text."""
    guide = (ROOT / "docs/guide/operators.md").read_text()
    section = guide[guide.index(SECTION) + len(SECTION) :]
    return re.findall(r"```(\w+)\n(.*?)```", section[: section.index("\n## ")], re.DOTALL)


def fresh_copy(folder: Path) -> None:
    """The code as a clone has it, and nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("docs/screenshots/", ".venv")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))


def certificate(folder: Path) -> tuple[Path, Path]:
    key, pem = folder / "own.key", folder / "own.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", key, "-out", pem,
         "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"], check=True, capture_output=True,
    )  # fmt: skip
    return key, pem


def start_nginx(machine: Machine, server: str) -> subprocess.Popen:
    folder = machine.folder.parent / "nginx"
    folder.mkdir()
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{server}}}\n"
    )
    return machine.start(f"nginx -e {folder}/error.log -c {folder}/nginx.conf")


def execute(server: str, database: str, statements: str) -> None:
    with psycopg.connect(f"{server.rpartition('/')[0]}/{database}", autocommit=True) as connection:
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(statement)


def follow(machine: Machine, server: str, processes: list[subprocess.Popen], *, installs: bool = False) -> list[str]:
    """Do what the guide tells; what the commands said. ``installs``: fetch the code and what it needs, too."""
    said = []
    for kind, text in blocks():
        own = machine.own(text)
        match kind:
            case "sql":
                execute(server, "postgres" if "CREATE DATABASE" in text else "portal", own)
            case "ini":
                (machine.folder / ".env").write_text(own)
            case "nginx":
                processes.append(start_nginx(machine, own))
            case "sh":
                processes += [machine.start(line) for line in own.splitlines()]
            case "console":
                for line in own.splitlines():
                    command = line.removeprefix("$ ")
                    assert line.startswith("$ "), line
                    if command.startswith("git clone ") and installs:
                        machine.run(f"cd .. && {command}")
                    elif installs or not command.startswith(INSTALLED):
                        said.append(machine.run(command, PASSWORD if "createsuperuser" in command else ""))
            case _:
                raise AssertionError(f"the test does not know how to follow a block of {kind}")
    return said


@pytest.fixture
def machine(tmp_path):
    """It has PostgreSQL, Redis, nginx and a GitLab to read; gives the database server's address too."""
    (tmp_path / "portal").mkdir()
    key, pem = certificate(tmp_path)
    port = free_port()
    (tmp_path / ".curlrc").write_text(f'connect-to = "{HOST}:443:127.0.0.1:{port}"\ncacert = "{pem}"\nnoproxy = "*"\n')
    processes: list[subprocess.Popen] = []
    with throw_away(Postgres("postgres")) as database, throw_away(Redis()) as redis, Simulator() as gitlab:
        places = {
            "https://git.example.com/model-rollout-portal.git": str(ROOT),
            "127.0.0.1:5432": database.split("@")[1].split("/")[0],
            "127.0.0.1:6379": redis.removeprefix("redis://"),
            "127.0.0.1:8000": f"127.0.0.1:{free_port()}",
            "https://gitlab.example.com": gitlab.url,
            "glpat-your-token": gitlab.token,
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            f"/etc/ssl/{HOST}.pem": str(pem),
            f"/etc/ssl/{HOST}.key": str(key),
        }
        found = Machine(tmp_path / "portal", places, set())
        try:
            yield found, database, processes
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)


def test_who_follows_the_guide_has_a_portal_that_people_sign_in_to(machine):
    there, database, processes = machine
    fresh_copy(there.folder)
    people_sign_in(there, database, processes, follow(there, database, processes))


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_the_same_from_a_clone_with_all_that_it_installs(machine):
    there, database, processes = machine
    people_sign_in(there, database, processes, follow(there, database, processes, installs=True))


def people_sign_in(there: Machine, database: str, processes: list[subprocess.Popen], said: list[str]) -> None:
    assert '"ready": true' in said[-1]
    assert there.used == set(there.places), "the guide and this test tell of other addresses"
    assert [process.poll() for process in processes] == [None] * len(processes)

    jar = "-b cookies -c cookies"
    page = there.run(f"curl -fsS {jar} https://{HOST}/accounts/login/")
    csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    there.run(
        f"curl -fsS {jar} -o answer -D headers -e https://{HOST}/accounts/login/ --data-urlencode 'password={PASSWORD}'"
        f" -d csrfmiddlewaretoken={csrf} -d username=ada https://{HOST}/accounts/login/"
    )
    headers = (there.folder / "headers").read_text()
    assert " 302 " in headers.splitlines()[0] + " ", headers
    assert "secure" in headers.lower()
    portfolio = there.run(f"curl -fsS {jar} https://{HOST}/")
    assert "No rollouts yet" in portfolio
    for asset in re.findall(r'(?:href|src)="(/static/[^"]+)"', portfolio):
        there.run(f"curl -fsS -o asset https://{HOST}{asset}")
    assert "ada" in there.run(f"curl -fsS {jar} https://{HOST}/admin/")
    with psycopg.connect(f"{database.rpartition('/')[0].replace('postgres@', 'portal@')}/portal") as as_the_portal:
        as_the_portal.execute("SELECT count(*) FROM rollouts_auditevent")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_the_portal.execute("DELETE FROM rollouts_auditevent")


def test_a_portal_whose_assets_were_not_collected_is_not_ready(tmp_path):
    """Every page would be a 500."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")},
        "DATA_DIR": str(tmp_path / "var"), "DEBUG": "false", "GITLAB_URL": "",
    }  # fmt: skip
    ask = "from django.test import Client; print(Client(SERVER_NAME='localhost').get('/readyz').json()['checks']['assets'])"

    def manage(*command: str) -> str:
        done = subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, capture_output=True,
                              text=True, check=True)  # fmt: skip
        return done.stdout.strip()

    assert "was not collected: run manage.py collectstatic" in manage("shell", "-v0", "-c", ask)
    manage("collectstatic", "--noinput", "-v0")
    assert manage("shell", "-v0", "-c", ask) == "ok"
