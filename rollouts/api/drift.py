"""Drift cases: look at them, answer them."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.http import Http404, HttpRequest
from ninja import Query, Router, Status

from ..models import DriftCase, clock
from ..rules.drift_cases import Answer
from ..services import drift_answers, drift_cases, waivers
from ..services.lists.drift import OPEN_ONES_FIRST, DriftFilter
from . import answers, bodies, pages, questions
from .auth import actor
from .contract import DRIFT_ANSWER_BODY, LIST, LOOK, TRANSITION
from .refusing import refusals_about

router = Router(tags=["drift"])


@router.get("/drift", response={200: answers.DriftCases, **LIST}, summary="All drift cases")
def all_cases(request: HttpRequest, asked: Query[questions.DriftAsked]) -> dict[str, Any]:
    """Open ones first, then the newest. A case is one way in which GitLab stands elsewhere than the plan."""
    now = clock.now()
    return pages.page(
        DriftFilter(asked.query), OPEN_ONES_FIRST, asked.limit, lambda case: drift_cases.as_json(case, now)
    )


@router.get("/drift/{number}", response={200: answers.DriftCaseTold, **LOOK}, summary="One drift case")
def one_case(request: HttpRequest, number: questions.Number) -> dict[str, Any]:
    return drift_cases.as_json(_case(number), clock.now())


@router.post(
    "/drift/{number}/{answer}",
    response={200: answers.DriftAnswered | answers.WaiverRehearsed, 201: answers.DriftAnswered, **TRANSITION},
    summary="Answer a drift case",
    openapi_extra=DRIFT_ANSWER_BODY,
)
def give_answer(
    request: HttpRequest, number: questions.Number, answer: questions.DriftAnswer, run: Query[questions.PlanAsked]
) -> Any:
    """`restore`: the flag goes back to where the plan is. `adopt`: the plan takes over what GitLab has, `accept`: it
    stands until `ends`; each once somebody else grants the waiver that is asked for. Takes the role manager. With
    `dry_run=true` the answer says what stands in the way."""
    by, asked = actor(request), bodies.as_json(request, questions.DriftAnswerWritten)
    case = _case(number)
    if answer not in set(Answer):
        raise Http404(f"There is no {answer[:50]} of a drift case. There are: {', '.join(Answer)}.")
    with refusals_about(case.rollout):
        ends_at = waivers.until(asked.ends, UTC)
        wanted = Answer(answer)
        if run.dry_run:
            blockers = drift_answers.blockers_of(wanted, case, by, reason=asked.reason, ends_at=ends_at)
            page = case.rollout.get_absolute_url()
            told = {"dry_run": True, "ok": not blockers, "blockers": [one.as_json(page) for one in blockers]}
            return Status(200, told)
        waiver = drift_answers.give(wanted, case, by=by, reason=asked.reason, ends_at=ends_at)
    now = clock.now()
    told = {
        "case": drift_cases.as_json(_case(number), now),
        "waiver": waivers.as_json(waiver, by, now) if waiver else None,
    }
    return Status(201 if waiver else 200, told)


def _case(number: int) -> DriftCase:
    case: DriftCase | None = DriftCase.objects.with_rollout().filter(pk=number).first()
    if case is None:
        raise Http404(f"There is no drift case {number}.")
    return case
