"""``python -m tests.on_services ARGS…``: run pytest on a throw-away PostgreSQL and Redis on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from glob import glob
from pathlib import Path


@contextlib.contextmanager
def throw_away_postgres() -> Iterator[str]:
    """A fresh cluster in a temporary folder; gives its DATABASE_URL and leaves nothing behind."""
    binaries = Path(sorted(glob("/usr/lib/postgresql/*/bin"))[-1])
    folder = Path(tempfile.mkdtemp(prefix="portal-postgres-"))
    port = _free_port()
    # initdb refuses root: as root, the cluster belongs to the system's postgres user.
    as_owner: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run([*as_owner, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        run(str(binaries / "initdb"), "-D", str(data), "-U", "portal", "--auth=trust", "--no-sync")
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
        run(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start")
        yield f"postgres://portal@127.0.0.1:{port}/postgres"
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            run(str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def throw_away_redis() -> Iterator[str]:
    """A fresh Redis in memory; gives its address without a database number."""
    folder = tempfile.mkdtemp(prefix="portal-redis-")
    port = _free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        redis.terminate()
        redis.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(arguments: list[str]) -> int:
    with throw_away_postgres() as database, throw_away_redis() as redis:
        environment = {
            **os.environ,
            "TESTS_ON_SERVICES": "1",
            "DATABASE_URL": database,
            "CELERY_BROKER_URL": f"{redis}/0",
            "CACHE_URL": redis.replace("redis://", "rediscache://") + "/1",
            "SECRET_KEY": "tests",
        }
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
