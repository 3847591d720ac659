"""Gives each request an id that history and logs share, and says whether it came from the admin, the API or a page."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from .source import by_session, coming_from

#: A proxy's own request id is taken over if it looks like one.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
PLACES = {"/admin/": "admin", "/api/": "api", "/hooks/": "webhook"}


class Middleware:
    """Stands around whatever answers a request; what it does itself stands in ``__call__``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class RequestSource(Middleware):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-Id", "")
        name = next((name for place, name in PLACES.items() if request.path.startswith(place)), "page")
        request_id = offered if REQUEST_ID.fullmatch(offered) else ""
        with coming_from(name, request_id, lambda: by_session(request)) as source:
            response = self.get_response(request)
        response["X-Request-Id"] = source.request_id
        return response
