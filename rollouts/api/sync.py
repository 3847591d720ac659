"""Is what the API tells true to GitLab? Per instance and project: when it was read, and what went wrong."""

from __future__ import annotations

from typing import Any

from django.db.models import Max
from django.http import HttpRequest
from ninja import Router

from ..models import GitLabInstance, GitLabProject, SyncRun
from ..services.instances import all_instances
from . import schemas
from .contract import LIST

router = Router(tags=["sync"])


@router.get("/sync", response={200: schemas.SyncTold, **LIST}, summary="How fresh it is")
def sync(request: HttpRequest) -> dict[str, Any]:
    """Each GitLab instance, its projects and its last pass of reading, with outcome and cure in words."""
    projects: dict[int, list[GitLabProject]] = {}
    for project in GitLabProject.objects.order_by("path", "pk"):
        projects.setdefault(project.instance_id, []).append(project)
    newest = SyncRun.objects.order_by().values("instance").annotate(newest=Max("pk")).values("newest")
    runs = {run.instance_id: run for run in SyncRun.objects.filter(pk__in=newest)}
    return {
        "instances": [
            _told(instance, projects.get(instance.pk, []), runs.get(instance.pk)) for instance in all_instances()
        ]
    }


def _told(instance: GitLabInstance, projects: list[GitLabProject], run: SyncRun | None) -> dict[str, Any]:
    return {
        "name": instance.name,
        "url": instance.url,
        "flags": _scope(instance, "flags"),
        "projects": [
            {"path": project.path, "issues": _scope(project, "issues"), "flags": _scope(project, "flags")}
            for project in projects
        ],
        "last_run": _run_told(run) if run else None,
    }


def _scope(thing: GitLabInstance | GitLabProject, what: str) -> dict[str, Any]:
    return {
        "outcome": getattr(thing, f"{what}_outcome"),
        "words": getattr(thing, f"{what}_words"),
        "read_at": getattr(thing, f"{what}_read_at"),
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
