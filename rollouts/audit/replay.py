"""History read back: what events tell of objects, and rows of models as they were at a moment. Nothing is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.db import models

from ..models import AlsoTouched, AuditEvent
from ..models.history import merged
from ..rules.as_of import Key, Told, as_it_was, is_cut, then, told_by

Row = TypeVar("Row", bound=models.Model)
#: So many events are read at a time.
CHUNK = 2_000
_COLUMNS = ("pk", "at", "object_type", "object_id", "object_name", "before", "after", "confidential", "said")


class Replay:
    """Events that were read, by the objects that they tell of. ``until`` is the latest moment that is asked for."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        self._told: defaultdict[Key, list[Told]] = defaultdict(list)
        self._kinds: defaultdict[str, set[str]] = defaultdict(set)
        self._events: dict[int, datetime] = {}
        self._names: dict[Key, str] = {}

    @property
    def events(self) -> dict[int, datetime]:
        """Number and time of those that were read."""
        return self._events

    def read(self, events: models.QuerySet[AuditEvent]) -> None:
        """Take these in; one query, and each event is taken once."""
        rows = events.order_by().filter(at__lte=self.until).values_list(*_COLUMNS)
        for row in rows.iterator(CHUNK):
            pk, at, kind, key, name, *_ = row
            if pk in self._events:
                continue
            self._events[pk], self._names[kind, key] = at, name
            for about, told in _told(row):
                self._told[about].append(told)
                self._kinds[about[0]].add(about[1])

    def read_about(self, kind: type[models.Model], keys: Iterable[Any]) -> None:
        """Take in what tells of these objects, by key; of one whose making no event tells, all that came after too."""
        name, wanted = kind.__name__, [str(key) for key in keys if key is not None]
        if not wanted:
            return
        self.read(AlsoTouched.events_about(name, wanted))
        for key in wanted:
            if not any(told.is_made for told in self._told[name, key]):
                self._late(name, key)

    def _late(self, kind: str, key: str) -> None:
        """The first that comes after tells what was before it."""
        rows = AlsoTouched.events_about(kind, [key]).filter(at__gt=self.until).order_by("pk")
        for pk, at, *about, _name, before, after, confidential, _said in rows.values_list(*_COLUMNS)[:200]:
            for found, told in told_by(pk, at, (about[0], about[1]), before, after, confidential):
                if found == (kind, key):
                    self._told[found].append(told)
        self._kinds[kind].add(key)

    def values(self, kind: str, key: Any, moment: datetime) -> dict[str, Any] | None:
        """An object's fields; None where it was not there."""
        return as_it_was(self.told(kind, key), moment)

    def told(self, kind: str, key: Any) -> list[Told]:
        """What events tell of an object, in their order."""
        return sorted(self._told.get((kind, str(key)), ()), key=lambda one: one.event)

    def is_made(self, kind: str, key: Any) -> bool:
        """Whether an event tells how it was made."""
        return any(one.is_made for one in self._told.get((kind, str(key)), ()))

    def name(self, kind: str, key: str) -> str:
        """What events call it, as far as they are about it."""
        return self._names.get((kind, key), "")

    def keys(self, kind: str) -> list[str]:
        return sorted(self._kinds.get(kind, ()), key=lambda key: (len(key), key))

    def all(self, kind: type[Row], moment: datetime) -> Iterator[Row]:
        """Every object of a kind that was there, in the order of their keys."""
        for key in self.keys(kind.__name__):
            if (row := self.one(kind, key, moment)) is not None:
                yield row

    def one(self, kind: type[Row], key: Any, moment: datetime) -> Row | None:
        values = self.values(kind.__name__, key, moment) if key is not None else None
        return None if values is None else row_of(kind, {**values, "id": int(key)})


def folded(events: models.QuerySet[AuditEvent], kind: str, keys: Iterable[str]) -> dict[str, dict[str, Any] | None]:
    """Fields of these objects of a kind, by key, after all of these events; None of what is gone.

    Takes no more room than the objects do, however many events tell of them.
    """
    known: dict[str, dict[str, Any] | None] = dict.fromkeys(keys)
    for row in events.order_by("pk").values_list(*_COLUMNS).iterator(CHUNK):
        for (about, key), told in _told(row):
            if about == kind and key in known:
                known[key] = then(known[key], told)
    return known


def _told(row: tuple[Any, ...]) -> Iterator[tuple[Key, Told]]:
    pk, at, kind, key, _name, before, after, confidential, said = row
    return told_by(pk, at, (kind, key), before, merged(after, (said or {}).get("after")), confidential)


def row_of(kind: type[Row], values: dict[str, Any]) -> Row:
    """A row as if it were read: of fields that events do not tell, what a new one has."""
    columns = kind._meta.concrete_fields
    row: Row = kind.from_db("default", [each.attname for each in columns], [_value(each, values) for each in columns])
    return row


def _value(column: Any, values: dict[str, Any]) -> Any:
    """A plain value (``models.change_log.plain``) as the column holds it; what is cut is as good as not there."""
    value = values.get(column.attname, models.NOT_PROVIDED)
    if value is models.NOT_PROVIDED or (is_cut(value) and not isinstance(column, models.CharField | models.TextField)):
        return column.get_default()
    if value is None:
        return None
    if isinstance(column, models.DateTimeField):
        return datetime.fromisoformat(value)
    if isinstance(column, models.DurationField):
        return timedelta(seconds=value)
    if isinstance(column, models.DecimalField):
        return Decimal(str(value))
    return column.to_python(value) if isinstance(column, models.DateField | models.TimeField) else value
