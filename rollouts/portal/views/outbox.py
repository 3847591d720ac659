"""What the portal owes to GitLab: cancel what waits, try again what was given up."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from ...audit.actor import Actor
from ...models import GitLabWrite
from ...services import outbox
from ..redirects import SeeOther


@require_POST
def decide(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """``cancel`` (with a reason) or ``again``. Refused: 409 with the reasons, nothing changed."""
    write, by = get_object_or_404(GitLabWrite.objects.select_related("rollout"), pk=pk), Actor.of(request.user)
    if verb == "cancel":
        outbox.cancel(write, by=by, reason=request.POST.get("reason", ""))
    elif verb == "again":
        outbox.again(write, by=by)
    else:
        raise Http404(f"There is no {verb} of a write.")
    messages.success(request, gettext("Cancelled.") if verb == "cancel" else gettext("It is tried again."))
    return SeeOther(f"{write.rollout.get_absolute_url()}#writes")
