"""``python -m tests.drills.histories WHAT N``: write history or seal it, in a process of its own, for a drill."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable

import django


def _change(name: str, then: Callable[[], None] = lambda: None) -> None:
    """One change with its event, in its transaction; ``then`` goes on before it is committed."""
    from django.db import transaction

    from rollouts.audit.actor import Actor
    from rollouts.audit.recording import recorded
    from rollouts.models import AIModel

    with transaction.atomic():
        with recorded("model.add", by=Actor.system_user()) as recording:
            recording.about = AIModel.objects.create(slug=name, name=name)
        then()


class _Undone(Exception):
    pass


def write(count: int) -> None:
    """So many events, some in slow transactions and some that are rolled back; prints what is committed, line by line."""
    from django.db import connection

    dice = random.Random(os.getpid())

    def then() -> None:
        if connection.vendor == "postgresql" and dice.random() < 0.3:
            time.sleep(dice.uniform(0, 0.2))
        if dice.random() < 0.1:
            raise _Undone

    for number in range(count):
        name = f"m{os.getpid()}-{number}"
        with contextlib.suppress(_Undone):
            _change(name, then)
            print(name, flush=True)


def seal(seconds: int) -> None:
    """Seal what comes, again and again, as a worker does."""
    from rollouts.audit import sealing

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sealing.work(now=True)
        time.sleep(0.02)


def die(kills: int) -> None:
    """So many children that write and seal until they are killed at some moment; prints what they committed."""
    dice = random.Random(20261129)
    for number in range(kills):
        child = os.fork()
        if child == 0:
            _until_killed(number)
        time.sleep(dice.uniform(0.05, 0.45))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _until_killed(number: int) -> None:
    from rollouts.audit import sealing

    for at in range(1_000_000):
        _change(f"m{number}-{at}")
        os.write(1, f"m{number}-{at}\n".encode())
        sealing.work(now=at % 3 == 0)


def fill(count: int) -> None:
    """Write and seal while the database has less and less room, until it has none; then with room again."""
    from django.db import OperationalError, connection

    from rollouts.audit import sealing

    dice = random.Random(20261129)
    refused = 0
    for number in range(count):
        with connection.cursor() as cursor:
            pages = cursor.execute("PRAGMA page_count").fetchone()[0]
            cursor.execute(f"PRAGMA max_page_count = {pages + dice.randrange(3)}")
        for work in (lambda at=number: _change(f"m{at}"), lambda: sealing.work(now=True)):
            try:
                work()
            except OperationalError as error:
                assert "full" in str(error), error
                refused += 1
            else:
                print(f"m{number}" if work.__defaults__ else "", flush=True)
        if dice.random() < 0.5:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA max_page_count = 1073741823")
            sealing.work(now=True)
    print(f"refused {refused}", file=sys.stderr)
    assert refused > count / 10


if __name__ == "__main__":
    django.setup()
    parts = {"write": write, "seal": seal, "die": die, "fill": fill}
    parts[sys.argv[1]](int(sys.argv[2]))
