"""What stands around every page: maintenance; refusals with words; no NUL character, which PostgreSQL can't store and
SQLite cuts texts at.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy

from config.chunked import REFUSED

from ..audit.middleware import Middleware
from ..models import accounts, waiting
from ..models.change_log import ChangedMeanwhile
from ..services import second_factors
from ..services.refusals import Refused, overtaken
from . import refusals
from .signing_in import BY_PASSWORD
from .views import trouble

#: What answers during maintenance too: whoever looks after the portal asks there.
ALWAYS = ("/healthz", "/readyz", "/metrics")
#: What somebody may do who has yet to set a password of their own.
WITHOUT_OWN_PASSWORD = frozenset(
    {"portal:password", "admin:password_change", "logout", "portal:language", "portal:zone", "second_factor"}
)
#: What somebody may do who has yet to show a second factor, or to add one.
WITHOUT_SECOND_FACTOR = {
    "show": frozenset({"second_factor", "logout", "portal:language", "portal:zone"}),
    "add": frozenset(
        {"add_second_factor", "add_passkey", "again", "logout", "portal:language", "portal:password", "portal:zone"}
    ),
}
ROOM_OF_API = "/api/"
#: What one request may wait for others' writes, in seconds: GitLab hangs up after ten, people before.
LONGEST_WAIT = 5.0
NUL = "\x00"
#: What is said of bodies that could not be read, by status.
BODIES = {
    400: gettext_lazy("The body breaks off, or its chunks are none. Send it again, whole."),
    411: gettext_lazy("This server reads a body only if the header Content-Length says how long it is. Send that."),
    413: gettext_lazy("What was sent is larger than the portal reads. Send less of it at once."),
}
WORDS = gettext_lazy("The request holds a NUL character, which no text has. Take it out and send it again.")


class RefuseBodies(Middleware):
    """Says what ``config.chunked`` could not read, before a view takes it for an empty body."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        status = request.META.get(REFUSED)
        if status is None:
            return self.get_response(request)
        return refusals.in_words(request, BODIES[status], status)


class RefuseNul(Middleware):
    """Answers 400 before a view sees such a request."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if NUL in request.path or any(NUL in text for _, texts in request.GET.lists() for text in texts):
            return refusals.in_words(request, WORDS)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.method == "POST" and any(NUL in str(text) for _, texts in request.POST.lists() for text in texts):
            return refusals.in_words(request, WORDS)
        return None


class OwnPasswordFirst(Middleware):
    """Who got a password from somebody else sets their own before any page works; the API says so itself."""

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or match.view_name in WITHOUT_OWN_PASSWORD or request.path.startswith(ROOM_OF_API):
            return None
        if getattr(view, "login_required", True) is False and match.view_name != "metrics":
            return None
        if not accounts.must_change_password(request.user):
            return None
        return redirect("portal:password")


class SecondFactorFirst(Middleware):
    """After the password a code, before any page works; who must have a second factor and has none adds one first."""

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or request.path.startswith(ROOM_OF_API) or not request.user.is_authenticated:
            return None
        if getattr(view, "login_required", True) is False and match.view_name != "metrics":
            return None
        by_password = request.session.get(BACKEND_SESSION_KEY) in BY_PASSWORD
        missing = second_factors.missing(request.user, request.session, by_password=by_password)
        if not missing or match.view_name in WITHOUT_SECOND_FACTOR[missing]:
            return None
        page = reverse("second_factor" if missing == "show" else "add_second_factor")
        return redirect(f"{page}?{urlencode({'next': request.get_full_path()})}" if request.method == "GET" else page)


class Maintenance(Middleware):
    """While ``MAINTENANCE`` holds words, every page says them."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.MAINTENANCE and request.path not in ALWAYS:
            return trouble.maintenance()
        return self.get_response(request)


class BoundedWaits(Middleware):
    """No request waits for others' writes longer than this, however much it writes; then it is a 503."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with waiting.bounded(LONGEST_WAIT):
            return self.get_response(request)


class RefusalsInWords(Middleware):
    """A 405 that Django leaves empty becomes a page, and so does what a service refuses and no view tells itself."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 405 or response.content or request.path.startswith(refusals.PROGRAMS):
            return response
        context = {"method": request.method, "allowed": response["Allow"]}
        page = render(request, "405.html", context, status=405)
        page["Allow"] = response["Allow"]
        return page

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, ChangedMeanwhile):
            exception = overtaken()
        return refusals.page(request, exception) if isinstance(exception, Refused) else None
