"""Adopting drift: the plan takes over what GitLab has, by somebody else's yes, as if it had been planned so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from ..audit.actor import Actor
from ..models import DriftCase, RampStep, Waiver
from ..rules.adopting import Adoption, adoption, approvals_needed
from ..rules.blockers import Blocker
from ..rules.drift_cases import Answer, DriftClass
from ..rules.facts import RolloutFacts
from ..rules.machine import MOVING
from ..rules.phrases import say
from ..rules.waivers import Waivable
from .refusals import refuse_if

if TYPE_CHECKING:
    from .rollout_work import Work


def blockers_of(case: DriftCase, facts: RolloutFacts, *, adopts: bool) -> list[Blocker]:
    """Why this can't be asked for now: the case is over, or no phase of the plan could take it over."""
    if not case.is_open:
        return [over(case)]
    if not adopts:
        return []
    found = adoption(facts, DriftClass(case.kind))
    if isinstance(found, Blocker):
        return [found]
    needed = approvals_needed(facts, found)
    if needed > 1:
        message = say("It takes {n} approvals, as the step would: restore the flag, and ask for the step.", n=needed)
        return [Blocker("approvals_needed", message, f"#phase-{found.phase}")]
    return []


def circle(facts: RolloutFacts, case: DriftCase) -> Waivable | None:
    """Whose yes it takes: that of who approves the start of the phase that takes it over."""
    found = adoption(facts, DriftClass(case.kind))
    if isinstance(found, Blocker):
        return Waivable()
    policy = facts.phase(found.phase).policy.start
    return Waivable(policy.roles, policy.groups, policy.lives)


def take_over(work: Work, waiver: Waiver, *, by: Actor, note: str) -> None:
    """Inside the work of who lets the plan take it over. Raises ``Refused``; then nothing changed."""
    case = DriftCase.objects.locked().get(pk=waiver.drift_case_id)
    refuse_if(blockers_of(case, work.facts(), adopts=True))
    found = adoption(work.facts(), DriftClass(case.kind))
    assert isinstance(found, Adoption)
    waiver.adopt(by=by.name, at=work.now, note=note)
    waiver.save()
    case.answered(Answer.ADOPT, by=waiver.asked_by, at=work.now)
    case.save()
    phase = work.phase(found.phase)
    if found.step is None:
        named = "user:" if work.rollout.flag.project_id else ""
        phase.actors = [*phase.actors, *(f"{named}{name}" for name in sorted(found.actors))]
        phase.groups = [*phase.groups, *sorted(found.groups)]
        if phase.state in MOVING:  # its soak starts anew; of one that is complete it is over
            phase.confirmed_at, phase.stepped_at = None, work.now
        phase.save()
    else:
        step = next((row for row in phase.steps.all() if row.percentage == found.step), None)
        step = step or RampStep(phase=phase, percentage=found.step, soak=_soak(phase.steps.all(), found))
        step.began_at = work.now
        step.save()
        phase.adopt(waiver, at=work.now, step=step)
        phase.save()
    if waiver.asked_by not in work.rollout.authors:
        work.rollout.authors = [*work.rollout.authors, waiver.asked_by]
        work.rollout.save()
    work.load_phases_again()
    work.follow()


def _soak(steps: Iterable[RampStep], found: Adoption) -> timedelta:
    """As of the step that was planned next."""
    rows = sorted(steps, key=lambda row: row.percentage)
    later = [row for row in rows if row.percentage > (found.step or 0)]
    return (later or rows)[0].soak


def over(case: DriftCase) -> Blocker:
    message = say("The case has ended: {ending}.", ending=case.get_ending_display())
    return Blocker("case_over", message, f"#drift-{case.pk}")
