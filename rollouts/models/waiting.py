"""How long a write may wait for others' writes, and how to tell that it was the database that could not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

T = TypeVar("T")
#: What takes so long was waiting, not work.
NOTICED = 0.05


class Patience:
    """Bounds what all writes of one request together may wait on SQLite, where one at a time writes.

    To be used as ``connection.execute_wrapper(Patience(seconds))``: each statement gets what is left of it.
    """

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self._told: float | None = None

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if self._told != self.left:
            _wait(context["connection"].connection, self.left)
            self._told = self.left
        begun = monotonic()
        try:
            return execute(sql, params, many, context)
        finally:
            waited = monotonic() - begun
            if waited > NOTICED and not sql.startswith("SELECT"):
                self.left = max(0.0, self.left - waited)


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """All writes in this block together wait so long at most, then raise OperationalError. Of SQLite only."""
    if connection.vendor != "sqlite":
        yield
        return
    before = _waits(connection.connection) or float(connection.settings_dict["OPTIONS"].get("timeout", 5))
    with connection.execute_wrapper(Patience(seconds)):
        try:
            yield
        finally:
            _wait(connection.connection, before)


def unless_busy(seconds: float, write: Callable[[], T], otherwise: T) -> T:
    """What ``write`` gives, in a transaction; ``otherwise`` where it would wait for others' writes longer than this.

    For what may as well be left out.
    """
    try:
        if connection.vendor != "sqlite":
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{max(1, int(seconds * 1000))}ms"])
                written = write()
                cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
                return written
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")  # so that it is connected, and the request's own patience is told
        before = _waits(connection.connection)
        _wait(connection.connection, min(seconds, before))
        try:
            with transaction.atomic():
                return write()
        finally:
            _wait(connection.connection, before)
    except OperationalError:
        return otherwise


def is_busy(error: BaseException | None) -> bool:
    """Whether this, or what it came of, is a database that does not answer or takes no writes now."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OperationalError | InterfaceError) and not str(error).startswith("no such"):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _waits(raw: Any) -> float:
    """Seconds that statements on this connection wait; 0 where there is none."""
    return raw.execute("PRAGMA busy_timeout").fetchone()[0] / 1000 if raw is not None else 0.0


def _wait(raw: Any, seconds: float) -> None:
    if raw is not None:
        raw.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
