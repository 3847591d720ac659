"""Pages of lists: what was not understood above them, and headings that sort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ..rules.phrases import spoken
from ..services.lists.asked import Asked, Sorted
from . import live


def answer(
    request: HttpRequest, template: str, context: Mapping[str, Any], asked: Asked, status: int = 200
) -> HttpResponse:
    """The page; 422 where it was asked for what there is not. An open page that asks again is shown as it is."""
    wrong = [spoken(words) for words in asked.faults.values()]
    if wrong and status == 200 and not live.is_asked(request):
        status = 422
    return render(request, template, {**context, "filter": asked, "not_understood": wrong}, status=status)


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; with a ``url`` it sorts."""

    label: str
    url: str = ""
    sorted: str = ""


def columns(request: HttpRequest, asked: Sorted, labels: Mapping[str, str]) -> list[Column]:
    """Headings by what each sorts by; the other way round if the list is sorted by it now."""
    return [_column(request, key, label, asked["sort"]) for key, label in labels.items()]


def _column(request: HttpRequest, key: str, label: str, now: str) -> Column:
    query = request.GET.copy()
    query.pop("page", None)
    query["sort"] = f"-{key}" if now == key else key
    return Column(label, f"?{query.urlencode()}", {key: "ascending", f"-{key}": "descending"}.get(now, ""))
