"""What each verb does to a phase, once its guards have let it pass. Only ``transitions`` calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ..audit.actor import Actor
from ..models import ApprovalRequest, ChecklistItem, Phase, RampStep
from ..rules.blockers import Blocker
from ..rules.expected import Audience
from ..rules.facts import RolloutFacts
from ..rules.guards import Wish
from ..rules.machine import LIVE
from ..rules.words import say
from . import approvals
from . import facts as facts_of
from .refusals import Refused


@dataclass(slots=True)
class Deeds:
    """What a transition works on: the guards have passed."""

    phase: Phase
    facts: RolloutFacts
    by: Actor
    wish: Wish
    now: datetime


def _request(doing: Deeds) -> Phase:
    approvals.ask(doing.phase, doing.facts, by=doing.by, now=doing.now, to=doing.wish.to)
    doing.phase.request(by=doing.by.name, at=doing.now)
    return doing.phase


def _approve(doing: Deeds) -> Phase:
    approvals.approve(doing.phase, doing.facts, by=doing.by, now=doing.now, note=doing.wish.reason)
    return doing.phase


def _reject(doing: Deeds) -> Phase:
    request = approvals.standing(doing.phase)
    request.reject(by=doing.by.name, at=doing.now, reason=doing.wish.reason)
    request.save()
    doing.phase.reject(reason=doing.wish.reason)
    return doing.phase


def _withdraw(doing: Deeds) -> Phase:
    request = approvals.standing(doing.phase)
    request.withdraw(by=doing.by.name, at=doing.now, reason=doing.wish.reason)
    request.save()
    doing.phase.withdraw(reason=doing.wish.reason)
    return doing.phase


def _start(doing: Deeds) -> Phase:
    phase, grant, step = doing.phase, approvals.granted(doing.phase), _step(doing)
    phase.start(grant, at=doing.now, step=step)
    _use(grant, doing)
    _begin(step, doing)
    return phase


def _advance(doing: Deeds) -> Phase:
    phase, grant, step = doing.phase, approvals.granted(doing.phase), _step(doing)
    if step is None:
        raise Refused([Blocker("last_step", say("There is no further step: complete the phase."))])
    grant = grant if grant is not None and grant.percentage == step.percentage else None
    phase.advance(grant, at=doing.now, step=step)
    _use(grant, doing)
    _begin(step, doing)
    return phase


def _begin(step: RampStep | None, doing: Deeds) -> None:
    if step is not None:
        step.began_at = doing.now
        step.save()


def _use(grant: ApprovalRequest | None, doing: Deeds) -> None:
    if grant is not None:
        grant.use(by=doing.by.name, at=doing.now)
        grant.save()


def _step(doing: Deeds) -> RampStep | None:
    if doing.phase.audience != Audience.PERCENTAGE:
        return None
    wanted = doing.facts.target(doing.facts.phase(doing.phase.name), doing.wish.to)
    percentage = wanted.percentage if wanted else None
    return next((step for step in doing.phase.steps.all() if step.percentage == percentage), None)


def _pause(doing: Deeds) -> Phase:
    doing.phase.pause(at=doing.now, reason=doing.wish.reason)
    return doing.phase


def _resume(doing: Deeds) -> Phase:
    doing.phase.resume()
    return doing.phase


def _complete(doing: Deeds) -> Phase:
    doing.phase.complete(at=doing.now)
    _drop(doing.phase, doing, say("the phase is complete"))
    return doing.phase


def _skip(doing: Deeds) -> Phase:
    doing.phase.skip(at=doing.now, reason=doing.wish.reason)
    return doing.phase


def _roll_back(doing: Deeds) -> Phase:
    """The phase and every later one that rests on it; what was asked for on top of it is dropped."""
    why = say("{phase} was rolled back", phase=doing.phase.title)
    for later in facts_of.newest_attempts(doing.phase.rollout):
        if later.position <= doing.phase.position:
            continue
        asked = bool(later.standing_requests)
        _drop(later, doing, why)
        if later.state in LIVE:
            later.roll_back(at=doing.now, reason=doing.wish.reason)
        elif asked:
            later.withdraw(reason=why)
        else:
            continue
        later.save()
    _drop(doing.phase, doing, why)
    doing.phase.roll_back(at=doing.now, reason=doing.wish.reason)
    return doing.phase


def _drop(phase: Phase, doing: Deeds, why: str) -> None:
    for request in phase.standing_requests:
        request.drop(by=doing.by.name, at=doing.now, reason=why)
        request.save()


#: What a checklist item of the next attempt takes over: what it asks, not who confirmed it.
_ITEM_PATTERN = ("key", "title", "help", "kind", "role", "gate", "required", "guide", "position")


def _retry(doing: Deeds) -> Phase:
    """The next attempt: the same plan, a checklist that must be confirmed anew."""
    phase = doing.phase
    attempt = Phase.objects.create(
        rollout=phase.rollout,
        name=phase.name,
        title=phase.title,
        position=phase.position,
        attempt=phase.attempt + 1,
        optional=phase.optional,
        audience=phase.audience,
        actors=phase.actors,
        groups=phase.groups,
        final_soak=phase.final_soak,
    )
    for step in phase.steps.all():
        RampStep.objects.create(phase=attempt, percentage=step.percentage, soak=step.soak, auto=step.auto)
    for item in phase.rollout.items.all():
        if item.phase_id == phase.pk:
            ChecklistItem.objects.create(
                rollout=phase.rollout,
                phase=attempt,
                **{name: getattr(item, name) for name in _ITEM_PATTERN},
            )
    return attempt


APPLY: dict[str, Callable[[Deeds], Phase]] = {
    "request": _request,
    "approve": _approve,
    "reject": _reject,
    "withdraw": _withdraw,
    "start": _start,
    "advance": _advance,
    "pause": _pause,
    "resume": _resume,
    "complete": _complete,
    "skip": _skip,
    "roll_back": _roll_back,
    "retry": _retry,
}
