"""Text columns that keep a phrase whole, so that it is read again in any language (docs/decisions/0025-phrases.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import models

from ..rules.phrases import Phrase, from_text, joined, packed, unpacked


class _KeepsPhrases(models.Field):
    """The column is the plain text column that it always was, so the migrations know nothing of this."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if isinstance(value, str) and value.startswith('["'):  # somebody's own text, which shall stay what it is
            value = value if isinstance(value, Phrase) else joined([value])
        if isinstance(value, Phrase):
            value = _fitting(packed(value), self.max_length) or "".join(value)
        return value[: self.max_length] if isinstance(value, str) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return from_text(value) if isinstance(value, str) else value

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        kind = "TextField" if isinstance(self, models.TextField) else "CharField"
        return name, f"django.db.models.{kind}", args, kwargs


class PhraseField(_KeepsPhrases, models.CharField):
    """A sentence; of one that is too long for its column the longest part is cut, which is what somebody else said."""


class PhraseTextField(_KeepsPhrases, models.TextField):
    """Sentences of any length."""


class PhraseJSONField(models.JSONField):
    """JSON with phrases anywhere in it."""

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(_kept(value))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return _read(super().from_db_value(value, expression, connection))

    def as_kept(self, value: Any) -> Any:
        """The plain JSON that stands in the database for it."""
        return _kept(value)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs


def _fitting(whole: Any, limit: int | None) -> str:
    """The packed phrase as JSON, its longest parts cut until it fits; empty where it never does."""
    while True:
        written = json.dumps(whole, ensure_ascii=False)
        if limit is None or len(written) <= limit:
            return written
        given, name = max(_parts(whole), key=lambda part: len(part[0][part[1]]), default=({}, ""))
        if len(given.get(name, "")) < 2:
            return ""
        too_much = (len(written) - limit + 1) // 2  # by halves: JSON may write one sign as two
        given[name] = f"{given[name][: max(len(given[name]) - too_much - 1, 0)]}…"


def _parts(whole: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Where plain texts stand in a packed phrase."""
    if isinstance(whole, list):
        for name, value in whole[-1].items():
            if isinstance(value, str):
                yield whole[-1], name
            else:
                yield from _parts(value)


def _kept(value: Any) -> Any:
    match value:
        case Phrase():
            return {"phrase": packed(value)}
        case dict():
            return {key: _kept(one) for key, one in value.items()}
        case list():
            return [_kept(one) for one in value]
    return value


def _read(value: Any) -> Any:
    match value:
        case {"phrase": [*_] as whole, **rest} if not rest:
            return unpacked(whole)
        case dict():
            return {key: _read(one) for key, one in value.items()}
        case list():
            return [_read(one) for one in value]
    return value
