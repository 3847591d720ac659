"""``/rollouts/<slug>/then/``: a rollout as it was, and what has changed since."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ...audit.actor import Actor
from ...models import AuditEvent, Rollout, clock
from ...rules import health
from ...rules.datetimes import asked_since
from ...rules.machine import Role
from ...rules.next_action import next_action
from ...rules.phrases import say, spoken
from ...services import as_of, difference, plans, portfolio_as_of
from ...services.as_of import NotThere, PastItsAge
from .. import refusals
from ..answers import download
from ..presenters import rollout_page

#: So many fields that changed are told, and so many events.
FIELDS, EVENTS = 200, 100


@require_safe
def then(request: HttpRequest, slug: str) -> HttpResponseBase:
    """``at`` is a day or a time of the reader's zone, ``event`` counts the rollout's events from 1, ``since`` asks for
    what has changed up to then. A moment that nobody can tell of: 422, with the page of now.
    """
    viewer, now = Actor.of(request.user), clock.now()
    rollout = Rollout.objects.filter(slug=slug).first()
    if rollout is None:
        raise Http404(f"There is no rollout {slug[:100]}.")
    wrong, changed = "", None
    try:
        moment, since = _moment(request, slug, now), _written(request, "since")
        changed = since and difference.between(slug, since, moment, sees_confidential=viewer.sees_confidential)
        past = changed.until if changed else as_of.of(slug, moment)
    except PastItsAge as gone:
        return refusals.in_words(request, spoken(gone.args[0]), 404)
    except ValueError as error:
        wrong, past = spoken(error.args[0]), as_of.of(slug, now)
    if request.GET.get("format") == "yaml" and not wrong:
        return download(f"{slug}-{past.moment:%Y%m%dT%H%M%SZ}.yaml", plans.export(past.rollout), "application/yaml")
    reader = replace(viewer, roles=frozenset({Role.AUDITOR}) if viewer.sees_confidential else frozenset())
    with clock.told_at(past.moment):
        page = rollout_page.as_it_was(past, reader)
        context = {
            "page": page,
            "rollout": past.rollout,
            "then": past,
            "is_now": past.moment == now,
            "events_now": AuditEvent.objects.of_rollout(slug).count(),
            "changed": changed,
            "fields": list(islice(changed.changes, FIELDS)) if changed else (),
            "events": list(changed.events[:EVENTS]) if changed else (),
            "overdue": page.facts.is_overdue,
            "now": past.moment,
            "now_at": past.moment,
            "may_manage": False,
            "may_review": (),
            "unknown": (),
            "not_understood": [wrong] if wrong else (),
        }
        return render(request, "portal/rollout.html", context, status=422 if wrong else 200)


@require_safe
def portfolio_then(request: HttpRequest) -> HttpResponseBase:
    """All rollouts as they were; ``at`` as above, ``after`` from the page before."""
    wrong, now, after = "", clock.now(), request.GET.get("after", "")
    number = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0
    try:
        page = portfolio_as_of.page(_written(request, "at") or now, after=number)
    except ValueError as error:
        wrong, page = spoken(error.args[0]), portfolio_as_of.page(now)
    with clock.told_at(page.moment):
        rows = [(past, health.judge(past.facts), next_action(past.facts)) for past in page.rollouts]
        context = {
            "then": page,
            "rows": rows,
            "is_now": page.moment == now,
            "now_at": page.moment,
            "unknown": (),
            "not_understood": [wrong] if wrong else (),
        }
        return render(request, "portal/portfolio_then.html", context, status=422 if wrong else 200)


def _moment(request: HttpRequest, slug: str, now: datetime) -> datetime:
    """Raises ``ValueError`` that says what can be asked for."""
    if written := request.GET.get("event", "").strip():
        number = int(written) if written.isascii() and written.isdigit() and len(written) < 10 else 0
        moment, count = as_of.nth(slug, number)
        if moment is None:
            raise NotThere(say("The history has events 1 to {count}: «{written}» is none of them.",
                               count=count, written=written[:20]))  # fmt: skip
        return moment
    return _written(request, "at") or now


def _written(request: HttpRequest, name: str) -> Any:
    written = request.GET.get(name, "").strip()
    return asked_since(written, timezone.get_current_timezone()) if written else None
