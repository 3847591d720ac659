"""``/rollouts/<slug>/report/`` and ``/reports/``: answers for auditors, on paper too."""

from __future__ import annotations

from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ...models import Rollout, clock
from ...rules.datetimes import asked_since, asked_until
from ...rules.phrases import spoken
from ...services import period_report, reports
from ..charts import waits

#: Where no time is asked for.
USUAL = timedelta(days=90)


@require_safe
def report(request: HttpRequest, slug: str) -> HttpResponse:
    now = clock.now()
    try:
        found = reports.of_rollout(slug, now)
    except Rollout.DoesNotExist:
        raise Http404(f"There is no rollout {slug[:100]}.") from None
    return render(request, "portal/report.html", {"report": found, "rollout": found.rollout, "now": now})


@require_safe
def period(request: HttpRequest) -> HttpResponse:
    """``from`` and ``to`` are days or times of the reader's zone; 422 for one that is none."""
    now, zone, wrong = clock.now(), timezone.get_current_timezone(), ""
    written = {name: request.GET.get(name, "").strip() for name in ("from", "to")}
    try:
        since = asked_since(written["from"], zone) if written["from"] else now - USUAL
        until = asked_until(written["to"], zone) if written["to"] else now
        found = period_report.of_period(since, until)
    except ValueError as error:
        wrong, found = spoken(error.args[0]), period_report.of_period(now - USUAL, now)
    bars = {"waits": waits.of_waits(found.waits), "months": waits.of_months(found.months)}
    context = {**bars, "report": found, "written": written, "now": now, "not_understood": [wrong] if wrong else ()}
    return render(request, "portal/reports.html", context, status=422 if wrong else 200)
