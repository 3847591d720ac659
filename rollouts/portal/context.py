"""What every page shows: who is signed in, what they may open, how fresh GitLab's answers are."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from ..audit import source
from ..audit.actor import Actor
from ..models import GitLabInstance, clock
from ..rules.machine import Role
from ..services import notices
from ..sync.status import token_warnings
from . import freshness, live


def chrome(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"request_id": source.current().request_id}
    actor, now = Actor.of(user), clock.now()
    instances = list(GitLabInstance.objects.all())
    may_manage = actor.person.has(Role.MANAGER)
    return {
        "request_id": source.current().request_id,
        "live": live.of(request),
        "live_seconds": settings.LIVE_SECONDS,
        "is_asked_live": live.is_asked(request),
        "now_at": now,
        "actor": actor,
        "role_names": sorted(actor.roles),
        "sees_confidential": actor.sees_confidential,
        "may_manage": may_manage,
        "may_open_admin": actor.may_open_admin,
        "bell": notices.unread(user).count(),
        "freshness": freshness.freshness(instances, now),
        "unknown": freshness.unknown(instances, now, may_cure=may_manage),
        "token_warnings": token_warnings() if actor.person.has(Role.ADMIN) else [],
        "writes_flags": settings.GITLAB_WRITES == "flags",
    }
