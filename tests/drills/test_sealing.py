"""Drills: sealers die between write and seal, several seal at once, the disk is full: no event lost, none sealed twice."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from gitlab_simulator import Simulator
from tests.drills.portal import Ground, end_of
from tests.on_services import Postgres, throw_away

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]
ENGINES = ["sqlite", "postgresql"]


@contextlib.contextmanager
def portal(folder, engine):
    postgres = throw_away(Postgres()) if engine == "postgresql" else contextlib.nullcontext("")
    with postgres as database, Simulator() as gitlab:
        ground = Ground(folder, gitlab, **({"DATABASE_URL": database} if database else {}))
        ground.run("manage.py", "migrate", "-v0")
        yield ground


def written_by(ground, *what):
    """The names that a process of the drill says it has committed."""
    return set(ground.run("-m", "tests.drills.histories", *what).split())


def proved(ground, committed):
    """Seal the rest and verify; every committed change has its event, and each event one seal, in its chain and its tree."""
    ground.run("manage.py", "audit", "checkpoint")
    told = json.loads(ground.run("manage.py", "audit", "verify", "--json"))
    names = set(
        ground.ask("*AuditEvent.objects.filter(verb='model.add').values_list('object_name', flat=True)").split()
    )
    events, seals = (ground.count(f"SELECT count(*) FROM rollouts_{table}") for table in ("auditevent", "seal"))
    last = ground.count("SELECT max(position) FROM rollouts_seal")
    print(f"\n{len(committed)} changes, {events} events, {seals} seals, verify: {told['ok']}")
    assert committed <= names
    assert told["ok"], told
    assert events == seals == last + 1
    return names


@pytest.mark.parametrize("engine", ENGINES)
def test_who_writes_and_seals_is_killed_200_times(tmp_path, engine):
    with portal(tmp_path, engine) as ground:
        committed = written_by(ground, "die", "200")
        assert len(committed) > 200
        assert len(proved(ground, committed) - committed) <= 200  # committed, and killed before it was said


@pytest.mark.parametrize("engine", ENGINES)
def test_eight_writers_and_two_sealers(tmp_path, engine):
    with portal(tmp_path, engine) as ground, ThreadPoolExecutor(8) as pool:
        sealers = [ground.spawn("-m", "tests.drills.histories", "seal", "600") for _ in range(2)]
        parts = pool.map(lambda _: written_by(ground, "write", "100"), range(8))
        committed = set().union(*parts)
        for sealer in sealers:
            end_of(sealer)
        assert proved(ground, committed) == committed


def test_a_disk_that_is_full_again_and_again(tmp_path):
    with portal(tmp_path, "sqlite") as ground:
        committed = written_by(ground, "fill", "200")
        assert proved(ground, committed) == committed
