"""Claims: whose a write is. Short, and renewed while its worker lives, so that a dead one's passes on in seconds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

from django.conf import settings
from django.db import Error, connections, transaction

from ..models import GitLabWrite, clock

log = logging.getLogger(__name__)
#: A worker that is at one write for so long hangs: its claim is renewed no more.
HANGS = timedelta(minutes=10)


class Stopped(Exception):
    """Somebody cancelled the write while it was being done, or its claim has passed on."""


def length() -> timedelta:
    """After which a claim that nobody renews passes on."""
    return timedelta(seconds=settings.OUTBOX_CLAIM_SECONDS)


@contextmanager
def renewed(write: GitLabWrite) -> Iterator[None]:
    """In this block the claim lasts, however long GitLab takes; a thread dies with its process, and renews no more."""
    over = Event()
    thread = Thread(target=_renew, args=(write, over), daemon=True, name=f"claim of write {write.pk}")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew(write: GitLabWrite, over: Event) -> None:
    every = length() / 3
    try:
        for _ in range(HANGS // every):
            if over.wait(every.total_seconds()):
                return
            try:
                with transaction.atomic():
                    _extend(_held(write), length())
            except Error as error:  # a busy database is asked again; one that is away gives nobody the claim
                log.warning("the claim of write %s could not be renewed (%s)", write.pk, type(error).__name__)
    except Stopped:
        pass
    finally:
        connections.close_all()


def about_to_send(write: GitLabWrite, longest_call: timedelta) -> None:
    """Remember before a call that it may have been sent. Raises ``Stopped`` where it must not be sent any more.

    Who dies now may have sent what still arrives. What makes something, or lets more people in, must have arrived or
    never will, before another looks whether it is there; a way back is the sooner done the better, and harms nobody
    who finds it done twice.
    """
    with transaction.atomic():
        row = _held(write)
        if row.state not in GitLabWrite.UNFINISHED:
            raise Stopped
        row.touched = write.touched = True
        _extend(row, length() if write.is_narrowing else length() + longest_call)


def _held(write: GitLabWrite) -> GitLabWrite:
    """The row, locked, if it is still this worker's; a cancelled one is until the last call has come back."""
    row: GitLabWrite = GitLabWrite.objects.locked().get(pk=write.pk)
    if row.claimed_by != write.claimed_by or row.claimed_until is None:
        raise Stopped
    return row


def _extend(row: GitLabWrite, by: timedelta) -> None:
    assert row.claimed_until is not None
    row.claimed_until = max(row.claimed_until, clock.now() + by)
    row.save()
