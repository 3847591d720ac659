"""Everything below ``/api/`` answers a refusal as a problem document, also where Django itself refused."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from ..audit.middleware import Middleware
from . import problems

ROOM = "/api/"


class ProblemDocuments(Middleware):
    """Stands outside all that may refuse: 404 of unknown addresses, 405, NUL characters, a wrong host, a failure."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path.startswith(ROOM):
            return response
        if response.status_code >= 400 and response.get("Content-Type") != problems.MEDIA_TYPE:
            refused = problems.answer(response.status_code)
            if "Allow" in response:
                refused["Allow"] = _with_head(response["Allow"])
            if "Retry-After" in response:
                refused["Retry-After"] = response["Retry-After"]
            response = refused
        response["Cache-Control"] = "no-store"  # what one person may see is kept for nobody
        return response


def _with_head(allowed: str) -> str:
    methods = {method.strip() for method in allowed.split(",")}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
