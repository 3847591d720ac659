"""``/audit/``: who did what, when, from where, and why."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_date, parse_datetime
from django.views.decorators.http import require_safe

from ...audit.actor import Actor
from ...audit.lookup import Page, Question, find
from ...rules.words import say, spoken

FIELDS = ("rollout", "actor", "verb", "source", "since", "until", "q")


class NotATime(ValueError):
    """Somebody wrote a time that there is not."""


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Filters in the address, keyset pages. A time that is none: 422, and which one it is."""
    asked = {name: request.GET.get(name, "").strip()[:200] for name in FIELDS}
    before = request.GET.get("before", "")
    wrong, status, page = "", 200, Page([], None)
    try:
        page = find(
            Question(
                rollout=asked["rollout"],
                actor=asked["actor"],
                verb=asked["verb"],
                source=asked["source"],
                since=_moment(asked["since"]),
                until=_moment(asked["until"], is_end=True),
                text=asked["q"],
                before=int(before) if before.isdecimal() and len(before) < 19 else None,
            )
        )
    except NotATime as error:
        wrong, status = str(error), 422
    sees = Actor.of(request.user).sees_confidential
    rows = [
        (event, _pretty(event.before), _pretty(event.after), _pretty(event.confidential) if sees else "")
        for event in page.events
    ]
    context = {"asked": asked, "rows": rows, "next": page.next, "wrong": wrong, "is_filtered": any(asked.values())}
    return render(request, "portal/audit.html", context, status=status)


def _moment(text: str, *, is_end: bool = False) -> datetime | None:
    """A day, or a time; the end of a period that is a day is the end of that day. Times without zone are UTC."""
    if not text:
        return None
    try:
        day: date | None = parse_date(text)
        moment = datetime.combine(day, time.min, tzinfo=UTC) if day else parse_datetime(text)
    except ValueError:
        day, moment = None, None
    if moment is None:
        raise NotATime(spoken(say("«{text}» is no time. Write 2026-11-01 or 2026-11-01T14:00.", text=text)))
    if day and is_end:
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _pretty(values: object) -> str:
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) if values else ""
