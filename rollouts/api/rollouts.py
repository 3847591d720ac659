"""Rollouts: look at them, plan them, take transitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Status

from ..audit.actor import Actor
from ..models import Phase, Rollout, clock
from ..models.keyset import Keyset
from ..rules import health, offers, plan_merge
from ..rules.facts import RolloutFacts
from ..rules.forecast import Forecast
from ..rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from ..rules.percentages import plain_number
from ..services import (
    dry_run,
    feedback,
    forecasts,
    items,
    locks,
    metrics,
    plan_versions,
    plans,
    portfolio_rows,
    rollout_json,
    schedules,
    shared_quota,
    transitions,
)
from ..services import facts as facts_of
from ..services.freshness import limit
from ..services.items import Item
from ..services.lists.rollouts import RolloutFilter
from . import answers, bodies, pages, past, questions
from .auth import actor
from .contract import ITEM_BODY, LIST, LOOK, MEASURED_BODY, PLAN_BODY, TRANSITION, TRANSITION_BODY, WRITE
from .problems import Problem, error
from .refusing import refusals_about

router = Router(tags=["rollouts"])
AS_MADE = Keyset("rollouts", {"rollout_id": int})
#: What of portfolio rows the list is told by.
TOLD = ("pk", "rollout_id", "health", "due_at", "told")


@router.get("/rollouts", response={200: answers.Rollouts, **LIST}, summary="All rollouts")
def rollouts(request: HttpRequest, asked: Query[questions.RolloutsAsked]) -> HttpResponse:
    """In the order in which they were made. What stands in the way of each phase's next verb for you is told with
    `include=blockers`, and always of one rollout."""
    by, now = actor(request), clock.now()
    if asked.as_of is not None:
        return pages.written(past.portfolio(rollout_answer, by, asked.as_of, asked.limit, asked.query))
    found = RolloutFilter(asked.query, by=by)
    page = pages.read(found, AS_MADE, asked.limit, found.lines().values(*TOLD))
    if asked.include:
        told = list(_told_whole((line["rollout_id"] for line in page.rows), now, by).values())
    else:
        told = _told_ahead(page.rows, now)
    return pages.written(pages.holding(told, page))


def _told_ahead(read: Sequence[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """By what the portfolio has worked out; a rollout that it never could, a busy database for one, is worked out here,
    so that no page is short.
    """
    fresh, lines = limit(), portfolio_rows.as_of_now(read, now)
    unknown = [line["rollout_id"] for line in lines if not line["told"]]
    anew = _told_whole(unknown, now) if unknown else {}
    told = [
        rollout_json.as_of_now(line, now, fresh) if line["told"] else anew.get(line["rollout_id"]) for line in lines
    ]
    return [one for one in told if one is not None]


def _told_whole(keys: Iterable[int], now: datetime, by: Actor | None = None) -> dict[int, dict[str, Any]]:
    """Each of these rollouts in the order in which they were made; with blockers where somebody asks for theirs."""
    holding, told, experience = locks.standing(now), {}, forecasts.Experience()
    ahead = schedules.locks_between(now, now + schedules.AHEAD)
    for each in Rollout.objects.for_rules().filter(pk__in=list(keys)).order_by("pk"):
        facts = facts_of.for_rollout(each, now, holding)
        likely = forecasts.of(each, now, experience, locks=ahead)
        told[each.pk] = (
            rollout_answer(each, facts, by, likely) if by else rollout_json.of(each, facts, health.judge(facts), likely)
        )
    return told


@router.get("/rollouts/{slug}", response={200: answers.RolloutTold, **LOOK}, summary="One rollout", exclude_unset=True)
def rollout(request: HttpRequest, slug: questions.Name, asked: Query[questions.RolloutAsked]) -> dict[str, Any]:
    """Where it stands, what GitLab says, and what stands in the way of each phase's next verb for you."""
    if asked.as_of is not None or asked.since is not None:
        return past.answer(rollout_answer, slug, actor(request), asked.as_of, asked.since)
    return _told_now(slug, actor(request))


@router.get("/rollouts/{slug}/plan", response={200: answers.PlanTold, **LOOK}, summary="The plan of a rollout")
def get_plan(request: HttpRequest, slug: questions.Name, response: HttpResponse) -> dict[str, Any]:
    """As a document. The header `ETag` is its digest: send it as `If-Match` with the plan that you make of it."""
    document = plans.export(_whole(slug))
    response["ETag"] = f'"{plan_merge.digest(document)}"'
    return {"slug": slug, "document": document, "digest": plan_merge.digest(document)}


@router.get("/rollouts/{slug}/plan/versions", response={200: answers.PlanVersions, **LOOK}, summary="What its plan was")
def get_plan_versions(request: HttpRequest, slug: questions.Name) -> dict[str, Any]:
    """Each document that it was, whose change made it, the difference, and who approved something while it stood."""
    return {"slug": slug, **plan_versions.of(_whole(slug)).as_json()}


