"""History: who did what, when, from where, and why."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from ..audit import verifying
from ..models import AuditEvent
from ..services.lists.history import HistoryFilter
from . import answers, pages, questions
from .auth import actor
from .contract import LIST

router = Router(tags=["history"])


@router.get("/audit/verify", response={200: answers.VerifyTold, **LIST}, summary="What verifying the history found")
def verify(request: HttpRequest) -> dict[str, Any]:
    """The newest verification: each day by itself, and whenever somebody runs `audit verify`."""
    return verifying.newest()


@router.get("/audit", response={200: answers.Events, **LIST}, summary="History", exclude_unset=True)
def events(request: HttpRequest, asked: Query[questions.EventsAsked]) -> dict[str, Any]:
    """Newest first; what is asked for must all be so. `next` of a page is the `cursor` of older events, `previous` that
    of newer ones. What comes from confidential issues is found, counted and told only for those whose role sees it.
    """
    sees = actor(request).sees_confidential
    tell = partial(AuditEvent.as_json, sees_confidential=sees)
    history_filter = HistoryFilter(asked.query, sees=sees)
    found = history_filter.find(asked.limit, "cursor")
    pages.refuse(history_filter)
    return found.as_json([tell(event) for event in found.page.rows])
