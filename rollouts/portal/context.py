"""What every page shows: who is signed in, what they may open, how fresh GitLab's answers are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from ..audit.actor import Actor
from ..models import GitLabInstance, clock
from ..rules.machine import Role
from ..sync.status import token_warnings
from . import live


@dataclass(frozen=True, slots=True)
class Freshness:
    """``look`` colours the dot: empty, wait or stop. Either ``words`` say it all, or GitLab was read at a moment."""

    words: str = ""
    look: str = ""
    read_at: datetime | None = None


def chrome(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    actor = Actor.of(user)
    return {
        "live": live.of(request),
        "live_seconds": settings.LIVE_SECONDS,
        "is_asked_live": live.is_asked(request),
        "now_at": clock.now(),
        "actor": actor,
        "sees_confidential": actor.sees_confidential,
        "may_manage": actor.person.has(Role.MANAGER),
        "may_open_admin": bool(actor.roles - {Role.VIEWER}),
        "freshness": _freshness(),
        "token_warnings": token_warnings() if actor.person.has(Role.ADMIN) else [],
        "writes_flags": settings.GITLAB_WRITES == "flags",
    }


def _freshness() -> Freshness:
    instances = [instance for instance in GitLabInstance.objects.all() if instance.url]
    if not instances:
        return Freshness("no GitLab connected", "wait")
    read = [instance.flags_read_at for instance in instances]
    if None in read:
        return Freshness("GitLab not read yet", "wait")
    read_at = min(moment for moment in read if moment)
    is_stale = clock.now() - read_at > timedelta(seconds=settings.FRESHNESS_SECONDS)
    return Freshness(look="stop" if is_stale else "", read_at=read_at)
