"""The three answers to a drift case, one way for every door: restore, adopt, accept."""

from __future__ import annotations

from datetime import datetime

from ..audit.actor import Actor
from ..models import DriftCase, GitLabWrite, Rollout, Waiver, clock
from ..rules.blockers import Blocker
from ..rules.drift_cases import Answer, DriftClass
from ..rules.exposure import NOBODY
from ..rules.facts import RolloutFacts
from ..rules.phrases import say
from ..rules.restoring import blockers_of_restoring
from . import adopting, outbox, waivers
from . import facts as facts_of
from .refusals import in_evidence, refuse_if
from .rollout_work import working_on


def give(answer: Answer, case: DriftCase, *, by: Actor, reason: str, ends_at: datetime | None = None) -> Waiver | None:
    """Restore at once; ask somebody else to let the plan adopt it, or to let it stand until ``ends_at``: the waiver.

    Raises ``Refused``; then nothing changed.
    """
    if answer is Answer.RESTORE:
        _restore(case, by=by, reason=reason.strip())
        return None
    adopts = answer is Answer.ADOPT
    return waivers.ask(case, by=by, reason=reason, ends_at=_end(answer, case, ends_at), adopts=adopts)


def blockers_of(
    answer: Answer, case: DriftCase, by: Actor, *, reason: str = "-", ends_at: datetime | None = None
) -> list[Blocker]:
    """Why this person can't answer it so now. Changes nothing."""
    ends_at = _end(answer, case, ends_at)
    now = clock.now()
    rollout: Rollout = Rollout.objects.for_rules().get(pk=case.rollout_id)
    if answer is Answer.RESTORE:
        return _blockers_of_restoring(case, facts_of.for_rollout(rollout, now), by, reason)
    adopts = answer is Answer.ADOPT
    return waivers.blockers_of_ask(rollout, case, by, now, reason=reason, ends_at=ends_at, adopts=adopts)


def _restore(case: DriftCase, *, by: Actor, reason: str) -> None:
    with working_on(case.rollout_id, "drift.restore", by=by, reason=reason) as work:
        current: DriftCase = DriftCase.objects.locked().get(pk=case.pk)
        current.rollout = work.rollout
        facts = work.facts(with_locks=True)
        refuse_if(_blockers_of_restoring(current, facts, by, reason))
        work.recording.about = current
        current.answered(Answer.RESTORE, by=by.name, at=work.now)
        current.save()
        phase = work.phase(facts.current.name) if facts.current else None
        stands = facts.reading.exposure or NOBODY
        owed = outbox.owe_restore(work, phase, stands, by=by)
        work.recording.notes |= {"gitlab": facts.reading.words, "plan": facts.expected.words, "written": owed}


def _blockers_of_restoring(case: DriftCase, facts: RolloutFacts, by: Actor, reason: str) -> list[Blocker]:
    blockers = blockers_of_restoring(facts, DriftClass(case.kind), by.person, reason=reason)
    if not case.is_open:
        blockers.append(adopting.over(case))
    going = GitLabWrite.objects.unfinished().filter(rollout=case.rollout_id, kind=GitLabWrite.Kind.SET_GATES)
    if any(write.wanted == facts.expected.as_json() for write in going):
        blockers.append(Blocker("being_written", say("The flag is being set so already."), "#writes"))
    return blockers + in_evidence(reason, waivers.LONGEST_TEXT)


def _end(answer: Answer, case: DriftCase, ends_at: datetime | None) -> datetime | None:
    """A request to adopt waits as long as one for the step would."""
    if answer is not Answer.ADOPT:
        return ends_at
    now = clock.now()
    facts = facts_of.for_rollout(Rollout.objects.for_rules().get(pk=case.rollout_id), now)
    rule = adopting.circle(facts, case)
    return now + rule.longest if rule else None
