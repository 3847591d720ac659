"""``/waivers/``: all of them on one page and as a file; decided here and on their rollouts' pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from ...audit.actor import Actor
from ...models import Waiver, clock, keyset
from ...rules.phrases import say, spoken
from ...rules.spreadsheet import lines
from ...rules.waivers import VERB_LABELS, VERBS, WAIVER_WORDS
from ...services import known_people, waivers
from ...services.lists.waivers import NEWEST_FIRST, STANDS, WaiverFilter
from ...services.refusals import Refused
from .. import lists, refusals
from ..answers import SeeOther, download
from ..presenters import waivers as present

PAGE = 50
STATES = [(STANDS, gettext_lazy("Standing now")), *WAIVER_WORDS.items()]
KINDS = [
    ("phase", gettext_lazy("Skipped phases")),
    ("item", gettext_lazy("Checklist items")),
    ("drift", gettext_lazy("Drift")),
]
COLUMNS = (
    "waiver", "rollout", "title", "kind", "phase", "item", "state", "asked_by", "asked_at", "reason", "ends_at",
    "decided_by", "decided_at", "note", "closed_by", "closed_at", "closing", "url",
)  # fmt: skip


@require_safe
def all_waivers(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, refused: Refused | None = None, waiver: Waiver | None = None) -> HttpResponse:
    now, asked = clock.now(), WaiverFilter(request.GET)
    with keyset.snapshot():
        page = asked.page(NEWEST_FIRST, PAGE)
    context = {
        "page": page,
        "rows": present.shown(page.rows, Actor.of(request.user), now),
        "states": STATES,
        "kinds": KINDS,
        "people": known_people.offered(),
        "now": now,
        **refusals.told(refused, waiver.rollout if waiver else None, str(waiver) if waiver else ""),
    }
    return lists.answer(request, "portal/waivers.html", context, asked, refused.status if refused else 200)


@require_POST
def decide(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Grant, refuse, withdraw or end it. Refused: the list says why, and nothing changed."""
    waiver: Waiver = get_object_or_404(Waiver.objects.with_what(), pk=pk)
    if verb not in VERBS:
        raise Http404(f"There is no {verb} of a waiver.")
    try:
        waivers.decide(verb, waiver, by=Actor.of(request.user), note=request.POST.get("reason", ""))
    except Refused as refused:
        return _page(request, refused, waiver)
    messages.success(request, spoken(say("{verb}: {what}.", verb=VERB_LABELS[verb], what=waiver)))
    return SeeOther(f"{waiver.rollout.get_absolute_url()}#waiver-{pk}")


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """The same selection as a file, all of its rows; headings and words are English, times are UTC."""
    asked = WaiverFilter(request.GET)
    if asked.faults:
        return refusals.in_words(request, " ".join(spoken(fault) for fault in asked.faults.values()), 422)
    rows = asked.rows.order_by("-asked_at", "-pk").iterator(500)
    return download(f"waivers-{clock.now():%Y-%m-%d}.csv", lines(_cells(rows, request)), "text/csv")


def _cells(rows: Iterable[Waiver], request: HttpRequest) -> Iterator[Sequence[object]]:
    yield COLUMNS
    for one in rows:
        url = f"{one.rollout.get_absolute_url()}#waiver-{one.pk}"
        yield (
            one.pk, one.rollout.slug, one.rollout.title, "item" if one.item else "drift" if one.drift_case else "phase",
            one.phase.name if one.phase else "", one.item.key if one.item else "", one.state, one.asked_by,
            _utc(one.asked_at), one.reason, _utc(one.ends_at), one.decided_by, _utc(one.decided_at), one.note,
            one.closed_by, _utc(one.closed_at), one.closing, request.build_absolute_uri(url),
        )  # fmt: skip


def _utc(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""
