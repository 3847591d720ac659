"""Text columns that keep a phrase whole, so that it is read again in any language (docs/decisions/0025-phrases.md)."""

from __future__ import annotations

import json
from typing import Any

from django.db import models

from ..rules.words import Phrase, packed, unpacked


class _KeepsPhrases(models.Field):
    """The column is the plain text column that it always was, so the migrations know nothing of this."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if isinstance(value, Phrase):
            whole = json.dumps(packed(value), ensure_ascii=False)
            value = whole if self.max_length is None or len(whole) <= self.max_length else "".join(value)
        return value[: self.max_length] if isinstance(value, str) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if not (isinstance(value, str) and value.startswith('["')):
            return value
        try:
            return unpacked(json.loads(value))
        except (ValueError, TypeError, KeyError, AttributeError):  # somebody's own text that begins so
            return value

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        kind = "TextField" if isinstance(self, models.TextField) else "CharField"
        return name, f"django.db.models.{kind}", args, kwargs


class PhraseField(_KeepsPhrases, models.CharField):
    """A sentence; one that is too long for its column is cut, and English for everybody."""


class PhraseTextField(_KeepsPhrases, models.TextField):
    """Sentences of any length."""


class PhraseJSONField(models.JSONField):
    """JSON with phrases anywhere in it."""

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(_kept(value))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return _read(super().from_db_value(value, expression, connection))

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs


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
