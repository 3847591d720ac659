"""Problem documents (RFC 9457): how the API says no, whatever it is that said it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja.errors import AuthenticationError, HttpError, ValidationError

from ..models import Rollout
from ..rules.approvals import UNSEEN
from ..rules.document import DocumentRefused
from ..services import transitions
from ..services.refusals import Refused

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


class RefusedAbout(Exception):
    """``Refused`` with the rollout whose page clears the blockers; None where there is none yet.

    ``digest`` is what stands now, for who decided about something else or had not looked.
    """

    def __init__(self, refused: Refused, rollout: Rollout | None, digest: str = "") -> None:
        super().__init__(str(refused))
        self.refused, self.rollout, self.digest = refused, rollout, digest


@contextmanager
def refusals_about(rollout: Rollout | None, phase: str = "") -> Iterator[None]:
    """What a service refuses in this block is about this rollout, and about this phase of it."""
    try:
        yield
    except Refused as refused:
        digest = transitions.digest_of(rollout, phase) if rollout and refused.codes & UNSEEN else ""
        raise RefusedAbout(refused, rollout, digest) from None


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


def of_refusal(request: HttpRequest, refused: RefusedAbout) -> HttpResponse:
    """409 with every blocker; 403 if only the role is lacking. Nothing was changed."""
    page = refused.rollout.get_absolute_url() if refused.rollout else ""
    blockers = [blocker.as_json(page) for blocker in refused.refused.blockers]
    return answer(
        refused.refused.status, str(refused.refused), kind="refused", blockers=blockers, digest=refused.digest
    )


def of_plan(request: HttpRequest, refused: DocumentRefused) -> HttpResponse:
    """422 with each fault and its line; line None is the document as a whole."""
    return answer(
        422,
        "The plan was not taken, nothing was changed.",
        kind="plan",
        errors=[error("body", "document", fault.message, fault.line or None) for fault in refused.faults],
    )


def of_parameters(request: HttpRequest, wrong: ValidationError) -> HttpResponse:
    """422 with each parameter that is wrong."""
    errors = [_parameter(document["loc"], document["msg"]) for document in wrong.errors]
    return answer(422, " ".join(document["message"] for document in errors), kind="invalid", errors=errors)


def _parameter(place: tuple[Any, ...], message: str) -> dict[str, Any]:
    name = str(place[-1])
    return error(str(place[0]), name, f"{name}: {message.removeprefix('Value error, ')}.".replace("..", "."))


def of_problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    return answer(problem.status, problem.detail, kind=problem.kind, errors=problem.errors)


def of_status(request: HttpRequest, wrong: HttpError) -> HttpResponse:
    """What ninja itself refuses."""
    return answer(wrong.status_code)


def of_missing(request: HttpRequest, missing: Http404 | type[Http404]) -> HttpResponse:
    """404, with the view's own words where it has any."""
    return answer(404, str(missing))


HANDLERS: dict[type[Exception], Any] = {
    Http404: of_missing,
    RefusedAbout: of_refusal,
    DocumentRefused: of_plan,
    ValidationError: of_parameters,
    Problem: of_problem,
    AuthenticationError: of_status,
    HttpError: of_status,
}