def _expected(request: HttpRequest) -> str:
    """The digest in the header If-Match; «*» is any plan that there is. Raises ``Problem`` (400) for several."""
    written = request.headers.get("If-Match", "").strip()
    if "," in written:
        raise Problem(400, "If-Match may name one plan: the ETag that you read.")
    return "" if written == "*" else written.removeprefix("W/").strip('"')


@router.put(
    "/rollouts/{slug}/plan",
    response={200: answers.PlanApplied, 201: answers.PlanApplied, 412: answers.ProblemTold, **WRITE},
    summary="Make a rollout what a plan says",
    openapi_extra=PLAN_BODY,
)
def put_plan(
    request: HttpRequest, slug: questions.Name, asked: Query[questions.PlanAsked], response: HttpResponse
) -> Any:
    """The plan document as YAML, or in JSON. The same plan again changes nothing. Takes the role manager.

    With the header `If-Match` (the `ETag` of `GET`) nothing is changed where somebody else has changed the plan
    meanwhile: 412."""
    by = actor(request)
    with refusals_about(Rollout.objects.filter(slug=slug).first()):
        plans.refuse_others(by)  # before the document is read, so that it is told first
        text = bodies.plan(request)
        expect = _expected(request)
        applied = plans.apply(text, by=by, source="plan", dry_run=asked.dry_run, only=slug, expect=expect)
    created = applied.created and not asked.dry_run
    if created:
        response["Location"] = f"/api/v1/rollouts/{applied.slug}"
    answer = {
        "slug": applied.slug,
        "title": applied.title,
        "created": created,
        "dry_run": asked.dry_run,
        "changes": applied.changes,
        "url": Rollout(slug=applied.slug).get_absolute_url(),
    }
    return Status(201 if created else 200, answer)


@router.post(
    "/rollouts/{slug}/phases/{phase}/{verb}",
    response={200: answers.DryRunTold | answers.RolloutTold, **TRANSITION},
    summary="Take a transition, or say what it would do",
    openapi_extra=TRANSITION_BODY,
    exclude_unset=True,
)
def transition(
    request: HttpRequest,
    slug: questions.Name,
    phase: questions.Name,
    verb: questions.Verb,
    run: Query[questions.PlanAsked],
) -> dict[str, Any]:
    """What the buttons do; answers the rollout as it is then. `phase` may be rollout itself, for abandon and close.

    With `dry_run=true` nothing is changed: the answer has each fact with its age, the approvals and the calls."""
    by, verb = actor(request), verb.replace("-", "_")
    asked = bodies.as_json(request, questions.TransitionAsked)
    rollout = _whole(slug)
    if not transitions.is_known(verb, phase):
        known = ROLLOUT_VERBS if phase == "rollout" else PHASE_VERBS
        raise Http404(f"There is no verb {verb} of {phase}. There are: {', '.join(known)}.")
    of_phases = sorted(asked.model_fields_set - {"reason"})
    if phase == "rollout" and of_phases:
        message = f"{', '.join(of_phases)} belong to phases: leave them out for the rollout itself."
        raise Problem(422, message, errors=[error("body", of_phases[0], message)], kind="invalid")
    if run.dry_run:
        if phase == "rollout":
            told_of = dry_run.of_rollout(verb, rollout, by=by, reason=asked.reason)
        else:
            told_of = dry_run.of_phase(verb, _phase(rollout, phase), by=by, **asked.model_dump())
        return told_of.as_json(rollout.get_absolute_url())
    with refusals_about(rollout, phase):
        if phase == "rollout":
            transitions.perform_on_rollout(verb, rollout, by=by, reason=asked.reason)
        else:
            transitions.perform(verb, _phase(rollout, phase), by=by, **asked.model_dump())
    return _told_now(slug, by)


@router.post(
    "/rollouts/{slug}/metrics/{name}",
    response={200: answers.RolloutTold, **TRANSITION},
    summary="Tell the newest value of a guard metric",
    openapi_extra=MEASURED_BODY,
    exclude_unset=True,
)
def measure(request: HttpRequest, slug: questions.Name, name: questions.Name) -> dict[str, Any]:
    """For monitors: while a figure is beyond what the plan allows, no step of the ramp begins by itself; where the plan
    says so, the phase is paused or rolled back. Answers the rollout as it is then. Takes the role manager."""
    by, found = actor(request), _whole(slug)
    asked = bodies.as_json(request, questions.MeasuredAsked)
    if name not in found.guard_metrics:
        raise Http404(f"The plan bounds no {name[:60]}. There are: {', '.join(found.guard_metrics) or 'none'}.")
    with refusals_about(found):
        metrics.measure(found, name, asked.value, by=by, evidence=asked.evidence, baseline=asked.baseline, at=asked.at)
    return _told_now(slug, by)


