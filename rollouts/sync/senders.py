"""Whose turn it is to send by one way: one worker at a time, so that a server that hangs holds up one thread alone.

The turn is renewed while its worker lives; a dead one's passes on within seconds. Where nothing goes out at all, nobody
tries again before a pause that grows.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections
from django.db.models import Q

from ..models import Sender, clock
from ..models.notices import Owed
from ..rules.phrases import say

log = logging.getLogger(__name__)
#: What is not taken within a day is given up.
PATIENCE = timedelta(days=1)
PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)
#: A worker that is at one thing for so long hangs: its turn is renewed no more.
HANGS = timedelta(minutes=10)
State = Owed.State


class Away(Exception):
    """Nothing goes out by this way now; says why."""


class Lost(Exception):
    """The turn has passed on: who comes next sends what is left."""


@dataclass(slots=True)
class Sent:
    """What one go did, by how it ended."""

    sent: int = 0
    later: int = 0
    given_up: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Turn:
    way: str
    holder: str
    lost: Event = field(default_factory=Event)

    def renew(self) -> None:
        """Hold it for as long again. Raises ``Lost`` where it has passed on."""
        mine = Sender.objects.filter(way=self.way, held_by=self.holder)
        if self.lost.is_set() or not mine.update(held_until=clock.now() + length()):
            raise Lost


def length() -> timedelta:
    return timedelta(seconds=settings.OUTBOX_CLAIM_SECONDS)


@contextmanager
def turn(way: str) -> Iterator[Turn | None]:
    """The turn to send by this way, or None where another has it, or nobody tries for a while.

    ``Away`` in the block ends it: the next is later. It goes out again with the next block that ends well.
    """
    now, holder = clock.now(), uuid.uuid4().hex
    Sender.objects.get_or_create(pk=way)
    free = Q(held_until=None) | Q(held_until__lte=now)
    open_again = Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)
    mine = Sender.objects.filter(way=way, held_by=holder)
    if not Sender.objects.filter(free, open_again, pk=way).update(held_by=holder, held_until=now + length()):
        yield None
        return
    taken, over = Turn(way, holder), Event()
    thread = Thread(target=_renew, args=(taken, over), daemon=True, name=f"turn to send by {way}")
    thread.start()
    released: dict[str, Any] = {"held_by": "", "held_until": None}
    try:
        yield taken
    except Lost:
        log.warning("the turn to send by %s has passed on", way)
    except Away as away:
        mine.update(**released, **_failure(Sender.objects.get(pk=way), away))
    except BaseException:
        mine.update(**released)
        raise
    else:
        mine.update(**released, failures=0, failing_since=None, next_attempt_at=None, words="")
    finally:
        over.set()
        thread.join()


def _failure(row: Sender, away: Away) -> dict[str, Any]:
    now = clock.now()
    log.warning("nothing goes out by %s: %s", row.way, away)
    return {
        "failures": row.failures + 1,
        "failing_since": row.failing_since or now,
        "next_attempt_at": now + pause(row.failures + 1),
        "words": away.args[0],
    }


def _renew(taken: Turn, over: Event) -> None:
    every = length() / 3
    try:
        for _ in range(HANGS // every):
            if over.wait(every.total_seconds()):
                return
            try:
                taken.renew()
            except DatabaseError as error:
                log.warning("the turn to send by %s could not be renewed (%s)", taken.way, type(error).__name__)
    except Lost:
        taken.lost.set()
    finally:
        connections.close_all()


def pause(attempts: int) -> timedelta:
    return min(PAUSE * 2 ** min(attempts - 1, 10), LONGEST_PAUSE)


def failing() -> list[Sender]:
    """Ways by which nothing goes out at all."""
    return list(Sender.objects.exclude(failing_since=None).order_by("way"))


def end(rows: list[Any], state: str, words: str = "") -> None:
    """All of them ended so; rows that somebody else has ended meanwhile stay as they are."""
    if not rows:
        return
    kind = type(rows[0])
    waiting = kind.objects.filter(pk__in=[row.pk for row in rows], state=State.WAITING)
    waiting.update(state=state, words=words, ended_at=clock.now())
    if state == State.GIVEN_UP:
        for row in rows:
            log.error("given up: %s (%s)", row, words)


def postpone(rows: list[Any], words: str, sent: Sent) -> None:
    """Later, after a pause that grows; given up after a day."""
    now = clock.now()
    for row in rows:
        if now - row.since > PATIENCE:
            end([row], State.GIVEN_UP, say("{words} It was tried for a day.", words=words))
            sent.given_up += 1
        else:
            waiting = type(row).objects.filter(pk=row.pk, state=State.WAITING)
            waiting.update(words=words, attempts=row.attempts + 1, next_attempt_at=now + pause(row.attempts + 1))
            sent.later += 1


def waiting(kind: Any, now: datetime) -> Any:
    return kind.objects.filter(state=State.WAITING, next_attempt_at__lte=now)
