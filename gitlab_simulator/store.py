"""What the simulated GitLab remembers: one JSON document, in memory or in a file that survives restarts."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

VERSION = 1


class Refused(Exception):
    """The simulated GitLab says no: ``status`` and the JSON body of its answer."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body

    @classmethod
    def message(cls, status: int, message: Any) -> Refused:
        """As GitLab's own code answers: ``{"message": …}``."""
        return cls(status, {"message": message})

    @classmethod
    def error(cls, error: str) -> Refused:
        """As GitLab's parameter checks (Grape) answer: 400 ``{"error": …}``."""
        return cls(400, {"error": error})


def as_written(at: datetime) -> str:
    """A moment as GitLab's REST API writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    return as_written(datetime.now(UTC))


class Store:
    """The document, its lock, and the file. ``with store.change():`` to change, ``with store.read():`` to look.

    Rows are replaced by ``put`` and never altered in place, so that a change that fails is taken back whole: in memory
    by what each ``put`` and ``drop`` found, in the file by not being written. The file is replaced whole, so that a
    crash leaves the old or the new document. Another process may write it as well (the demo does): it is read again
    when it has changed.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self.lock = threading.RLock()
        self.document: dict[str, Any] = self._empty()
        self._seen: tuple[int, ...] | None = None
        self._depth = 0
        self._undo: list[Callable[[], object]] = []
        self._afterwards: list[Callable[[], object]] = []
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.read():
                pass

    def _empty(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "counters": {},
            "users": {},
            "groups": {},
            "projects": {},
            "tokens": {},
            "issues": {},
            "features": {},
            "definitions": {},
            "project_flags": {},
            "user_lists": {},
            "hooks": {},
        }

    def table(self, name: str, within: int | str | None = None) -> dict[str, Any]:
        """One part of the document, to read; ``within`` a project, by id."""
        table: dict[str, Any] = self.document[name]
        return table if within is None else table.get(str(within), {})

    def put(self, name: str, key: int | str, row: Any, within: int | str | None = None) -> Any:
        """Add a row or put another in its place. The row."""
        if within is not None and str(within) not in self.document[name]:
            self.put(name, within, {})
        table, key = self.table(name, within), str(key)
        if key in table:
            self._undo.append(functools.partial(table.__setitem__, key, table[key]))
        else:
            self._undo.append(functools.partial(table.pop, key))
        table[key] = row
        return row

    def drop(self, name: str, key: int | str, within: int | str | None = None) -> None:
        """Take a row away, if it is there."""
        table = self.table(name, within)
        self._undo.append(functools.partial(_refill, table, dict(table)))  # the order of rows comes back too
        table.pop(str(key), None)

    def next_id(self, counter: str, at_least: int = 1) -> int:
        return int(self.put("counters", counter, max(self.table("counters").get(counter, 0) + 1, at_least)))

    def afterwards(self, call: Callable[[], object]) -> None:
        """Call this when the running change has held; never where it is taken back."""
        self._afterwards.append(call)

    @contextlib.contextmanager
    def read(self) -> Iterator[None]:
        with self.lock:
            if self._depth == 0:
                self._load_if_changed()
            yield

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """One change, or many at once: all of it or, where it raises, nothing. Written when the outermost ends."""
        with self.read():
            self._depth += 1
            undo, afterwards = len(self._undo), len(self._afterwards)
            try:
                yield
                if self._depth == 1:
                    self._save()
            except BaseException:
                while len(self._undo) > undo:
                    self._undo.pop()()
                del self._afterwards[afterwards:]
                raise
            finally:
                self._depth -= 1
            if self._depth == 0:
                calls, self._undo, self._afterwards = self._afterwards, [], []
                for call in calls:
                    call()

    def seed(self) -> None:
        """What an empty GitLab has; see State."""

    def _load_if_changed(self) -> None:
        if self.path is None:
            return
        try:
            seen = self._signature()
        except FileNotFoundError:
            return
        if seen == self._seen:
            return
        try:
            document = json.loads(self.path.read_text("utf-8"))
            if document["version"] != VERSION:
                raise ValueError(f"its version is {document['version']}")
        except (ValueError, KeyError, TypeError) as problem:
            raise ValueError(f"{self.path} is not a simulator's state ({problem}). Delete it to start anew.") from None
        self.document = {**self._empty(), **document}
        self._seen = seen

    def _save(self) -> None:
        if self.path is None:
            return
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self.document, file, separators=(",", ":"))
            os.replace(temporary, self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        self._seen = self._signature()

    def _signature(self) -> tuple[int, ...]:
        assert self.path is not None
        stat = self.path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _refill(table: dict[str, Any], rows: dict[str, Any]) -> None:
    table.clear()
    table.update(rows)
