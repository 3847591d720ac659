"""``/audit/``: who did what, when, from where, and why."""

from __future__ import annotations

import json
from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ...audit.actor import Actor
from ...audit.lookup import Page, Question, find
from ...models import AuditEvent, Rollout
from ...rules.moments import asked_since, asked_until
from ...rules.words import spoken
from ..presenters.history import SOURCES, kinds

#: So many rollouts, the newest, are offered while one types; any other can be written.
MOST_ROLLOUTS = 200
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
        (
            event,
            _pretty(event.shown("before")),
            _pretty(event.shown("after")),
            _pretty(event.confidential) if sees else "",
        )
        for event in page.events
    ]
    context = {
        "asked": asked,
        "rows": rows,
        "next": page.next,
        "wrong": wrong,
        "is_filtered": any(asked.values()),
        "days": {name: asked[name] and not _is_day(asked[name]) for name in ("since", "until")},
        **_choices(asked),
    }
    return render(request, "portal/audit.html", context, status=status)


def _choices(asked: dict[str, str]) -> dict[str, object]:
    """What there is to choose from; what was asked for stands there too, so that the form says it."""
    verbs, sources = AuditEvent.objects.known("verb"), AuditEvent.objects.known("source")
    rooms = {verb.partition(".")[0] for verb in verbs}
    if asked["verb"] and asked["verb"] not in rooms:
        verbs = [*verbs, asked["verb"]]
    if asked["source"] and asked["source"] not in sources:
        sources = [*sources, asked["source"]]
    return {
        "kinds": kinds(dict.fromkeys(verbs)),
        "sources": [(source, SOURCES.get(source, source)) for source in sources],
        "people": AuditEvent.objects.known("actor"),
        "rollouts": list(Rollout.objects.order_by("-pk").values_list("slug", "title")[:MOST_ROLLOUTS]),
    }


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _pretty(values: object) -> str:
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) if values else ""
