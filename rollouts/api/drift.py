"""Drift cases: look at them."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Query, Router

from ..models import DriftCase, clock
from ..services import drift_cases
from ..services.lists.drift import OPEN_ONES_FIRST, DriftFilter
from . import answers, pages, questions
from .contract import LIST, LOOK

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


def _case(number: int) -> DriftCase:
    case: DriftCase | None = DriftCase.objects.with_rollout().filter(pk=number).first()
    if case is None:
        raise Http404(f"There is no drift case {number}.")
    return case
