"""``/keeping/``: what grows, for how long it is kept, and how much of it there is. For admins and auditors."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ...audit.actor import Actor
from ...rules.machine import Role
from ...rules.phrases import say
from ...services.keeping import runs
from ...services.refusals import refuse_if, role_missing
from ..presenters import keeping as present


@require_safe
def keeping(request: HttpRequest) -> HttpResponse:
    """Read from what the last run measured: the page itself counts nothing, however much there is."""
    refuse_if(role_missing(Actor.of(request.user), Role.AUDITOR, say("Seeing what is kept, and how much")))
    newest, before = (*runs.newest_two(), None, None)[:2]
    context = {
        "run": newest,
        "next_at": runs.next_at(),
        "is_due": runs.is_due(),
        "goes": present.goes(newest),
        "stays": present.stays(newest),
        "sums": present.sums(newest, before),
    }
    return render(request, "portal/keeping.html", context)
