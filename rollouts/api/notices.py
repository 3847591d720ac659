"""What concerns the caller: the bell of the pages, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from ninja import Query, Router

from ..audit.actor import Actor
from ..models import Rollout
from ..services import notices as services
from ..services import wishes
from ..services.lists.asked import Asked
from . import answers, bodies, pages, questions
from .auth import actor
from .contract import FOLLOW_BODY, LIST, TRANSITION, WISHES_BODY, WRITE
from .refusing import refusals_about

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


@router.get("/notifications/settings", response={200: answers.WishesTold, **LIST}, summary="How you are told")
def settings_now(request: HttpRequest) -> dict[str, Any]:
    """By kind and way: at once, in the daily digest, or not; and when you want quiet."""
    return _chosen(actor(request))


@router.patch(
    "/notifications/settings",
    response={200: answers.WishesTold, **WRITE},
    summary="Choose how you are told",
    openapi_extra=WISHES_BODY,
)
def choose(request: HttpRequest) -> dict[str, Any]:
    """What the page *What you are told* does; answers how it is then. Nobody chooses for another."""
    by, asked = actor(request), bodies.as_json(request, questions.WishesAsked)
    with refusals_about(None):
        wishes.choose(by.user, by, **asked.model_dump(exclude_unset=True))
    return _chosen(by)


@router.post(
    "/rollouts/{slug}/follow",
    response={200: answers.FollowTold, **TRANSITION},
    summary="Follow or mute a rollout",
    openapi_extra=FOLLOW_BODY,
)
def follow(request: HttpRequest, slug: questions.Name) -> dict[str, Any]:
    """Told as its owners are, of nothing, or of what concerns you anyway."""
    by, asked = actor(request), bodies.as_json(request, questions.FollowAsked)
    rollout = Rollout.objects.filter(slug=slug).first()
    if rollout is None:
        raise Http404(f"There is no rollout {slug[:100]}.")
    with refusals_about(rollout):
        wishes.follow(rollout, asked.how, by=by)
    return {"rollout": rollout.slug, "how": wishes.followed(by.user, rollout)}


def _chosen(by: Actor) -> dict[str, Any]:
    return {**asdict(wishes.chosen(wishes.of(by.user))), "address": by.user.email}
