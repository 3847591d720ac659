"""Drill: what lies in the embedded broker's folder stops no worker, whatever it is, and while it is written."""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import pytest

from gitlab_simulator import Simulator
from tests.drills.portal import QUICK, Ground, end_of, seed, wait_until

pytestmark = [pytest.mark.drill, pytest.mark.timeout(600)]
KINDS = ("empty", "cut", "noise", "folder", "exchange")


def litter(folder: Path, dice: random.Random, number: int) -> str:
    """One more thing that no worker can read, before all messages or among them."""
    kind, name = dice.choice(KINDS), f"{dice.choice(['0' * 20, '9' * 20])}_{number}.celery.msg"
    if kind == "folder":
        (folder / "messages" / name).mkdir()
    elif kind == "exchange":
        (folder / "control" / "celery.exchange").write_bytes(b"[[")
    else:
        content = {"empty": b"", "cut": b'{"body": "e30="', "noise": os.urandom(200)}[kind]
        (folder / "messages" / name).write_bytes(content)
    return kind


def test_two_workers_go_on_over_fifty_unreadable_files(tmp_path):
    dice, processes = random.Random(20261128), []
    with Simulator() as gitlab:
        seed(gitlab, 1)
        ground = Ground(tmp_path, gitlab, **QUICK)
        ground.prepare(1)
        passes = "SELECT count(*) FROM rollouts_syncrun WHERE outcome = 'ok' AND trigger = 'beat'"
        try:
            processes = [ground.worker(), ground.worker(), ground.beat()]
            wait_until(lambda: ground.count(passes) >= 1)
            thrown = []
            for number in range(50):
                thrown.append(litter(tmp_path / "broker", dice, number))
                if number % 10 == 9:
                    before = ground.count(passes)
                    wait_until(lambda before=before: ground.count(passes) >= before + 2)
            assert [process.poll() for process in processes] == [None] * 3
        finally:
            for process in processes:
                end_of(process)
        aside = len(os.listdir(tmp_path / "broker" / "aside"))
        with sqlite3.connect(tmp_path / "portal.sqlite3") as database:
            (read,) = database.execute(passes).fetchone()
        print(f"\n{len(thrown)} unreadable files, {aside} set aside, {read} passes well, no worker died")
        assert aside >= sum(kind != "exchange" for kind in thrown)
