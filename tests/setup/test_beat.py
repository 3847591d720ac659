"""Beat rings though nobody hears it: a worker that comes back finds what counts now, not a thousand old rings."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter

import pytest
from kombu import Connection

import config.celery  # noqa: F401 - names the transports
from config import broker, settings
from gitlab_simulator import Simulator
from tests.drills.portal import Ground, end_of, wait_until
from tests.on_services import Redis, throw_away

WORKER = "-m celery -A config worker -P threads -c 1 -l INFO --without-gossip --without-mingle -f".split()


def test_each_ring_of_beat_expires_and_not_before_the_next_one():
    for ring in settings.CELERY_BEAT_SCHEDULE.values():
        assert ring["schedule"] < ring["options"]["expires"] <= 2 * ring["schedule"]


#: Something that each worker does, and that asks no database.
TASK = "celery.accumulate"


@pytest.mark.redis
@pytest.mark.embedded  # each with brokers of its own, whatever the tests run on
@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_a_worker_does_not_do_what_has_expired(tmp_path, kind):
    """``make drills`` has the same with a beat that rings for long."""
    server = throw_away(Redis()) if kind == "redis" else contextlib.nullcontext("embedded://")
    with server as url, Simulator() as gitlab:
        ground = Ground(tmp_path, gitlab, CELERY_BROKER_URL=url)
        ground.environment.pop("TESTS_ON_SERVICES", None)
        ring = f"ring = app.signature({TASK!r}).apply_async"
        ground.run(
            *("-c", f"from config.celery import app; {ring}; [ring((n,), expires=-1) for n in range(3)]; ring((7,))")
        )
        log = tmp_path / "worker.log"
        worker = ground.spawn(*WORKER, str(log))
        wait_until(lambda: log.exists() and " succeeded in " in log.read_text())
        end_of(worker)
    text = log.read_text()
    assert text.count(" succeeded in ") == text.count(f"Task {TASK}[") - text.count(" received") == 1, text
    assert text.count("Discarding revoked task") == (3 if kind == "redis" else 0), (
        "the embedded one does not even keep them"
    )


@pytest.mark.drill
@pytest.mark.redis
@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_a_worker_that_was_dead_for_long_does_not_work_off_the_past(tmp_path, kind):
    server = throw_away(Redis()) if kind == "redis" else contextlib.nullcontext("embedded://")
    with server as url, Simulator() as gitlab:
        often = {"FLAG_INTERVAL_SECONDS": "1", "METRICS_INTERVAL_SECONDS": "10"}
        ground = Ground(tmp_path, gitlab, CELERY_BROKER_URL=url, GITLAB_WRITES="off", **often)
        ground.environment.pop("TESTS_ON_SERVICES", None)
        ground.run("manage.py", "migrate", "-v0")
        options = broker.options(tmp_path / "broker") if kind == "embedded" else {}
        with Connection(
            "embedded://localhost//" if kind == "embedded" else f"{url}/0", transport_options=options
        ) as to:
            beat = ground.beat()
            waits = lambda: _waiting(to, tmp_path, kind)  # noqa: E731
            wait_until(lambda: len(waits()) >= 8)
            rung = 0
            if kind == "embedded":  # what has expired is not even kept
                first = set(waits())
                wait_until(lambda: not first & set(waits()))
            else:
                wait_until(lambda: len(waits()) >= 24)
                rung = len(waits())
            end_of(beat)
            time.sleep(21)  # longer than any ring counts that beat has sent by now
            log = tmp_path / "worker.log"
            worker = ground.spawn(*WORKER, str(log))
            ground.run("-m", "celery", "-A", "config", "call", "rollouts.tasks.keep")
            wait_until(lambda: log.exists() and "rollouts.tasks.keep" in log.read_text() and not waits())
            wait_until(lambda: "succeeded" in log.read_text())
            end_of(worker)
        lines = log.read_text().splitlines()
        done = Counter(line.split("Task ")[1].split("[")[0] for line in lines if " succeeded in " in line)
        discarded = sum("Discarding revoked task" in line for line in lines)
        print(f"\n{kind}: {rung or 'few'} rings waited, {discarded} thrown away, done: {dict(done)}")
        assert done == {"rollouts.tasks.keep": 1}
        assert discarded >= rung


def _waiting(to: Connection, folder: os.PathLike[str], kind: str) -> list[object]:
    if kind == "embedded":
        return [name for name in os.listdir(folder / "broker" / "messages") if name.endswith(".celery.msg")]
    return list(to.default_channel.client.lrange("celery", 0, -1))
