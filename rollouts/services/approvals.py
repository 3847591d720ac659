"""Requests and approvals: asked for, given, refused, and settled when what was asked for changes or time runs out.

Called inside a unit of work (``rollout_work``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..audit import source
from ..audit.actor import Actor
from ..models import Approval, ApprovalRequest, Phase, Rollout
from ..rules import digest
from ..rules.approvals import RequestFacts, RequestState
from ..rules.facts import PhaseFacts, RolloutFacts
from ..rules.machine import PhaseState
from . import facts as facts_of
from . import review_clock
from .content import RequestedBy

REMINDS = {"remind": review_clock.AT_HALF, "escalate": review_clock.AT_THE_END}


def ask(phase: Phase, facts: RolloutFacts, *, by: Actor, now: datetime, to: Decimal | None) -> ApprovalRequest:
    """A new request for the next start or step, or for the step ``to``. The guards have passed."""
    about = facts.phase(phase.name)
    wanted, policy = facts.target(about, to), facts.policy(about, to)
    assert wanted is not None
    assert policy is not None
    asked = RequestedBy(by.name, now, now + policy.lives)
    content = facts_of.content_of(phase.rollout, facts, phase, asked, wanted, policy)
    came = source.current()
    request: ApprovalRequest = ApprovalRequest.objects.create(
        phase=phase,
        is_start=wanted.is_start,
        percentage=wanted.percentage,
        requested_by=by.name,
        requested_at=now,
        waiting_since=now,
        expires_at=asked.expires_at,
        digest=digest.of(content),
        content=content,
        policy=about.policy.as_json(),
        source=came.name,
        way=dict(came.way()),
    )
    request.given = []
    phase.standing_requests = [request]
    return request


def approve(phase: Phase, facts: RolloutFacts, *, by: Actor, now: datetime, note: str) -> ApprovalRequest:
    """One more approval; the request is granted when there are enough. The guards have passed."""
    request, about = standing(phase), facts.phase(phase.name)
    assert about.request is not None
    own = about.request.policy.requester_may and by.name == request.requested_by
    came = source.current()
    given = Approval.objects.create(
        request=request,
        approver=by.name,
        person=by.user,
        asked_by=request.requested_by,
        own_allowed=own,
        at=now,
        digest=request.digest,
        note=note,
        source=came.name,
        way=dict(came.way()),
    )
    request.given.append(given)
    review_clock.answered(request, by.user, now)
    counting = {one.by for one in about.request.counting()} | {given.approver}
    if request.state == RequestState.OPEN and len(counting) >= about.request.policy.needed:
        _grant(request, phase, about.request, counting, now, by.user)
    else:
        request.save()
        phase.version += 1
    return request


def reject(request: ApprovalRequest, *, by: Actor, now: datetime, reason: str) -> None:
    review_clock.answered(request, by.user, now)
    review_clock.decided(request, by.user, now)
    request.reject(by=by.name, at=now, reason=reason)
    request.save()


def _grant(
    request: ApprovalRequest,
    phase: Phase,
    facts: RequestFacts,
    counting: set[str],
    now: datetime,
    person: Any = None,
) -> None:
    request.grant(needed=facts.policy.needed)
    review_clock.decided(request, person, now)
    request.save()
    phase.approve(request, by=", ".join(sorted(counting))[:1000], at=now)


def standing(phase: Phase) -> ApprovalRequest:
    """The request that waits for answers or for the start."""
    request: ApprovalRequest = phase.standing_requests[0]
    return request


def granted(phase: Phase) -> ApprovalRequest | None:
    """The granted request, if there is one."""
    return next((one for one in phase.standing_requests if one.state == RequestState.GRANTED), None)


@dataclass(slots=True)
class Settlement:
    """What must be settled of one standing request: it expired, its approvals no longer stand, they stand again, or its
    approvers are to be reminded."""

    phase: Phase
    about: PhaseFacts
    verb: str

    def counts_again(self, facts: RolloutFacts) -> bool:
        """What is asked for is again what enough people approved, who still may."""
        return self.about.request is not None and self.about.request.is_granted(facts.now)


def to_settle(rollout: Rollout, facts: RolloutFacts) -> list[Settlement]:
    """Looks only; ``settle`` does it."""
    settlements = []
    for phase in facts_of.newest_attempts(rollout):
        about = facts.phase(phase.name)
        request = about.request
        if request is None:
            continue
        if request.is_expired(facts.now):
            settlements.append(Settlement(phase, about, "expire"))
        elif request.digest != request.stands:
            settlements.append(Settlement(phase, about, "void"))
        elif request.state == RequestState.GRANTED and not request.is_granted(facts.now):
            settlements.append(Settlement(phase, about, "lapse"))
        elif request.state == RequestState.OPEN and request.is_granted(facts.now):
            settlements.append(Settlement(phase, about, "regain"))
        elif verb := review_clock.due(request, facts.now):
            settlements.append(Settlement(phase, about, verb))
    return settlements


def as_settled(facts: RolloutFacts, name: str) -> RolloutFacts:
    """The facts as they would be once what has changed since is written down (``settle``); for a dry run."""
    about = facts.phase(name)
    request = about.request
    if request is None or request.is_expired(facts.now):
        return facts
    is_granted = request.is_granted(facts.now)
    asked_for = RequestState.GRANTED if is_granted else RequestState.OPEN
    if request.digest == request.stands and request.state == asked_for:
        return facts
    state = about.state
    if state in (PhaseState.APPROVED, PhaseState.REQUESTED):
        state = PhaseState.APPROVED if is_granted else PhaseState.REQUESTED
    asked = replace(request, state=asked_for, digest=request.stands)
    settled = replace(about, request=asked, state=state)
    return replace(facts, phases=tuple(settled if phase is about else phase for phase in facts.phases))


def settle(settlement: Settlement, facts: RolloutFacts, *, by: Actor) -> list[str]:
    """Do it; returns what changed, in sentences.

    Approvals that no longer stand are asked for again; where what is asked for is again what was approved, they count
    again. A phase's version rises with each round, so that nobody decides about another than the one that they saw.
    """
    request, about = standing(settlement.phase), settlement.about
    assert about.request is not None
    changed = list(about.request.changed)
    if settlement.verb == "expire":
        request.expire(by=by.name, at=facts.now)
        request.save()
        settlement.phase.expire()
        settlement.phase.save()
        return []
    if settlement.verb in REMINDS:
        request.reminders = REMINDS[settlement.verb]
        request.save()
        return []
    if request.state == RequestState.GRANTED:
        request.reopen()
        settlement.phase.lapse()
        review_clock.begins(request, facts.now, anew=False)
    if settlement.verb == "void":
        review_clock.begins(request, facts.now, anew=True)
        request.round += 1
        request.content, request.digest = dict(about.request.content), about.request.stands
        request.changed = changed
        request.percentage = about.request.target.percentage if about.request.target else request.percentage
        settlement.phase.version += 1
    request.save()
    settlement.phase.save()
    if about.request.is_granted(facts.now):
        request.changed = []
        _grant(request, settlement.phase, about.request, {one.by for one in about.request.counting()}, facts.now)
        settlement.phase.save()
    return changed
