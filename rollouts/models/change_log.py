"""What differs by a recorded change: models write their changes here while they are saved, the audit room reads it out.

A model that is audited refuses to be saved, deleted or bulk-changed outside a recorded change, so that no door can
change anything without an audit event in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.db import models
from django.utils.html import conditional_escape

from ..rules.origins import concealed
from ..rules.percentages import plain_number


class Unaudited(RuntimeError):
    """Something would have changed without an audit event."""


class ChangedMeanwhile(RuntimeError):
    """A row is no longer as it was read: somebody else has written the same columns since."""


@dataclass(slots=True)
class Change:
    """One object as it was before and after a recorded change: plain values of the fields that changed."""

    label: str
    pk: Any
    title: str
    before: dict[str, Any]
    after: dict[str, Any]
    confidential: dict[str, dict[str, Any]] = field(default_factory=dict)


def _both(first: dict[str, dict[str, Any]], then: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """One change after the other: before the first, after the last."""
    if not first or not then:
        return first or then
    return {"before": {**then["before"], **first["before"]}, "after": {**first["after"], **then["after"]}}


@dataclass(slots=True)
class ChangeLog:
    """All changes of one recorded change, in order; one object changed twice is one entry. ``by`` is whose change it
    is.
    """

    by: Any = None
    _by_object: dict[tuple[str, Any], Change] = field(default_factory=dict)

    @property
    def changes(self) -> list[Change]:
        return list(self._by_object.values())

    def note(self, change: Change) -> None:
        known = self._by_object.setdefault((change.label, change.pk), change)
        if known is not change:
            known.before = {**change.before, **known.before}
            known.after = {**known.after, **change.after}
            known.confidential = _both(known.confidential, change.confidential)

    def take(self, label: str, pk: Any) -> Change | None:
        """The change of one object, which the change log then no longer holds."""
        return self._by_object.pop((label, pk), None)


_open: ContextVar[ChangeLog | None] = ContextVar("change_log", default=None)


def current() -> ChangeLog | None:
    """The change log of the change that is being recorded, if any."""
    return _open.get()


@contextmanager
def opened(by: Any, *, inside: ChangeLog | None = None) -> Iterator[ChangeLog]:
    """A change log for the recorded change in this block. They do not nest: one recorded change, one event.

    But for what is found ``inside`` one, which is an event of its own.
    """
    if _open.get() is not inside:
        raise Unaudited("a change is being recorded already: one recorded change writes one event")
    change_log = ChangeLog(by)
    token = _open.set(change_log)
    try:
        yield change_log
    finally:
        _open.reset(token)


def plain(value: Any) -> Any:
    """A field's value as JSON can hold it."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return plain_number(value)
    return value


class AuditedQuerySet(models.QuerySet[Any]):
    """Refuses what would pass by ``save``; bulk writes are allowed inside a recorded change and noted row by row."""

    def locked(self) -> Self:
        """These rows in the order of their keys, locked until the transaction ends (SQLite: it is the lock).

        What only refers to them (a foreign key) does not wait.
        """
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)

    def update(self, **values: Any) -> int:
        raise Unaudited(
            f"{self.model.__name__}: update() writes no history. Save each object inside a recorded change."
        )

    def delete(self) -> tuple[int, dict[str, int]]:
        raise Unaudited(
            f"{self.model.__name__}: delete() writes no history. Delete each object inside a recorded change."
        )

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        if kwargs.get("update_conflicts") or kwargs.get("ignore_conflicts"):
            raise Unaudited("conflicts would hide what really changed")
        created = super().bulk_create(objs, *args, **kwargs)
        for obj in created:
            obj.note_change({})
        return created

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        """Update rows that are loaded and locked, in one statement for each batch.

        As an upsert by primary key: Django's own ``bulk_update`` makes a CASE of every row for every field, which
        takes ten times as long.
        """
        objs, fields = list(objs), list(fields)
        for obj in objs:
            obj.refuse_shortcuts(fields)
            obj.note_change(obj.loaded)
        key = [self.model._meta.pk.attname]
        rows: models.QuerySet[Any] = models.QuerySet(self.model, using=self.db)
        rows.bulk_create(objs, batch_size, update_conflicts=True, update_fields=fields, unique_fields=key)
        return len(objs)


