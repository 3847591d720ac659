"""What stands outside all pages: health without ado, plain http refused in words, and nothing kept by browsers."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from ..audit.middleware import Middleware
from .health import healthz, readyz
from .refusals import PROGRAMS

CHECKS: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": healthz, "/readyz": readyz}


class HealthFirst(Middleware):
    """Whoever looks after the portal asks by whatever Host, an address of a pod say, and has no session.

    ``/healthz`` touches nothing at all, not the database either.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = CHECKS.get(request.path)
        return view(request) if view else self.get_response(request)


class PlainHttpInWords(Middleware):
    """Programs that come by plain http where the portal is on https are told so; people are sent on by Django."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.SECURE_SSL_REDIRECT or request.is_secure() or not request.path.startswith(PROGRAMS):
            return self.get_response(request)
        words = (
            f"This address answers over https only: {settings.PORTAL_URL}{request.path}. A token that was sent here "
            "could be read on the way: make another. Behind a proxy that ends https, set TRUST_PROXY=true and have "
            "it send X-Forwarded-Proto."
        )
        if request.path.startswith("/api/"):
            problem = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": words}
            return HttpResponse(json.dumps(problem), status=403, content_type="application/problem+json")
        return HttpResponse(f"{words}\n", status=403, content_type="text/plain; charset=utf-8")


class KeptByNobody(Middleware):
    """Pages and downloads of somebody who is signed in are for them, now: no browser or proxy keeps a copy."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        session = getattr(request, "session", None)
        if session is not None and session.accessed and request.user.is_authenticated:
            response["Cache-Control"] = "private, no-store"
        return response
