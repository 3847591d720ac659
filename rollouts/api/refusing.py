"""What the API's views may raise, and the problem document that each becomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja.errors import AuthenticationError, HttpError, ValidationError

from ..models import Rollout
from ..rules.approvals import UNSEEN
from ..rules.document import DocumentRefused
from ..services import transitions
from ..services.refusals import Refused
from .problems import Problem, answer, error


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
