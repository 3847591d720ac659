"""Worlds that were walked once, kept and given again: the database's rows and the simulated GitLab's document.

Hundreds of tests begin with a rollout «in its second phase, active». The first that asks walks there through every
door; who asks after it gets the rows that this walk left, as if it had been walked just now: each moment in them is
moved on by the whole seconds that have passed since, and GitLab's address is today's. A walk is given again only where
it would begin at the same: the same rows in every table, the same document, the same settings, a clock that goes.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from time_machine import escape_hatch

from gitlab_simulator import Simulator
from rollouts.audit import triggers
from rollouts.models import AuditEvent, clock
from rollouts.models.event_words import EventWords
from rollouts.rules import digest

#: What migrations made, and no test changes.
FIXED = {"django_content_type", "auth_permission"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
WORDS = EventWords._meta.db_table
LONGEST_WALK = timedelta(minutes=1)

Row = tuple[Any, ...]
#: Each table's rows by their keys, in the order of the keys.
Rows = dict[str, dict[Any, Row]]


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[str, ...]
    key: int  # its place among the columns

    def rows(self, cursor: Any) -> dict[Any, Row]:
        cursor.execute(f"SELECT {self.quoted} FROM {self.name} ORDER BY {self.columns[self.key]}")
        return {row[self.key]: row for row in cursor.fetchall()}

    def insert(self, cursor: Any, rows: list[Row]) -> None:
        numbered = connection.vendor == "postgresql" and self.name in triggers.TABLES
        keys = [row[self.key] for row in rows]
        if numbered:  # the history takes no number that was given already
            cursor.execute(f"SELECT setval('{self.name}_id_seq', {min(keys)}, false)")
        places = ", ".join([f"({', '.join(['%s'] * len(self.columns))})"] * len(rows))
        cursor.execute(f"INSERT INTO {self.name} ({self.quoted}) VALUES {places}", [one for row in rows for one in row])
        if numbered:
            cursor.execute(f"SELECT setval('{self.name}_id_seq', {max(keys)})")

    def update(self, cursor: Any, row: Row) -> None:
        places = ", ".join(f'"{name}" = %s' for name in self.columns)
        cursor.execute(f"UPDATE {self.name} SET {places} WHERE {self.columns[self.key]} = %s", [*row, row[self.key]])

    def delete(self, cursor: Any, keys: list[Any]) -> None:
        places = ", ".join(["%s"] * len(keys))
        cursor.execute(f"DELETE FROM {self.name} WHERE {self.columns[self.key]} IN ({places})", keys)

    @property
    def quoted(self) -> str:
        return ", ".join(f'"{name}"' for name in self.columns)


def tables() -> list[Table]:
    """All that a test can change, in a fixed order."""
    if not _TABLES:
        for model in apps.get_models(include_auto_created=True):
            meta = model._meta
            if meta.managed and not meta.proxy and meta.db_table not in FIXED:
                columns = tuple(field.column for field in meta.concrete_fields)
                _TABLES.append(Table(meta.db_table, columns, columns.index(meta.pk.column)))
    return _TABLES


_TABLES: list[Table] = []


def rows() -> Rows:
    """The whole database, as the driver gives it."""
    with connection.cursor() as cursor:
        return {table.name: table.rows(cursor) for table in tables()}


class Blank:
    """The database as migrations left it; transactional tests find it and leave it so."""

    rows: Rows = {}

    @classmethod
    def note(cls) -> None:
        cls.rows = rows()

    @classmethod
    def restore(cls) -> None:
        """Take away what a test has left, and the history with it, whose triggers step aside meanwhile."""
        left = rows()
        if left == cls.rows:
            return
        with transaction.atomic():
            walls = [name for name in triggers.TABLES if left[name]]
            if walls:
                triggers.drop(connection, *walls)
            with connection.cursor() as cursor:
                if connection.vendor == "postgresql":  # tables are emptied in any order
                    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
                for table in tables():
                    if left[table.name] != cls.rows[table.name]:
                        cursor.execute(f"DELETE FROM {table.name}")
                        if cls.rows[table.name]:
                            table.insert(cursor, list(cls.rows[table.name].values()))
            if walls:
                triggers.create(connection, *walls)


@dataclass(frozen=True)
class Kept:
    """What a walk left: where, and when it was."""

    before: Rows
    after: Rows
    document: dict[str, Any]
    url: str
    at: datetime
    requests: list[Any]  # what GitLab was asked
    gave: Any
    is_ground: bool  # people and a GitLab: nothing that has happened to a rollout
    grounds: int = 0  # so many steps stand under it

    def restore(self, gitlab: Simulator) -> None:
        """Write what the walk would have written: a ground a while ago, as what comes on it may have taken long."""
        since = timezone.now() - self.at
        if self.is_ground:
            since -= max(LONGEST_WALK - self.grounds * LONGEST_WALK / 10, timedelta(0))
        moved = Moved(timedelta(seconds=int(since.total_seconds())), self.url, gitlab.url)
        added: Rows = {}
        for name, there in self.after.items():
            if there != self.before[name]:
                changed = {key: row for key, row in there.items() if self.before[name].get(key) != row}
                added[name] = {key: tuple(moved(value) for value in row) for key, row in changed.items()}
        added.pop(WORDS, None)
        _sign_anew(added)
        with transaction.atomic(), connection.cursor() as cursor:
            for table in tables():
                before = self.before[table.name]
                if gone := [key for key in before if key not in self.after[table.name]]:
                    table.delete(cursor, gone)
                written = added.get(table.name, {})
                if new := [row for key, row in written.items() if key not in before]:
                    table.insert(cursor, new)
                for key, row in written.items():
                    if key in before:
                        table.update(cursor, row)
        history = AuditEvent.objects.filter(pk__in=added.get(AuditEvent._meta.db_table, {}))
        EventWords.objects.keep(history.select_related("rollout"))  # they are of the moments too
        gitlab.state.document = moved(self.document)
        gitlab.server.log.extend(self.requests)


class Moved:
    """A value with each moment in it so much later, and GitLab where it is now."""

    def __init__(self, span: timedelta, url: str, now_at: str) -> None:
        self._span, self._url, self._now_at = span, url, now_at
        self._known: dict[str, str] = {}

    def __call__(self, value: Any) -> Any:
        match value:
            case datetime():
                return value + self._span
            case str() if len(value) >= len("2026-11-28T00:00:00"):
                return MOMENT.sub(self._written, value).replace(self._url, self._now_at)
            case dict():
                return {key: self(one) for key, one in value.items()}
            case list():
                return [self(one) for one in value]
        return value

    def _written(self, found: re.Match[str]) -> str:
        text = found[0]
        if text not in self._known:
            self._known[text] = (datetime.fromisoformat(text) + self._span).isoformat(text[10])
        return self._known[text]


def _sign_anew(added: Rows) -> None:
    """What a request asks for is signed with its moments, and approvals name the signature."""
    names = {table.name: table.columns for table in tables()}
    asked = names["rollouts_approvalrequest"]
    signed = {
        row[asked.index("digest")]: digest.of(json.loads(row[asked.index("content")]))
        for row in added.get("rollouts_approvalrequest", {}).values()
    }
    if not signed:
        return
    old = re.compile("|".join(map(re.escape, signed)))
    for there in added.values():
        for key, row in there.items():
            if any(isinstance(value, str) and old.search(value) for value in row):
                there[key] = tuple(
                    old.sub(lambda found: signed[found[0]], value) if isinstance(value, str) else value for value in row
                )


class Memory:
    """How a world came to stand as it stands, and whether it still does."""

    #: A test that has patched the portal walks for itself, and nobody stands where it went.
    is_open: ClassVar[Callable[[Memory], bool]] = lambda self: True
    _kept: ClassVar[dict[Hashable, Kept]] = {}

    def __init__(self, gitlab: Simulator) -> None:
        self._gitlab = gitlab
        self._at: Kept | None = None
        self._is_lost = False
        self._is_walking = False
        self._rows: Rows = Blank.rows
        self._document = copy.deepcopy(gitlab.state.document)

    def of(self, step: Hashable, walk: Callable[[], Any]) -> Any:
        """Stand where ``walk`` leads, by the rows it left where it was done from here before. What it gave."""
        has_left = self._at is not None and not self._at.is_ground
        if self._is_lost or (self._is_walking and has_left):  # but the beginning of a walk is remembered too
            return walk()
        there = rows()
        if not self._is_as_left(there):
            self._is_lost = True
            return walk()
        key = (id(self._at), step, connection.in_atomic_block, self._settings())
        kept = self._kept.get(key)
        if kept is not None and not has_left:
            kept.restore(self._gitlab)
            gave = kept.gave
        else:  # who has walked walks on: given again, the second step would lie before the first was done
            asked, is_part, self._is_walking = len(self._gitlab.requests), self._is_walking, True
            try:
                gave = walk()
            finally:
                self._is_walking = is_part
            if kept is None:
                document = copy.deepcopy(self._gitlab.state.document)
                requests, now = self._gitlab.requests[asked:], timezone.now()
                is_ground = step == "build" or (isinstance(step, tuple) and step[0] == "join")
                grounds = self._at.grounds + 1 if self._at else 0
                kept = self._kept[key] = Kept(
                    there, rows(), document, self._gitlab.url, now, requests, gave, is_ground, grounds
                )
        self._at, self._rows = kept, rows()
        self._document = copy.deepcopy(self._gitlab.state.document)
        return gave

    def _is_as_left(self, there: Rows) -> bool:
        return (
            self.is_open()
            and not escape_hatch.is_travelling()
            and abs(clock.now() - timezone.now()) < timedelta(seconds=1)  # no moment is told
            and there == self._rows
            and self._gitlab.state.document == self._document
            and not self._gitlab.server.faults.words()
            and self._gitlab.server.rate.limit is None
        )

    def _settings(self) -> str:
        told = [f"{name}={getattr(settings, name)!r}" for name in dir(settings) if name.isupper()]
        return "\n".join(told).replace(self._gitlab.url, "")
