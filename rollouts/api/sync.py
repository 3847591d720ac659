"""Is what the API tells true to GitLab? Per instance and project: when it was read, and what went wrong."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from ..models import GitLabInstance, GitLabProject, SyncRun
from ..services.freshness import is_stale
from ..sync import status
from ..sync.status import InstanceStatus
from . import answers
from .contract import LIST

router = Router(tags=["sync"])


@router.get("/sync", response={200: answers.SyncTold, **LIST}, summary="How fresh it is")
def sync(request: HttpRequest) -> dict[str, Any]:
    """Each GitLab instance and project: when it was read, how that ended and the cure; limits, webhooks, writes."""
    return {"instances": [_told(stands) for stands in status.of_all()]}


def _told(status: InstanceStatus) -> dict[str, Any]:
    instance, standing, hooks, owed = status.instance, status.standing, status.hooks, status.owed
    return {
        "name": instance.name,
        "url": instance.url,
        "flags": _scope(instance, "flags"),
        "projects": [
            {"path": project.path, "issues": _scope(project, "issues"), "flags": _scope(project, "flags")}
            for project in status.projects
        ],
        "last_run": _run_told(status.run) if status.run else None,
        "under_way": {"planned": status.under_way.planned, "done": status.under_way.done} if status.under_way else None,
        "held_until": status.wait.until if status.wait else None,
        "words": instance.why_not_asked or status.trouble,
        "rate": {
            "limit": standing.limit,
            "remaining": standing.remaining,
            "allowance": status.allowance,
            "used": status.calls_in_window,
        },
        "token_expires_on": status.token_ends,
        "webhooks": {"waiting": hooks.waiting, "worked": hooks.worked, "newest": hooks.newest, "oldest": hooks.oldest},
        "writes": {"waiting": owed.waiting, "given_up": owed.given_up, "oldest": owed.oldest},
    }


def _scope(thing: GitLabInstance | GitLabProject, what: str) -> dict[str, Any]:
    return {
        "outcome": getattr(thing, f"{what}_outcome"),
        "words": getattr(thing, f"{what}_words"),
        "read_at": getattr(thing, f"{what}_read_at"),
        "is_stale": is_stale(getattr(thing, f"{what}_read_at")),
    }


def _run_told(run: SyncRun) -> dict[str, Any]:
    return {
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "outcome": run.outcome,
        "trigger": run.trigger,
        "calls": run.calls,
        "seconds": run.seconds,
        "flags": {"seen": run.flags_seen, "changed": run.flags_changed, "missing": run.flags_missing},
        "issues": {"tracked": run.issues_tracked, "changed": run.issues_changed, "missing": run.issues_missing},
        "problems": run.problems,
    }
