"""What concerns the caller: the bell of the pages, for programs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Query, Router

from ..services import notices as services
from ..services.lists.asked import Asked
from . import answers, pages, questions
from .auth import actor
from .contract import LIST

router = Router(tags=["people"])


@router.get("/notifications", response={200: answers.Notices, **LIST}, summary="What concerns you")
def notifications(request: HttpRequest, asked: Query[questions.PageAsked]) -> dict[str, Any]:
    """Newest first. What has become moot is left out. `url` leads to the page, at the very button."""
    rows = services.of(actor(request).user)
    page = pages.read(Asked(asked.query, rows), services.NEWEST_FIRST, asked.limit)
    return pages.holding([_told(one) for one in services.placed(page.rows)], page)


def _told(one: services.Placed) -> dict[str, Any]:
    event = one.notice.event
    return {
        "event": event.pk,
        "at": one.notice.at,
        "kind": one.notice.kind,
        "verb": event.verb,
        "by": event.actor,
        "rollout": event.rollout.slug if event.rollout else None,
        "phase": one.phase or None,
        "to_do": str(one.to_do),
        "until": one.until,
        "read_at": one.notice.read_at,
        "url": f"{settings.PORTAL_URL}{one.url}",
    }
