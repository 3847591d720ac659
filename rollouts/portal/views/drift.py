"""``/drift/``: all drift cases on one page and as a file; answered here and on their rollouts' pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from ...audit.actor import Actor
from ...models import DriftCase, clock, keyset
from ...rules.drift_cases import CASE_STATE_WORDS, CLASS_WORDS, Answer
from ...rules.phrases import spoken
from ...rules.spreadsheet import lines
from ...services import drift_answers, outbox, waivers
from ...services.lists.drift import OPEN_ONES_FIRST, DriftFilter
from ...services.refusals import Refused
from .. import lists, refusals
from ..answers import SeeOther, download
from ..presenters import drift as present

PAGE = 50
COLUMNS = (
    "case", "rollout", "title", "flag", "class", "state", "owner", "since", "found_at", "what", "gitlab", "plan",
    "ended_at", "ending", "url",
)  # fmt: skip


@require_safe
def all_cases(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, refused: Refused | None = None, case: DriftCase | None = None) -> HttpResponse:
    asked = DriftFilter(request.GET)
    with keyset.snapshot():
        page = asked.page(OPEN_ONES_FIRST, PAGE)
    context = {
        "page": page,
        "rows": present.shown(page.rows, clock.now(), Actor.of(request.user)),
        "states": CASE_STATE_WORDS.items(),
        "kinds": CLASS_WORDS.items(),
        **refusals.told(refused, case.rollout if case else None, str(case) if case else ""),
    }
    return lists.answer(request, "portal/drift.html", context, asked, refused.status if refused else 200)


@require_POST
def give_answer(request: HttpRequest, pk: int, answer: str) -> HttpResponse:
    """Restore, adopt or accept. Refused: the list says why, and nothing changed."""
    case: DriftCase = get_object_or_404(DriftCase.objects.with_rollout(), pk=pk)
    if answer not in set(Answer):
        raise Http404(f"There is no {answer} of a drift case.")
    try:
        ends_at = waivers.until(request.POST.get("ends", ""), timezone.get_current_timezone())
        by, reason = Actor.of(request.user), request.POST.get("reason", "")
        waiver = drift_answers.give(Answer(answer), case, by=by, reason=reason, ends_at=ends_at)
    except Refused as refused:
        return _page(request, refused, case)
    if waiver is not None:
        messages.success(request, gettext("It is asked for: somebody else decides about it."))
        return SeeOther(f"{case.rollout.get_absolute_url()}#waiver-{waiver.pk}")
    is_by_hand = not outbox.writes_flags()
    messages.success(
        request,
        gettext("Set it in GitLab by the commands below.") if is_by_hand else gettext("The flag is being set back."),
    )
    return SeeOther(f"{case.rollout.get_absolute_url()}#{'set' if is_by_hand else 'writes'}")


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
