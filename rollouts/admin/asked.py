"""What the address of a list asks for: moments are bounded, and what there is not is refused in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin import (
    ChoicesFieldListFilter,
    ListFilter,
    ModelAdmin,
    SimpleListFilter,
)
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import FieldDoesNotExist
from django.db import DataError, models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from ..rules.datetimes import EARLIEST, LATEST, asked_since
from ..rules.phrases import say, spoken
from ..services import choices

#: Lookups of columns of time that take a number, with their bounds; others than these take a moment.
PARTS = {
    "year": (EARLIEST.year, LATEST.year - 1), "iso_year": (EARLIEST.year, LATEST.year - 1), "quarter": (1, 4),
    "month": (1, 12), "day": (1, 31), "week": (1, 53), "week_day": (1, 7), "iso_week_day": (1, 7),
    "hour": (0, 23), "minute": (0, 59), "second": (0, 59),
}  # fmt: skip
MOMENTS = ("", "exact", "gt", "gte", "lt", "lte", "range", "in", "date")


class WrongQuestion(ValueError):
    """The address of a list asks for what there is not."""


class AskedInWords(ModelAdmin):
    """422 with words where Django would fail, or show all rows as if nothing had been asked."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        for words in _wrong_moments(self.model, request):
            raise WrongQuestion(words)
        try:
            changelist = super().get_changelist_instance(request)
        except (IncorrectLookupParameters, DataError, OverflowError) as wrong:
            words = _("The list can't be filtered so, or has no such page. Take the last filter out of the address.")
            raise WrongQuestion(words) from wrong
        for words in _wrong_choices(changelist.filter_specs):
            raise WrongQuestion(words)
        return changelist

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except WrongQuestion as wrong:
            return self.not_understood(request, str(wrong))

    def not_understood(self, request: HttpRequest, words: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Not understood"),
            "opts": self.opts,
            "words": words,
        }
        return render(request, "admin/not_understood.html", context, status=422)


def _wrong_choices(filters: Iterable[ListFilter]) -> Iterator[str]:
    """What was chosen from a filter that does not offer it; Django would ignore it, or show no row."""
    for each in filters:
        match each:
            case SimpleListFilter(parameter_name=str(name)):
                chosen, offered = [each.value() or ""], [str(value) for value, _words in each.lookup_choices]
            case ChoicesFieldListFilter(lookup_kwarg=name):
                chosen, offered = list(each.lookup_val or ()), [str(value) for value, _words in each.field.flatchoices]
            case _:
                continue
        for value in chosen:
            if value and value not in offered:
                yield spoken(choices.refusal(name, value, offered))


def _wrong_moments(model: type[models.Model], request: HttpRequest) -> Iterator[str]:
    for name, values in request.GET.lists():
        field, _lookup, how = name.partition("__")
        if not _is_of_time(model, field):
            continue
        how = how.removeprefix("date__") if how.startswith("date__") else how
        for value in (part for text in values for part in (text.split(",") if how in ("range", "in") else [text])):
            try:
                _check(how, value)
            except ValueError as wrong:
                yield f"{name}: {spoken(str(wrong))}"


def _check(how: str, value: str) -> None:
    if how in MOMENTS:
        asked_since(value, timezone.get_current_timezone())
    elif how in PARTS:
        least, most = PARTS[how]
        if not (value.isascii() and value.isdecimal() and len(value) < 5 and least <= int(value) <= most):
            message = say("«{written}» is no {part}. Write a number from {least} to {most}.", written=value[:20],
                       part=how.replace("_", " "), least=str(least), most=str(most))  # fmt: skip
            raise ValueError(message)


def _is_of_time(model: type[models.Model], name: str) -> bool:
    try:
        return isinstance(model._meta.get_field(name), models.DateField)
    except FieldDoesNotExist:
        return False
