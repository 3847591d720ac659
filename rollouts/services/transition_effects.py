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
from ..rules.phrases import say
from . import approvals, series
from . import facts as facts_of
from .refusals import Refused
from .rollout_work import Work


@dataclass(slots=True)
class Effect:
    """What a transition works on: the guards have passed."""

    work: Work
    phase: Phase
    facts: RolloutFacts
    by: Actor
    wish: Wish

    @property
    def now(self) -> datetime:
        return self.work.now


def _request(work: Effect) -> Phase:
    approvals.ask(work.phase, work.facts, by=work.by, now=work.now, to=work.wish.to)
    work.phase.request(by=work.by.name, at=work.now)
    return work.phase


def _approve(work: Effect) -> Phase:
    approvals.approve(work.phase, work.facts, by=work.by, now=work.now, note=work.wish.reason)
    return work.phase


def _reject(work: Effect) -> Phase:
    request = approvals.standing(work.phase)
    approvals.reject(request, by=work.by, now=work.now, reason=work.wish.reason)
    work.phase.reject(reason=work.wish.reason)
    return work.phase


def _withdraw(work: Effect) -> Phase:
    request = approvals.standing(work.phase)
    request.withdraw(by=work.by.name, at=work.now, reason=work.wish.reason)
    request.save()
    work.phase.withdraw(reason=work.wish.reason)
    return work.phase


def _start(work: Effect) -> Phase:
    phase, grant, step = work.phase, approvals.granted(work.phase), _step(work)
    phase.start(grant, at=work.now, step=step)
    _use(grant, work)
    _begin(step, work)
    return phase


def _advance(work: Effect) -> Phase:
    phase, grant, step = work.phase, approvals.granted(work.phase), _step(work)
    if step is None:
        raise Refused([Blocker("last_step", say("There is no further step: complete the phase."))])
    grant = grant if grant is not None and grant.percentage == step.percentage else None
    phase.advance(grant, at=work.now, step=step)
    _use(grant, work)
    _begin(step, work)
    return phase


def _begin(step: RampStep | None, work: Effect) -> None:
    if step is not None:
        step.began_at = work.now
        step.save()


def _use(grant: ApprovalRequest | None, work: Effect) -> None:
    if grant is not None:
        grant.use(by=work.by.name, at=work.now)
        grant.save()


def _step(work: Effect) -> RampStep | None:
    if work.phase.audience != Audience.PERCENTAGE:
        return None
    wanted = work.facts.target(work.facts.phase(work.phase.name), work.wish.to)
    percentage = wanted.percentage if wanted else None
    return next((step for step in work.phase.steps.all() if step.percentage == percentage), None)


def _pause(work: Effect) -> Phase:
    work.phase.pause(at=work.now, reason=work.wish.reason)
    return work.phase


def _resume(work: Effect) -> Phase:
    series.count_anew(work.phase.rollout_id, work.now)
    work.phase.resume()
    return work.phase


def _complete(work: Effect) -> Phase:
    work.phase.complete(at=work.now)
    _drop(work.phase, work, say("the phase is complete"))
    return work.phase


def _skip(work: Effect) -> Phase:
    work.phase.skip(work.phase.waiver, at=work.now, reason=work.wish.reason)
    return work.phase


def _roll_back(work: Effect) -> Phase:
    """The phase and every later one that rests on it; what was asked for on top of it is dropped."""
    why = say("{phase} was rolled back", phase=work.phase.title)
    for later in facts_of.newest_attempts(work.work.rollout):
        if later.position <= work.phase.position:
            continue
        asked = bool(later.standing_requests)
        _drop(later, work, why)
        if later.state in LIVE:
            later.roll_back(at=work.now, reason=work.wish.reason)
        elif asked:
            later.withdraw(reason=why)
        else:
            continue
        later.save()
    _drop(work.phase, work, why)
    work.phase.roll_back(at=work.now, reason=work.wish.reason)
    return work.phase


def _drop(phase: Phase, work: Effect, why: str) -> None:
    for request in phase.standing_requests:
        request.drop(by=work.by.name, at=work.now, reason=why)
        request.save()


#: What a checklist item of the next attempt takes over: what it asks, not who confirmed it.
_ITEM_PATTERN = ("key", "title", "help", "kind", "role", "gate", "required", "guide", "position",
                 "criterion", "step")  # fmt: skip


def _retry(work: Effect) -> Phase:
    """The next attempt: the same plan, a checklist that must be confirmed anew."""
    phase = work.phase
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
        criteria_asked=phase.criteria_asked,
    )
    RampStep.objects.bulk_create(
        RampStep(phase=attempt, percentage=step.percentage, soak=step.soak, auto=step.auto)
        for step in phase.steps.all()
    )
    ChecklistItem.objects.bulk_create(
        ChecklistItem(rollout=phase.rollout, phase=attempt, **{name: getattr(item, name) for name in _ITEM_PATTERN})
        for item in work.work.rollout.items.all()
        if item.phase_id == phase.pk
    )
    work.work.load_phases_again()
    return work.work.phase(phase.name)


EFFECTS: dict[str, Callable[[Effect], Phase]] = {
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
