"""Waivers: look at them, ask for one, decide."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.http import Http404, HttpRequest
from ninja import Query, Router, Status

from ..models import Rollout, Waiver, clock
from ..rules.waivers import VERBS
from ..services import waivers
from ..services.lists.waivers import NEWEST_FIRST, WaiverFilter
from . import answers, bodies, pages, questions
from .auth import actor
from .contract import LIST, TRANSITION, WAIVER_BODY, WAIVER_DECIDED_BODY
from .refusing import refusals_about

router = Router(tags=["waivers"])


@router.get("/waivers", response={200: answers.Waivers, **LIST}, summary="All waivers")
def all_waivers(request: HttpRequest, asked: Query[questions.WaiversAsked]) -> dict[str, Any]:
    """Newest first. `may` says what fits its state, each with what stands in your way."""
    by, now = actor(request), clock.now()
    return pages.page(WaiverFilter(asked.query), NEWEST_FIRST, asked.limit, lambda one: waivers.as_json(one, by, now))


@router.post(
    "/rollouts/{slug}/waivers",
    response={200: answers.WaiverRehearsed, 201: answers.WaiverTold, **TRANSITION},
    summary="Ask for a waiver",
    openapi_extra=WAIVER_BODY,
)
def ask(request: HttpRequest, slug: questions.Name, run: Query[questions.PlanAsked]) -> Any:
    """To skip `phase`, or to go on without `item`: of a phase, or without one of the whole rollout. Takes the role
    manager; somebody else grants it. With `dry_run=true` the answer says what stands in the way."""
    by, asked = actor(request), bodies.as_json(request, questions.WaiverWritten)
    rollout: Rollout | None = Rollout.objects.whole().filter(slug=slug).first()
    if rollout is None:
        raise Http404(f"There is no rollout {slug[:100]}.")
    try:
        what = waivers.named(rollout, asked.phase, asked.item)
    except LookupError as unknown:
        raise Http404(unknown.args[0]) from None
    with refusals_about(rollout):
        ends_at = waivers.until(asked.ends, UTC)
        if run.dry_run:
            blockers = waivers.blockers_of_ask(rollout, what, by, clock.now(), reason=asked.reason, ends_at=ends_at)
            return Status(200, _rehearsed(blockers, rollout))
        waiver = waivers.ask(what, by=by, reason=asked.reason, ends_at=ends_at)
    return Status(201, waivers.as_json(waiver, by, clock.now()))


@router.post(
    "/waivers/{number}/{verb}",
    response={200: answers.WaiverTold | answers.WaiverRehearsed, **TRANSITION},
    summary="Decide about a waiver, or end it",
    openapi_extra=WAIVER_DECIDED_BODY,
)
def decide(
    request: HttpRequest, number: questions.Number, verb: questions.WaiverVerb, run: Query[questions.PlanAsked]
) -> dict[str, Any]:
    """`grant` and `refuse` are for somebody else than who asked, whom the template names; `withdraw` takes back what
    was asked, `end` ends what was granted. With `dry_run=true` the answer says what stands in the way."""
    by, asked = actor(request), bodies.as_json(request, questions.WaiverDecided)
    waiver: Waiver | None = Waiver.objects.with_what().filter(pk=number).first()
    if waiver is None or verb not in VERBS:
        known = "" if waiver is None else f" of a waiver. There are: {', '.join(VERBS)}"
        raise Http404(f"There is no {'waiver ' + str(number) if waiver is None else verb[:50]}{known}.")
    with refusals_about(waiver.rollout):
        if run.dry_run:
            return _rehearsed(waivers.blockers_of(verb, waiver, by, clock.now(), note=asked.note), waiver.rollout)
        decided = waivers.decide(verb, waiver, by=by, note=asked.note)
    return waivers.as_json(decided, by, clock.now())


def _rehearsed(blockers: list[Any], rollout: Rollout) -> dict[str, Any]:
    page = rollout.get_absolute_url()
    return {"dry_run": True, "ok": not blockers, "blockers": [one.as_json(page) for one in blockers]}
