"""History: who did what, when, from where, and why."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from ..audit import lookup
from ..models.keyset import WrongCursor
from . import answers, pages, questions
from .auth import actor
from .contract import LIST

router = Router(tags=["history"])


@router.get("/audit", response={200: answers.Events, **LIST}, summary="History", exclude_unset=True)
def events(request: HttpRequest, asked: Query[questions.EventsAsked]) -> dict[str, Any]:
    """Newest first. What comes from confidential issues is told only to those whose role sees it."""
    question = lookup.Question(
        rollout=asked.rollout,
        actor=asked.actor,
        verb=asked.verb,
        source=asked.source or "",
        since=asked.since,
        until=asked.until,
        text=asked.q,
        before=asked.cursor,
    )
    try:
        page = lookup.find(question, limit=asked.limit)
    except WrongCursor:
        raise pages.wrong() from None
    sees = actor(request).sees_confidential
    return {
        "items": [event.as_json(sees_confidential=sees) for event in page.events],
        "next": page.next or None,
    }
