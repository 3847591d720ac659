"""Reports for auditors: of one rollout, and over all of a time."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Query, Router

from ..models import Rollout, clock
from ..services import period_report
from ..services import reports as of
from . import answers, questions
from .contract import LIST, LOOK
from .problems import Problem, error

router = Router(tags=["reports"])


@router.get(
    "/rollouts/{slug}/report",
    response={200: answers.RolloutReport, **LOOK},
    summary="Report of a rollout",
    by_alias=True,
)
def report(request: HttpRequest, slug: questions.Name) -> dict[str, Any]:
    """Who asked, who approved by what way and what they saw, what was live when, overrides, locks, drift, evidence."""
    try:
        return of.of_rollout(slug, clock.now()).as_json()
    except Rollout.DoesNotExist:
        raise Http404(f"There is no rollout {slug[:100]}.") from None


@router.get("/reports", response={200: answers.PeriodReport, **LIST}, summary="Report over all rollouts", by_alias=True)
def period(request: HttpRequest, asked: Query[questions.PeriodAsked]) -> dict[str, Any]:
    """How many were planned, begun, completed, rolled back, and how long that took; overrides; approvals by who asked.
    Each number with its rows."""
    try:
        return period_report.of_period(asked.from_, asked.to).as_json()
    except period_report.NoPeriod as wrong:
        raise Problem(422, str(wrong), errors=[error("query", "to", str(wrong))], kind="invalid") from None