@router.get("/rollouts/{slug}/items", response={200: answers.Items, **LOOK}, summary="Its checklist")
def checklist(request: HttpRequest, slug: questions.Name) -> dict[str, Any]:
    """Each item with its verdict, its issue as far as you may see it, and what you can do to it now."""
    return _items_now(slug, actor(request))


@router.get(
    "/rollouts/{slug}/capacity", response={200: answers.CapacityTold, **LOOK}, summary="What steps ask of quota"
)
def get_capacity(request: HttpRequest, slug: questions.Name) -> dict[str, Any]:
    """Of each step what it asks of the model's quota, with others and the margin; which needs a larger one, and by when
    to ask for it."""
    rollout = _whole(slug)
    return shared_quota.as_json(rollout, facts_of.for_rollout(rollout, clock.now()))


@router.get("/rollouts/{slug}/feedback", response={200: answers.FeedbackOfRollout, **LOOK}, summary="What people write")
def get_feedback(request: HttpRequest, slug: questions.Name) -> dict[str, Any]:
    """The newest comments of its feedback issues, how many came since the phase began, and reactions; as far as you may
    see them."""
    rollout = _whole(slug)
    told = feedback.of(rollout, actor(request), facts_of.for_rollout(rollout, clock.now()))
    return {"slug": slug, "feedback": [one.as_json() for one in told]}


@router.post(
    "/rollouts/{slug}/items/{key}/{verb}",
    response={200: answers.Items, **TRANSITION},
    summary="Confirm a checklist item, or take that back",
    openapi_extra=ITEM_BODY,
    exclude_unset=True,
)
def item(request: HttpRequest, slug: questions.Name, key: questions.Name, verb: questions.ItemVerb) -> dict[str, Any]:
    """What the checklist's forms do; answers the checklist as it is then. Takes the role manager."""
    by, rollout = actor(request), _whole(slug)
    asked = bodies.as_json(request, questions.ItemAsked)
    if verb not in items.VERBS:
        raise Http404(f"There is no verb {verb[:50]} of an item. There are: {', '.join(items.VERBS)}.")
    try:
        row = items.named(rollout, key, asked.phase)
    except LookupError as unknown:
        raise Http404(unknown.args[0]) from None
    with refusals_about(rollout):
        items.take(verb, row, by=by, **items.inputs_of(asked.model_dump()))
    return _items_now(slug, by)


def rollout_answer(rollout: Rollout, facts: RolloutFacts, by: Actor, likely: Forecast | None = None) -> dict[str, Any]:
    """A rollout as the API tells it to this caller (``answers.RolloutTold``): no queries on one loaded whole."""
    answer = rollout_json.of(rollout, facts, health.judge(facts), likely)
    for phase, told in zip(facts.phases, answer["phases"], strict=True):
        verb = offers.following(facts, phase)
        in_the_way = offers.of_verb(verb, facts, phase, by.person).blockers if verb else ()
        told["blockers"] = [{"verb": verb, **blocker.as_json(answer["url"])} for blocker in in_the_way]
    return answer


def _whole(slug: str) -> Rollout:
    rollout: Rollout | None = Rollout.objects.whole().filter(slug=slug).first()
    if rollout is None:
        raise Http404(f"There is no rollout {slug[:100]}.")
    return rollout


def _told_now(slug: str, by: Actor) -> dict[str, Any]:
    rollout = _whole(slug)
    now = clock.now()
    likely = forecasts.of(rollout, now, forecasts.Experience())
    return rollout_answer(rollout, facts_of.for_rollout(rollout, now), by, likely)


def _items_now(slug: str, by: Actor) -> dict[str, Any]:
    rollout = _whole(slug)
    facts = facts_of.for_rollout(rollout, clock.now())
    return {"items": [_item_answer(item) for item in items.of(rollout, facts, by)]}


def _item_answer(item: Item) -> dict[str, Any]:
    names = ("key", "title", "kind", "required", "words", "waived", "confirmed_by", "confirmed_at", "may_confirm",
             "waits", "criterion", "answer", "owner", "link")  # fmt: skip
    of_issue = ("url", "title", "state", "is_confidential", "read_at", "is_stale")
    return {
        **{name: getattr(item, name) for name in names},
        "phase": item.phase or None,
        "gate": item.row.gate,
        "step": None if item.step is None else plain_number(item.step),
        "done": item.ok,
        "may_unconfirm": item.may_undo,
        "comparison": item.comparison.as_dict() if item.comparison else None,
        "issue": {name: getattr(item.issue, name) for name in of_issue} if item.issue else None,
    }


def _phase(rollout: Rollout, name: str) -> Phase:
    phases = facts_of.newest_attempts(rollout)
    for phase in phases:
        if phase.name == name:
            return phase
    names = ", ".join(phase.name for phase in phases)
    raise Http404(f"{rollout.slug} has no phase {name[:50]}. There are: {names}, and rollout for the rollout itself.")
