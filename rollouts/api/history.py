"""History: who did what, when, from where, and why."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from ..audit import verifying
from ..models import AuditEvent
from ..services.lists.history import NEWEST_FIRST, HistoryFilter
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
    """Newest first. What comes from confidential issues is told only to those whose role sees it."""
    tell = partial(AuditEvent.as_json, sees_confidential=actor(request).sees_confidential)
    return pages.page(HistoryFilter(asked.query), NEWEST_FIRST, asked.limit, tell)