class AuditedModel(models.Model):
    """A model whose every change is noted in the change log of the recorded change that makes it."""

    #: Bookkeeping that is no history: when something was last read, counters.
    unaudited_fields: ClassVar[frozenset[str]] = frozenset()
    #: What only people with a role may see in the history (text of GitLab issues, which may be confidential).
    confidential_fields: ClassVar[frozenset[str]] = frozenset()
    #: What opens something for whoever has it: the history tells that it changed, and not to what.
    secret_fields: ClassVar[frozenset[str]] = frozenset()

    objects = AuditedQuerySet.as_manager()

    class Meta:
        abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored: dict[str, Any] = {}

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **more: Any) -> Self:
        instance = super().from_db(db, field_names, values, **more)
        instance._remember()
        return instance

    def _remember(self) -> None:
        """Keep the values as they are stored; made plain only when something is compared, which most pages never do."""
        self._stored = dict(self.__dict__)

    @property
    def loaded(self) -> dict[str, Any]:
        """Plain values of the audited fields as they were read from or last written to the database."""
        return self._plain_values(self._stored)

    def as_it_is(self) -> dict[str, Any]:
        """Plain values of all audited fields that are loaded."""
        return self._plain_values(self.__dict__)

    def _plain_values(self, values: dict[str, Any]) -> dict[str, Any]:
        return {
            each.attname: plain(values[each.attname])
            for each in self._meta.concrete_fields
            if each.attname in values and each.name not in self.unaudited_fields
        }

    @classmethod
    def as_shown(cls, values: dict[str, Any]) -> dict[str, Any]:
        """These plain values as anybody may see them."""
        if not cls.secret_fields & values.keys():
            return values
        return {name: concealed(value) if name in cls.secret_fields else value for name, value in values.items()}

    def refuse_shortcuts(self, fields: Iterable[str] | None = None) -> None:
        """A place for models whose state may only change through a transition."""

    def note_change(self, before: dict[str, Any]) -> None:
        """Write what differs from ``before`` into the open change log. Raises ``Unaudited`` if none is open."""
        now = self.as_it_is()
        changed = self._changed_since(before)
        self._remember()
        if not changed:
            return
        self._note({n: before[n] for n in changed if n in before}, {n: now[n] for n in changed})

    def _changed_since(self, before: dict[str, Any]) -> set[str]:
        now = self.as_it_is()
        return {name for name, value in now.items() if name not in before or before[name] != value}

    def _change_log(self, names: Iterable[str]) -> ChangeLog:
        change_log = current()
        if change_log is None:
            raise Unaudited(f"{self._meta.label} changed outside a recorded change: {', '.join(sorted(names))}")
        return change_log

    def _note(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        change_log = self._change_log({*before, *after})
        secret = self.confidential_fields

        def split(values: dict[str, Any], hidden: bool) -> dict[str, Any]:
            return {name: value for name, value in values.items() if (name in secret) is hidden}

        before, after = self.as_shown(before), self.as_shown(after)
        confidential = {"before": split(before, True), "after": split(after, True)}
        change_log.note(
            Change(
                label=self._meta.label,
                pk=self.pk,
                title=self.public_name(),
                before=split(before, False),
                after=split(after, False),
                confidential=confidential if any(confidential.values()) else {},
            )
        )

    def __html__(self) -> str:
        """Where Django's admin writes the object itself into a page: in the reader's language, as templates do."""
        return conditional_escape(str(self))

    def public_name(self) -> str:
        """What the history calls this object: nothing confidential."""
        return str(self)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write what differs from what was read, and nothing where nothing does.

        Raises ``ChangedMeanwhile`` where the row no longer holds what was read of these columns.
        """
        self.refuse_shortcuts(kwargs.get("update_fields"))
        before = {} if self._state.adding else self.loaded
        if not self._state.adding:
            if not before:
                raise Unaudited(f"{self._meta.label} {self.pk} was not loaded from the database")
            wanted = kwargs.get("update_fields")
            kwargs["update_fields"] = [
                field.name
                for field in self._meta.concrete_fields
                if (wanted is None or field.name in wanted) and self._is_written(field.attname)
            ]
            if not kwargs["update_fields"]:
                return
        if changed := self._changed_since(before):
            self._change_log(changed)
        super().save(*args, **kwargs)
        self.note_change(before)

    @property
    def differs(self) -> bool:
        """Whether it was read from the database and changed since, without being saved."""
        return not self._state.adding and any(self._is_written(field.attname) for field in self._meta.concrete_fields)

    def _is_written(self, name: str) -> bool:
        there, stored = self.__dict__.get(name, models.NOT_PROVIDED), self._stored.get(name, models.NOT_PROVIDED)
        return there is not models.NOT_PROVIDED and bool(there != stored)

    def _do_update(self, base_qs: Any, using: Any, pk_val: Any, values: Any, *more: Any) -> Any:
        """Django's own, but only where each column still holds what was read; of bookkeeping the last word counts."""
        as_read: dict[str, Any] = {}
        for written, _, _ in values:
            stored = self._stored.get(written.attname, models.NOT_PROVIDED)
            if written.name in self.unaudited_fields:
                continue
            if stored is None:
                as_read[f"{written.attname}__isnull"] = True
            elif stored is not models.NOT_PROVIDED:
                as_read[written.attname] = stored
        if super()._do_update(base_qs.filter(**as_read), using, pk_val, values, *more):
            return True
        if base_qs.filter(pk=pk_val).exists():
            raise ChangedMeanwhile(f"{self._meta.label} {pk_val}: {', '.join(sorted(as_read))}")
        return False

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        before = self.as_it_is()
        self._note(before, {})
        return super().delete(*args, **kwargs)

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        super().refresh_from_db(using, fields, from_queryset)
        if fields is None:
            self._remember()
        else:
            read = {field.attname for field in self._meta.concrete_fields if {field.name, field.attname} & set(fields)}
            self._stored |= {name: self.__dict__[name] for name in read}
