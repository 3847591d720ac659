"""Columns and filters of lists that are kept as codes, said in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.utils.functional import Promise

from ..rules.phrases import spoken

#: By code: a phrase, or a text that is translated when it is shown.
Phrases = Mapping[str, str | Promise]


def column(name: str, words: Phrases | Callable[[str], str], title: Any) -> Any:
    """A column for ``list_display`` that says the field's code in words; a code without any as it is."""

    @admin.display(description=title, ordering=name)
    def phrase(page: Any, row: Any) -> str:
        return _phrase(words, getattr(row, name))

    return phrase


def choice(name: str, words: Phrases) -> tuple[str, type[admin.AllValuesFieldListFilter]]:
    """A filter for ``list_filter`` that offers the codes that there are, in words."""

    class InWords(admin.AllValuesFieldListFilter):
        def choices(self, changelist: Any) -> Iterator[Any]:
            for one in super().choices(changelist):
                yield {**one, "display": _phrase(words, str(one["display"]))}

    return name, InWords


def _phrase(words: Phrases | Callable[[str], str], code: str) -> str:
    return spoken(words(code)) if callable(words) else spoken(str(words.get(code, code)))
