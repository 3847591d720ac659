"""``/audit/``: who did what, when, from where, and why."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ...audit.actor import Actor
from ...audit.lookup import Page, Question, find
from ...rules.moments import asked_since, asked_until
from ...rules.words import spoken

FIELDS = ("rollout", "actor", "verb", "source", "since", "until", "q")


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Filters in the address, keyset pages; days are of the reader's zone. A time that is none: 422, and which."""
    asked = {name: request.GET.get(name, "").strip()[:200] for name in FIELDS}
    before = request.GET.get("before", "")
    zone = timezone.get_current_timezone()
    wrong, status, page = "", 200, Page([], None)
    try:
        page = find(
            Question(
                rollout=asked["rollout"],
                actor=asked["actor"],
                verb=asked["verb"],
                source=asked["source"],
                since=asked_since(asked["since"], zone) if asked["since"] else None,
                until=asked_until(asked["until"], zone) if asked["until"] else None,
                text=asked["q"],
                before=int(before) if before.isdecimal() and len(before) < 19 else None,
            )
        )
    except ValueError as error:
        wrong, status = spoken(str(error)), 422
    sees = Actor.of(request.user).sees_confidential
    rows = [
        (event, _pretty(event.before), _pretty(event.after), _pretty(event.confidential) if sees else "")
        for event in page.events
    ]
    context = {"asked": asked, "rows": rows, "next": page.next, "wrong": wrong, "is_filtered": any(asked.values())}
    return render(request, "portal/audit.html", context, status=status)


def _pretty(values: object) -> str:
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) if values else ""
