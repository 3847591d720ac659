"""What the simulated GitLab remembers: one JSON document, in memory or in a file that survives restarts."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
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


def now() -> str:
    """The time as GitLab writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """The document, its lock, and the file. ``with store.change():`` to change, ``with store.read():`` to look.

    The file is replaced whole, so that a crash leaves the old or the new document. Another process may write it as well
    (the demo does): it is read again when it has changed.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self.lock = threading.RLock()
        self.document: dict[str, Any] = self._empty()
        self._seen: tuple[int, ...] | None = None
        self._depth = 0
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
        """One part of the document; ``within`` a project, by id."""
        table: dict[str, Any] = self.document[name]
        return table if within is None else table.setdefault(str(within), {})

    def next_id(self, counter: str, at_least: int = 1) -> int:
        counters = self.document["counters"]
        counters[counter] = max(counters.get(counter, 0) + 1, at_least)
        return int(counters[counter])

    @contextlib.contextmanager
    def read(self) -> Iterator[None]:
        with self.lock:
            if self._depth == 0:
                self._load_if_changed()
            yield

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """One change, or many at once: the file is written when the outermost ends."""
        with self.read():
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._save()

    def clear(self) -> None:
        """Forget everything."""
        with self.change():
            self.document = self._empty()
            self.seed()

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
