"""What a list is asked for, at whatever door. What there is not is a fault, told with the choices, and fits no row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from functools import cached_property
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.core.paginator import EmptyPage, PageNotAnInteger, Paginator
from django.core.paginator import Page as NumberedPage
from django.db.models import F, Q, QuerySet

from ...audit.actor import Actor
from ...models.keyset import Keyset, Page, WrongCursor
from ...rules.phrases import say, shorten
from .. import choices

#: So much of a text is looked for.
LONGEST = 200


class _Read(forms.CharField):
    """A text as ``reader`` takes it; what it raises ``ValueError`` for is a fault in those words."""

    def __init__(self, reader: Callable[[str], Any], longest: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reader, self.longest = reader, longest

    def clean(self, value: Any) -> Any:
        text = super().clean(value)[: self.longest].rstrip()
        try:
            return self.reader(text) if text else ""
        except ValueError as wrong:
            raise ValidationError(str(wrong)) from None


class Filter(django_filters.Filter):
    """``help_text`` says what it looks at."""

    #: Whether it leaves rows out, and what it can't read leaves none.
    narrows = True
    #: What is beyond it is not looked at; None where ``read`` says that it is too long.
    longest: int | None = LONGEST
    name: str
    parent: Asked

    @property
    def field(self) -> forms.Field:
        return _Read(self.read, self.longest, required=False)

    def read(self, text: str) -> Any:
        """Raises ``ValueError`` with words."""
        return text


class Text(Filter):
    """What may or may not be there: a name, a part of a text."""


class Known(Text):
    """A name that there is: ``known`` finds it, ``missing`` says that it does not."""

    def __init__(self, known: Callable[[str], Any], missing: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.known, self.missing = known, missing

    def read(self, text: str) -> Any:
        found = self.known(text) if text.isprintable() else None
        if not found:
            raise ValueError(say(self.missing, written=shorten(text)))
        return found


class OneOf(Filter):
    """One of ``known``, which is fixed or follows from the data."""

    def __init__(self, known: Iterable[str] | Callable[[Any], Iterable[str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.known = known

    @property
    def fixed(self) -> list[str]:
        return [] if callable(self.known) else list(map(str, self.known))

    def read(self, text: str) -> str:
        known = list(self.known(self.parent) if callable(self.known) else self.known)
        if text not in known:
            raise ValueError(choices.refusal(self.name, text, known))
        return text


class Shown(OneOf):
    """How the list is shown; ``usual`` where nobody asks, or for what there is not."""

    narrows = False

    def __init__(self, known: Iterable[str] | Callable[[Any], Iterable[str]], usual: str = "", **kwargs: Any) -> None:
        super().__init__(known, **kwargs)
        self.usual = usual

    def filter(self, rows: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return rows


class Moment(Filter):
    """A time, or a day of the zone of whoever asks: ``reader`` of ``rules.datetimes``."""

    def __init__(self, reader: Callable[[str, tzinfo], datetime], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reader = reader

    def read(self, text: str) -> datetime:
        return self.reader(text, self.parent.zone)


class Day(Shown):
    """A day that says from when on the list is shown."""

    def __init__(self, reader: Callable[[str], date], **kwargs: Any) -> None:
        super().__init__((), **kwargs)
        self.reader = reader

    def read(self, text: str) -> Any:
        return self.reader(text)


class Asked(django_filters.FilterSet):
    """One question: ``Asked(request.GET, rows)``. A name that is a word of Python ends in an underscore here only.

    ``faults`` are told by name; several at once.
    """

    def __init__(self, query: Mapping[str, Any], rows: Any, *, by: Actor | None = None, zone: tzinfo = UTC) -> None:
        super().__init__(query, rows)
        self.by, self.zone = by, zone
        for name, each in self.filters.items():
            each.name = name
        self.cursor_faults: dict[str, str] = {}

    @classmethod
    def get_filters(cls) -> dict[str, Filter]:
        return {name.removesuffix("_"): each for name, each in super().get_filters().items()}

    @property
    def faults(self) -> dict[str, str]:
        found = {name: errors[0].message for name, errors in self.errors.as_data().items()}
        return {**found, **self.cursor_faults}

    @cached_property
    def asked(self) -> dict[str, str]:
        """What is written, for the form that says it again."""
        return {name: self.data.get(name, "").strip()[:LONGEST] for name in self.filters}

    @property
    def narrows(self) -> bool:
        """Whether anything that is asked leaves rows out."""
        return any(self.asked[name] and each.narrows for name, each in self.filters.items())

    def __getitem__(self, name: str) -> Any:
        self.errors  # noqa: B018 - reads the form
        return self.form.cleaned_data.get(name) or getattr(self.filters[name], "usual", "")

    @property
    def rows(self) -> Any:
        """What fits; nothing where a filter was not understood."""
        return self.queryset.none() if any(self.filters[name].narrows for name in self.errors) else self.qs

    def page(self, keyset: Keyset, limit: int, rows: QuerySet[Any] | None = None, *, cursor: str = "after") -> Page:
        """A page of what fits, or of these rows."""
        fitting = self.rows if rows is None else rows
        page: Page = self.paged(lambda at: keyset.page(fitting, at, limit), cursor)
        return page

    def paged(self, page: Callable[[str], Any], cursor: str = "after") -> Any:
        """What ``page`` makes of the cursor; the first page where the list has not given it."""
        try:
            return page(self.data.get(cursor, ""))
        except WrongCursor as wrong:
            self.cursor_faults[cursor] = str(wrong)
            return page("")

    def numbered(self, size: int, rows: Any = None) -> NumberedPage:
        """The page of that number; the first where there is none."""
        pages, written = Paginator(self.rows if rows is None else rows, size), self.data.get("page", "")
        try:
            return pages.page(written or 1)
        except (EmptyPage, PageNotAnInteger):
            message = say("There is no page {written}: there are {n}.", written=shorten(written), n=pages.num_pages)
            self.cursor_faults["page"] = message
            return pages.page(1)


class Sorted(Asked):
    """Sorted by what the address says: ``sort=name`` up, ``sort=-name`` down, and the ``usual`` way otherwise."""

    #: Columns by what they are called in addresses; what follows where they are equal.
    SORTS: Mapping[str, str]
    THEN: Sequence[str]

    @classmethod
    def sorts(cls) -> list[str]:
        return [way for key in cls.SORTS for way in (key, f"-{key}")]

    def in_order(self) -> QuerySet[Any]:
        """What fits, in order; what is not known comes last."""
        way = self["sort"]
        key = self.SORTS[way.removeprefix("-")]
        by = F(key).desc(nulls_last=True) if way.startswith("-") else F(key).asc(nulls_last=True)
        return self.with_key(self.rows, key).order_by(by, *self.THEN)

    def with_key(self, rows: QuerySet[Any], key: str) -> QuerySet[Any]:
        """Annotated with the column, where the model has none of it."""
        return rows


def in_any(fields: Iterable[str], text: str) -> Q:
    """Text in one of these columns."""
    hit = Q()
    for field in fields:
        hit |= Q(**{f"{field}__icontains": text})
    return hit
