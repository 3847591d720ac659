"""unleash-server of the npm registry, to be measured beside the portal: on the same PostgreSQL, with as many flags."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import requests
from django.db import connection

from tests.on_services import free_port

VERSION = "8.2.0"
#: Its search answers fifteen questions a minute, and 429 to more.
UNLIMITED = {"SEARCH_FEATURES_RATE_LIMIT_PER_MINUTE": "1000000"}
DATABASE = "unleash"
#: The user interface is left out, and so is nothing that answers.
SERVER = """
import { start } from 'unleash-server';
const { db, port } = JSON.parse(process.env.BENCH);
await start({ db, server: { host: '127.0.0.1', port }, authentication: { type: 'none' } });
"""
#: All flags that are wanted, each like the first: with a strategy in an environment where it is on.
COPIES = {
    "features": ("name",),
    "feature_environments": ("feature_name",),
    "feature_strategies": ("id", "feature_name"),
}


def is_there() -> bool:
    return bool(shutil.which("npm") and shutil.which("node"))


@contextlib.contextmanager
def served(folder: Path, flags: int) -> Iterator[str]:
    """It is installed into this folder and runs with so many flags; the address of its admin API."""
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    subprocess.run(["npm", "install", *quiet, "--prefix", folder, f"unleash-server@{VERSION}"], check=True, cwd=folder)
    (folder / "server.mjs").write_text(SERVER)
    kept, port = connection.settings_dict, free_port()
    _run(f"CREATE DATABASE {DATABASE}", kept["NAME"])
    own = {"host": kept["HOST"], "port": int(kept["PORT"]), "user": kept["USER"], "password": kept["PASSWORD"] or "-"}
    bench = json.dumps({"db": {**own, "database": DATABASE, "ssl": False}, "port": port})
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            ["node", "server.mjs"], cwd=folder, env=os.environ | UNLIMITED | {"BENCH": bench}, stdout=log, stderr=log
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(server, f"{address}/health", folder / "log")
            _fill(f"{address}/api/admin", flags)
            yield f"{address}/api/admin"
        finally:
            server.kill()
            server.wait(30)
            _run(f"DROP DATABASE {DATABASE} WITH (FORCE)", kept["NAME"])


def _wait_for(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(address, timeout=30).ok:
                return
        time.sleep(0.5)
    raise RuntimeError(f"unleash-server does not answer: {log.read_text()[-2000:]}")


def _fill(api: str, flags: int) -> None:
    """The first by its own API, so that all is there that it makes; the others like it, inside the database."""
    project = f"{api}/projects/default/features"
    _post(project, {"name": "flag-0", "type": "release", "description": "What it does, in some words."})
    strategy = {
        "name": "flexibleRollout",
        "parameters": {"rollout": "25", "stickiness": "default", "groupId": "flag-0"},
    }
    _post(f"{project}/flag-0/environments/development/strategies", strategy)
    _post(f"{project}/flag-0/environments/development/on", {})
    with psycopg.connect(_conninfo(DATABASE), autocommit=True) as database:
        for table, own in COPIES.items():
            columns = [row[0] for row in database.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'",
                [table],
            )]  # fmt: skip
            values = [f"o.{name} || '-' || k" if name in own else f"o.{name}" for name in columns]
            database.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "
                f"FROM {table} o, generate_series(1, {flags - 1}) k"
            )
        database.execute("ANALYZE")


def _post(address: str, body: dict[str, Any]) -> None:
    answer = requests.post(address, json=body, timeout=60)
    assert answer.ok, answer.text


def _conninfo(database: str) -> str:
    kept = connection.settings_dict
    return f"host={kept['HOST']} port={kept['PORT']} user={kept['USER']} dbname={database}"


def _run(statement: str, database: str) -> None:
    with psycopg.connect(_conninfo(database), autocommit=True) as there:
        there.execute(statement)
