"""The portal's clock: now, unless a demo is told as if it had happened earlier, or what was is shown as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.utils import timezone

_told_at: ContextVar[datetime | None] = ContextVar("told_at", default=None)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _told_at.get() or timezone.now()


@contextmanager
def told_at(moment: datetime) -> Iterator[None]:
    """Everything in this block is told as if it happened at ``moment``: by the demo, and where what was is shown."""
    token = _told_at.set(moment)
    try:
        yield
    finally:
        _told_at.reset(token)
