"""Django breaks the lines of a read-only field by a filter that makes plain English of a phrase: it is said before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin.helpers import AdminReadonlyField
from django.template.defaultfilters import linebreaksbr

from ..rules.phrases import Phrase, spoken


class InWords:
    """A form of the admin, a set or a line of its fields: all as it is, but that read-only fields say phrases."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def __iter__(self) -> Iterator[Any]:
        for part in self._part:
            if isinstance(part, AdminReadonlyField):
                yield SpokenField(part.form, part.field["field"], part.is_first, part.model_admin)
            else:
                yield InWords(part) if hasattr(part, "__iter__") else part


class SpokenField(AdminReadonlyField):
    def contents(self) -> Any:
        name, row = self.field["name"], self.form.instance
        value = getattr(row, f"get_{name}_display", lambda: getattr(row, name, None))()
        return linebreaksbr(spoken(value)) if isinstance(value, Phrase) else super().contents()
