"""Is what the portal shows true to GitLab? Per instance and project: when it was read, and what went wrong."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from ... import tasks
from ...audit.actor import Actor
from ...models import GitLabWrite, SyncRun
from ...rules.machine import Role
from ...services.instances import all_instances
from ...sync import passes, status


@require_safe
def sync(request: HttpRequest) -> HttpResponse:
    rows = status.of_all()
    runs = SyncRun.objects.select_related("instance")[:20]
    owed = GitLabWrite.objects.filter(state__in=("waiting", "begun", "given_up")).select_related("rollout")[:50]
    context = {"rows": rows, "runs": runs, "owed": owed, "writes": settings.GITLAB_WRITES}
    return render(request, "portal/sync.html", context)


@require_POST
def sync_now(request: HttpRequest) -> HttpResponse:
    """Ring for a pass of each instance; the pages show its result when it is through."""
    if not Actor.of(request.user).person.has(Role.MANAGER):
        return render(request, "403.html", {"words": "Reading GitLab at once takes the role manager."}, status=403)
    try:
        for instance in all_instances():
            if instance.url:
                passes.begin(instance, trigger="page")
                tasks.ring_readers(instance)
        messages.success(request, "GitLab is being read. Look again in a few seconds.")
    except (OperationalError, OSError):
        messages.error(request, "The broker does not answer, so nothing could be asked of the workers.")
    response = HttpResponseRedirect(reverse("portal:sync"))
    response.status_code = 303
    return response
