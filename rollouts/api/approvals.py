"""Requests for approval that stand: what would be done, who agreed, and whether the caller may."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from ..models import ApprovalRequest, Rollout, clock, keyset
from ..models.keyset import Keyset
from ..rules import guards
from ..rules.approvals import STANDING, RequestFacts
from ..rules.guards import Wish
from ..rules.percentages import plain_number
from ..services import clashes, locks
from ..services import facts as facts_of
from ..services.asked_people import Everybody
from ..services.lists.asked import Asked
from ..services.review_clock import clock_of
from . import answers, pages, questions
from .auth import actor
from .contract import LIST

router = Router(tags=["approvals"])
OLDEST_FIRST = Keyset("approvals", {"pk": int})


@router.get("/approvals", response={200: answers.Requests, **LIST}, summary="Requests that wait", exclude_unset=True)
def approvals(request: HttpRequest, asked: Query[questions.PageAsked]) -> dict[str, Any]:
    """Oldest first. Decide by `POST /rollouts/{slug}/phases/{phase}/approve`, or `reject`, with `looked_at`."""
    by, now = actor(request), clock.now()
    standing = ApprovalRequest.objects.filter(state__in=sorted(STANDING)).select_related("phase")
    holding = locks.standing(now)
    with keyset.snapshot():  # a request that is withdrawn between the two would leave a gap
        page = pages.read(Asked(asked.query, standing), OLDEST_FIRST, asked.limit)
        rollouts = Rollout.objects.for_rules().filter(pk__in=[each.phase.rollout_id for each in page.rows])
        whole = {rollout.pk: rollout for rollout in rollouts}
    told = {pk: facts_of.for_rollout(rollout, now, holding) for pk, rollout in whole.items()}
    same_day = clashes.before_approval(list(told.values()), now)
    items, everybody = [], Everybody()
    for pk, rollout_id, name in ((each.pk, each.phase.rollout_id, each.phase.name) for each in page.rows):
        rollout = whole[rollout_id]
        facts = told[rollout_id]
        about = facts.phase(name).request
        if about is None or about.pk != pk:
            continue
        blockers = guards.blockers("approve", facts, name, by.person, Wish.of_who_looks(facts.phase(name)))
        items.append(
            {
                "id": pk,
                "rollout": rollout.slug,
                "phase": name,
                "what": about.target.words(facts.phase(name).title) if about.target else name,
                "percentage": plain_number(about.target.percentage)
                if about.target and about.target.percentage
                else None,
                "state": about.state,
                "requested_by": about.requested_by,
                "requested_at": about.requested_at,
                "expires_at": about.expires_at,
                "digest": about.stands,
                "content": dict(about.content),
                "changed": list(about.changed),
                "needed": about.policy.needed,
                "approvals": [
                    {
                        "by": one.by,
                        "at": one.at,
                        "counts": about.counts(one),
                        "source": one.source,
                        "way": dict(one.way),
                    }
                    for one in about.given
                ],
                "blockers": [blocker.as_json(rollout.get_absolute_url()) for blocker in blockers],
                "same_day": [clash.as_json() for clash in same_day[rollout.slug]],
                "clock": _clock(about, now, everybody),
                "asked": [one.name for one in everybody.asked(about)],
                "url": rollout.get_absolute_url(),
            }
        )
    return pages.holding(items, page)


def _clock(about: RequestFacts, now: datetime, everybody: Everybody) -> dict[str, Any]:
    clock = clock_of(about, now, everybody)
    return {
        "waited": _seconds(clock.waited),
        "runs": clock.runs,
        "within": _seconds(clock.within),
        "reminder_at": clock.half_at,
        "ends_at": clock.ends_at,
        "reminders": about.reminders,
        "first_answer_after": _seconds(clock.first_answer_after),
        "decided_after": _seconds(clock.decided_after),
    }


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
