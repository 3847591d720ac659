"""Where a deed comes from (page, admin, command, sync) and which request it belongs to."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    name: str
    request_id: str = ""


_source: ContextVar[Source] = ContextVar("source", default=Source("shell"))  # noqa: B039 - frozen


def current() -> Source:
    return _source.get()


@contextmanager
def coming_from(name: str, request_id: str = "") -> Iterator[Source]:
    """Everything done in this block is recorded as coming from here."""
    source = Source(name, request_id or uuid.uuid4().hex)
    token = _source.set(source)
    try:
        yield source
    finally:
        _source.reset(token)
