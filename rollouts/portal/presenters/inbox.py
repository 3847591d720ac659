"""The approvals inbox: each request with all that is needed to decide, on one screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import OuterRef, Subquery

from ...audit.actor import Actor
from ...models import ApprovalRequest, Phase, Rollout
from ...models.keyset import Keyset
from ...models.rollouts import RolloutQuerySet
from ...rules import guards, offers
from ...rules.approvals import STANDING, RequestFacts
from ...rules.blockers import Blocker, in_words
from ...rules.collisions import Clash
from ...rules.expected import Drift
from ...rules.facts import PhaseFacts, RolloutFacts
from ...rules.guards import Wish
from ...rules.machine import state_in_words
from ...rules.offers import ABOUT_A_REQUEST, Offer
from ...rules.people import SIGN_IN_OLD
from ...rules.phrases import say
from ...services import facts as facts_of
from ...services.asked_people import AskedPerson, Everybody
from ...services.clashes import before_approval
from ...services.issues import IssueShown, issue_shown
from ...services.locks import Locks
from ...services.review_clock import ReviewClock, clock_of
from ..charts.track import Track, track

FEEDBACK = "internal_feedback"
#: Rollouts on one page.
PAGE = 50
BY_TITLE = Keyset("approvals", {"title": str, "id": int})


@dataclass(frozen=True, slots=True)
class Before:
    """What the same step did in the last rollout after the same template."""

    title: str
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Card:
    """One request: what it would do, for whom, what stands in the way, who agreed, and the two buttons."""

    rollout: Rollout
    request: RequestFacts
    title: str
    track: Track
    now_words: str
    then_words: str
    gitlab_words: str
    drifts: bool
    read_at: datetime | None
    reach: str
    requests_per_minute: str
    blockers: tuple[tuple[str, str], ...]
    why_not_me: tuple[Blocker, ...]
    actions: tuple[Offer, ...]
    feedback: IssueShown | None
    last_time: Before | None
    approvals: tuple[tuple[str, datetime, bool, str], ...]
    phase_name: str
    verb: str
    deciders: tuple[AskedPerson, ...]
    is_granted: bool
    clock: ReviewClock
    clashes: tuple[Clash, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """A request that somebody decided about, or that is over."""

    request: ApprovalRequest
    said: str
    at: datetime | None


def waiting() -> RolloutQuerySet:
    """Rollouts with standing requests."""
    standing = ApprovalRequest.objects.filter(state__in=sorted(STANDING)).values("phase__rollout_id")
    return Rollout.objects.whole().filter(pk__in=standing)


def cards(
    viewer: Actor, rollouts: list[Rollout], now: datetime, locks: Locks
) -> tuple[list[Card], list[Card], list[Card]]:
    """Their standing requests: those that wait for the viewer, those that the viewer asked for, all others."""
    mine: list[Card] = []
    asked: list[Card] = []
    others: list[Card] = []
    asked_in = [
        (rollout, facts, phase)
        for rollout in rollouts
        for facts in (facts_of.for_rollout(rollout, now, locks),)
        for phase in facts.phases
        if phase.request is not None
    ]
    everybody = Everybody() if asked_in else None
    earlier = _earlier(phase.request.pk for *_, phase in asked_in if phase.request)
    same_day = before_approval([facts for _, facts, _ in asked_in], now)
    for rollout, facts, phase in asked_in:
        assert phase.request is not None
        assert everybody is not None
        card = _card(rollout, facts, phase, viewer, earlier.get(phase.request.pk), everybody)
        card = replace(card, clashes=same_day[rollout.slug])
        if phase.request.requested_by == viewer.name:
            asked.append(card)
        elif all(each.code == SIGN_IN_OLD for each in card.why_not_me) and not phase.request.is_granted(now):
            mine.append(card)
        else:
            others.append(card)
    return mine, asked, others


def decided_by(viewer: Actor, limit: int = 20) -> list[Decided]:
    """What the viewer approved or rejected, newest first."""
    approved = ApprovalRequest.objects.filter(approvals__approver=viewer.name)
    rejected = ApprovalRequest.objects.filter(state="rejected", closed_by=viewer.name)
    decided = (approved | rejected).distinct().select_related("phase__rollout").order_by("-pk")[:limit]
    return [
        Decided(
            one,
            say("rejected") if one.state == "rejected" and one.closed_by == viewer.name else say("approved"),
            one.closed_at,
        )
        for one in decided
    ]


def _card(
    rollout: Rollout,
    facts: RolloutFacts,
    phase: PhaseFacts,
    viewer: Actor,
    earlier: Phase | None,
    everybody: Everybody,
) -> Card:
    request = phase.request
    assert request is not None
    wanted = request.target
    then = wanted.after if wanted else facts.expected
    reach = then.least_reach
    needed = facts.capacity.needed(reach)
    feedback = facts_of.issue_for(rollout, FEEDBACK, phase.name)
    verb = "start" if wanted is None or wanted.is_start else "advance"
    in_the_way = [
        blocker for blocker in guards.standing_in_the_way(verb, facts, phase) if not blocker.code.startswith("approval")
    ]
    return Card(
        rollout=rollout,
        request=request,
        title=wanted.words(phase.title) if wanted else phase.title,
        track=track(facts, Drift.NONE),
        now_words=facts.expected.words,
        then_words=then.words,
        gitlab_words=facts.reading.words,
        drifts=not facts.is_confirmed,
        read_at=facts.reading.read_at,
        reach=say("{n} % of all actors", n=reach * 100) if reach else say("the people and groups named"),
        requests_per_minute=_load(needed, facts),
        blockers=tuple((b.message, b.url(rollout.get_absolute_url())) for b in in_the_way),
        why_not_me=tuple(guards.blockers("approve", facts, phase.name, viewer.person, Wish.of_who_looks(phase))),
        actions=tuple(each for each in offers.of_phase(facts, phase, viewer.person) if each.verb in ABOUT_A_REQUEST),
        feedback=issue_shown(feedback, viewer, facts.now) if feedback else None,
        last_time=_last_time(earlier) if earlier else None,
        approvals=tuple((one.by, one.at, request.counts(one), one.came) for one in request.given),
        phase_name=phase.name,
        verb=verb,
        deciders=() if request.is_granted(facts.now) else everybody.asked(request),
        is_granted=request.is_granted(facts.now),
        clock=clock_of(request, facts.now, everybody),
    )


def _load(needed: int | None, facts: RolloutFacts) -> str:
    if needed == 0:
        return say("few requests a minute")
    if needed is None:
        return say("requests a minute not known")
    if not facts.capacity.quota:
        return say("{needed} requests a minute at peak", needed=needed)
    quota = facts.capacity.quota
    return say("{needed} requests a minute at peak of a quota of {quota}", needed=needed, quota=quota)


def _earlier(requests: Iterable[int]) -> dict[int, Phase]:
    """By request: the newest attempt of the same phase in another rollout of this kind that got there. Two queries."""
    alike = (
        Phase.objects.filter(
            rollout__template=OuterRef("phase__rollout__template"),
            name=OuterRef("phase__name"),
            started_at__isnull=False,
        )
        .exclude(rollout=OuterRef("phase__rollout"))
        .order_by("-started_at")
        .values("pk")
    )
    that_far = alike.filter(current_step__percentage__gte=OuterRef("percentage"))
    asked = ApprovalRequest.objects.filter(pk__in=list(requests)).annotate(
        alike=Subquery(alike[:1]), that_far=Subquery(that_far[:1])
    )
    earlier = {
        pk: alike if percentage is None else that_far
        for pk, percentage, alike, that_far in asked.values_list("pk", "percentage", "alike", "that_far")
    }
    phases = Phase.objects.select_related("rollout", "current_step").in_bulk({pk for pk in earlier.values() if pk})
    return {request: phases[pk] for request, pk in earlier.items() if pk}


def _last_time(last: Phase) -> Before:
    """What it did."""
    message = state_in_words(last.state)
    assert last.started_at is not None
    if last.completed_at:
        message = say("completed after {length}", length=in_words(last.completed_at - last.started_at))
    elif last.ended_at:
        message = say(
            "rolled back after {length}: {reason}", length=in_words(last.ended_at - last.started_at), reason=last.reason
        )
    elif last.percentage:
        message = say("stands at {percentage} %", percentage=last.percentage)
    return Before(last.rollout.title, last.rollout.get_absolute_url(), message)
