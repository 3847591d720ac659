"""Problem documents (RFC 9457): how the API says no, whatever it is that said it.

A middleware answers with them too, so this imports nothing of the API: what its views raise is in ``refusing``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse

MEDIA_TYPE = "application/problem+json"
DOCS = "/api/v1/docs"
#: What a status says where nobody says more.
WORDS = {
    400: "The request can't be read: it is malformed, or holds a character that no text has, such as NUL. Correct it.",
    401: "Send a token that works: «Authorization: Bearer mrp_…». Make one on the page /account/.",
    403: "This takes a role that you have not got.",
    404: f"There is nothing at this address. {DOCS} lists what there is.",
    405: "This address does not take that method. The header Allow names those that it takes.",
    406: "The API answers in application/json only: accept that.",
    409: "It may not happen now: see blockers. Nothing was changed.",
    411: "The header Content-Length must say how long the body is: send it.",
    412: "The plan is not the one that the header If-Match names. Read it again; nothing was changed.",
    413: "The request is too large. Send less at once.",
    414: "The address is too long for the server that takes it. Ask for less at once.",
    415: "This address does not take that kind of body. Name the right one in the header Content-Type.",
    422: "The request was understood, but what it asks makes no sense. See errors.",
    500: "The portal failed. Nothing was changed. The operators find it in the log by the header X-Request-Id.",
    503: "The portal can't do that just now: it is being worked on, or its database is busy. Nothing was changed. "
    "Ask again after the seconds that the header Retry-After names.",
}


class Problem(Exception):
    """A refusal with a status, a sentence and, where it helps, one entry for each thing that is wrong."""

    def __init__(self, status: int, detail: str = "", *, errors: Iterable[dict[str, Any]] = (), kind: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.kind = status, detail, list(errors), kind


def error(where: str, name: str, message: str, line: int | None = None) -> dict[str, Any]:
    """One thing that is wrong: ``{"where", "name", "line", "message"}``; ``where`` is path, query or body."""
    return {"where": where, "name": name, "line": line, "message": message}


def answer(status: int, detail: str = "", *, kind: str = "", **more: Any) -> HttpResponse:
    """``{"type", "title", "status", "detail"}`` and what else there is to say (``errors``, ``blockers``)."""
    document = {
        "type": f"{DOCS}#{kind}" if kind else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail or WORDS.get(status, HTTPStatus(status).phrase),
        **{name: values for name, values in more.items() if values},
    }
    text = json.dumps(document, ensure_ascii=False).encode(errors="replace")  # it may quote half of a surrogate pair
    response = HttpResponse(text, status=status, content_type=MEDIA_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response
