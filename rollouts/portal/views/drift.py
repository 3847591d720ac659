"""``/drift/``: all drift cases on one page and as a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from ...models import DriftCase, clock, keyset
from ...rules.drift_cases import CASE_STATE_WORDS, CLASS_WORDS
from ...rules.phrases import spoken
from ...rules.spreadsheet import lines
from ...services.lists.drift import OPEN_ONES_FIRST, DriftFilter
from .. import lists, refusals
from ..answers import download
from ..presenters import drift as present

PAGE = 50
COLUMNS = (
    "case", "rollout", "title", "flag", "class", "state", "owner", "since", "found_at", "what", "gitlab", "plan",
    "ended_at", "ending", "url",
)  # fmt: skip


@require_safe
def all_cases(request: HttpRequest) -> HttpResponse:
    asked = DriftFilter(request.GET)
    with keyset.snapshot():
        page = asked.page(OPEN_ONES_FIRST, PAGE)
    context = {
        "page": page,
        "rows": present.shown(page.rows, clock.now()),
        "states": CASE_STATE_WORDS.items(),
        "kinds": CLASS_WORDS.items(),
    }
    return lists.answer(request, "portal/drift.html", context, asked)


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """The same selection as a file, all of its rows; headings and words are English, times are UTC."""
    asked = DriftFilter(request.GET)
    if asked.faults:
        return refusals.in_words(request, " ".join(spoken(fault) for fault in asked.faults.values()), 422)
    rows = asked.rows.order_by(*OPEN_ONES_FIRST.keys).iterator(500)
    return download(f"drift-{clock.now():%Y-%m-%d}.csv", lines(_cells(rows, request)), "text/csv")


def _cells(rows: Iterable[DriftCase], request: HttpRequest) -> Iterator[Sequence[object]]:
    yield COLUMNS
    for one in rows:
        url = f"{one.rollout.get_absolute_url()}#drift-{one.pk}"
        yield (
            one.pk, one.rollout.slug, one.rollout.title, one.rollout.flag.name, one.kind, one.state, one.owner,
            _utc(one.since), _utc(one.found_at), ", ".join(one.what), str(one.read_words), str(one.plan_words),
            _utc(one.ended_at), one.ending, request.build_absolute_uri(url),
        )  # fmt: skip


def _utc(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""
