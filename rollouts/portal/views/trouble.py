"""What is answered where something went wrong: 500 needs neither database nor session, maintenance neither."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token

from ...audit import source

#: For when not even the page can be made: a file of the look is missing.
PLAIN = "Something broke on our side. What you asked for was not done. The failure is in the log by {}.\n"
RETRY_AFTER_SECONDS = 120


@requires_csrf_token
def broken(request: HttpRequest) -> HttpResponse:
    """500, rendered without the request, so that no context processor asks what may be broken."""
    told = {"request_id": source.current().request_id}
    try:
        return HttpResponse(render_to_string("500.html", told), status=500)
    except (TemplateDoesNotExist, ValueError):
        return HttpResponse(PLAIN.format(told["request_id"]), status=500, content_type="text/plain")


def not_understood(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400; 413 for what is larger than the portal reads."""
    if not isinstance(exception, RequestDataTooBig):
        return render(request, "400.html", status=400)
    words = _("What was sent is larger than the portal reads. Send less of it at once.")
    return render(request, "400.html", {"words": words, "code": 413}, status=413)


def maintenance() -> HttpResponse:
    """503 with the operators' words."""
    page = render_to_string("trouble/maintenance.html", {"words": settings.MAINTENANCE})
    return HttpResponse(
        page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS), "Cache-Control": "no-store"}
    )
