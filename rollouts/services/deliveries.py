"""Keep webhook deliveries until they are worked: one row for each, the same one once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, Subquery

from ..models import GitLabInstance, GitLabProject, HookDelivery, clock

#: A ring so long ago has been heard, or is lost.
HEARD_WITHIN = timedelta(seconds=1)


def is_followed(instance: GitLabInstance, project_id: int | None, path: str) -> bool:
    """Whether anything of this project is followed: by its id, or by its path while the id is not known."""
    by_path = Q(path=path, gitlab_id=None) if path else Q(pk=None)
    return GitLabProject.objects.filter(
        Q(gitlab_id=project_id, gitlab_id__isnull=False) | by_path, instance=instance
    ).exists()


def store(
    instance: GitLabInstance,
    *,
    key: str,
    event: str,
    project_path: str,
    happened_at: datetime | None,
    content: Mapping[str, Any],
) -> bool:
    """Keep one delivery, unless it is kept already; whether a worker should be rung for it.

    Not where one that came before it waits still: its worker takes this one along. Only earlier ones count, or two
    that come at once would each leave the ringing to the other.
    """
    now = clock.now()
    HookDelivery.objects.bulk_create(
        [
            HookDelivery(
                instance=instance,
                key=key,
                event=event[:60],
                project_path=project_path,
                content=dict(content),
                happened_at=happened_at,
                received_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    mine = HookDelivery.objects.filter(instance=instance, key=key).values("pk")[:1]
    waiting = HookDelivery.objects.filter(state=HookDelivery.State.WAITING, received_at__gte=now - HEARD_WITHIN)
    return not waiting.filter(pk__lt=Subquery(mine)).exists()
