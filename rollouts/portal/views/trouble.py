"""What is answered where something went wrong: 500 needs neither database nor session, maintenance neither."""

from __future__ import annotations

import sys

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token

from ...audit import source
from ...models import waiting
from .. import refusals

#: For when not even the page can be made: a file of the look is missing.
PLAIN = "Something broke on our side. What you asked for was not done. The failure is in the log by {}.\n"
RETRY_AFTER_SECONDS = 120
BUSY = "The portal's database is busy or does not answer. Nothing was changed. Try again in a moment.\n"
BUSY_SECONDS = 5


@requires_csrf_token
def broken(request: HttpRequest) -> HttpResponse:
    """500, rendered without the request, so that no context processor asks what may be broken.

    503 where it was the database that could not just now: who asks again soon is served.
    """
    if waiting.is_busy(sys.exc_info()[1]):
        return busy(request)
    context = {"request_id": source.current().request_id}
    try:
        return HttpResponse(render_to_string("500.html", context), status=500)
    except (TemplateDoesNotExist, ValueError):
        return HttpResponse(PLAIN.format(context["request_id"]), status=500, content_type="text/plain")


def not_understood(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400; 413 for what is larger than the portal reads.

    A session that the database could not keep comes here too: Django takes it for one that was deleted.
    """
    if waiting.is_busy(exception):
        return busy(request)
    if not isinstance(exception, RequestDataTooBig):
        return refusals.in_words(request)
    return refusals.in_words(request, _("What was sent is larger than the portal reads. Send less of it at once."), 413)


def busy(request: HttpRequest) -> HttpResponse:
    """503: another process holds the database, or it is away."""
    headers = {"Retry-After": str(BUSY_SECONDS), "Cache-Control": "no-store"}
    try:
        if not request.path.startswith(refusals.PROGRAMS):
            page = render_to_string("trouble/busy.html", {"request_id": source.current().request_id})
            return HttpResponse(page, status=503, headers=headers)
    except (TemplateDoesNotExist, ValueError):
        pass
    return HttpResponse(BUSY, status=503, content_type="text/plain; charset=utf-8", headers=headers)


def maintenance() -> HttpResponse:
    """503 with the operators' words."""
    page = render_to_string("trouble/maintenance.html", {"words": settings.MAINTENANCE})
    return HttpResponse(
        page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS), "Cache-Control": "no-store"}
    )
