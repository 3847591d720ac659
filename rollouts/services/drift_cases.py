"""Cases of drift: opened and ended by what was read, inside the work that stores the drift itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..models import DriftCase, Override, Rollout, Waiver
from ..rules.blockers import Blocker
from ..rules.drift_cases import Answer, DriftClass, Ending, Found, classify
from ..rules.facts import RolloutFacts
from ..rules.machine import PhaseState
from ..rules.phrases import Phrase, say
from ..rules.waivers import WaiverState

#: How a case ended, by what was done about it.
ENDS = {Answer.RESTORE.value: Ending.RESTORED, Answer.ADOPT.value: Ending.ADOPTED}


@dataclass(frozen=True, slots=True)
class CaseFindings:
    """What differs from the cases that are open: classes that are new, and those that are no more."""

    begun: tuple[Found, ...] = ()
    ended: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.begun or self.ended)


def look(rollout: Rollout, facts: RolloutFacts) -> CaseFindings:
    """``rollout`` comes from ``Rollout.objects.for_rules()``. Changes nothing; no query where nothing is new.

    That GitLab is behind what was just asked of it is waiting, until it has followed once (``rules.health``).
    """
    known = set(rollout.open_drift or ())
    found = {each.kind.value: each for each in classify(facts)}
    if DriftClass.BEHIND in found and DriftClass.BEHIND not in known and _waits(facts):
        del found[DriftClass.BEHIND]
    if DriftClass.REOPENED in found and DriftClass.REOPENED not in known and _was_passed(rollout):
        del found[DriftClass.REOPENED]
    begun = tuple(each for kind, each in found.items() if kind not in known)
    return CaseFindings(begun, tuple(sorted(known - found.keys())))


def settle(
    rollout: Rollout, findings: CaseFindings, facts: RolloutFacts, began: datetime
) -> Iterator[tuple[str, DriftCase]]:
    """The verb and the case of each finding, for its caller to save in an event of its own."""
    ended = list(rollout.drift_cases.open().filter(kind__in=findings.ended)) if findings.ended else []
    for case in ended:
        case.rollout = rollout
        case.end(Ending.OVER if facts.is_over else ENDS.get(case.answer, Ending.ITSELF), at=facts.now)
        yield "ended", case
    for found in findings.begun:
        yield "began", _case(rollout, found, facts, began)
    kinds = [kind for kind in rollout.open_drift or () if kind not in findings.ended]
    rollout.open_drift = [*kinds, *(found.kind.value for found in findings.begun)]


def _case(rollout: Rollout, found: Found, facts: RolloutFacts, began: datetime) -> DriftCase:
    is_of_flag = found.kind is not DriftClass.REOPENED
    return DriftCase(
        rollout=rollout,
        kind=found.kind.value,
        owner=next(iter(rollout.owners), ""),
        since=min(began, facts.now) if is_of_flag else facts.now,
        found_at=facts.now,
        what=list(found.what),
        read_words=facts.reading.words if is_of_flag else "",
        plan_words=facts.expected.words if is_of_flag else "",
    )


def _waits(facts: RolloutFacts) -> bool:
    return any(phase.state == PhaseState.ACTIVE and phase.confirmed_at is None for phase in facts.phases)


def _was_passed(rollout: Rollout) -> bool:
    """Whether an admin passed blockers of it: then what is open may never have been closed."""
    return Override.objects.filter(phase__rollout=rollout).exists()


def stands_at(rollout: Rollout) -> dict[str, Any]:
    """Where GitLab stands by the newest reading: what is let stand is this, and nothing else."""
    reading = rollout.flag.latest
    return {"presence": reading.presence.value, "exposure": reading.exposure.as_json() if reading.exposure else None}


def blockers_of_letting_stand(waiver: Waiver, case: DriftCase) -> list[Blocker]:
    """Why it can't be let stand, or taken over, any more: it has ended, or GitLab has moved since."""
    if not case.is_open:
        message = say("The case has ended: {ending}.", ending=case.get_ending_display())
        return [Blocker("case_over", message, f"#drift-{case.pk}")]
    if case.kind != DriftClass.REOPENED and waiver.covers != stands_at(waiver.rollout):
        message = say("GitLab has moved since it was asked for. It must be asked for again.")
        return [Blocker("moved_since", message, "#exposure")]
    return []


def waivers_over(rollout: Rollout, ended: Iterable[str]) -> list[tuple[Waiver, Phrase]]:
    """Waivers of drift that have nothing to let stand any more, each with why: its case ends, or GitLab has moved.

    No query where nothing was let stand or ends.
    """
    if not rollout.accepted_drift and not ended:
        return []
    found = []
    going = Waiver.objects.with_what().filter(rollout=rollout, drift_case__isnull=False)
    for waiver in going.filter(state__in=(WaiverState.ASKED, WaiverState.GRANTED)):
        waiver.rollout = rollout
        assert waiver.drift_case is not None
        if not waiver.drift_case.is_open or waiver.drift_case.kind in ended:
            found.append((waiver, say("the drift has ended")))
        elif waiver.state == WaiverState.GRANTED and blockers_of_letting_stand(waiver, waiver.drift_case):
            found.append((waiver, say("GitLab has moved since: it counts again")))
    return found


def as_json(case: DriftCase, now: datetime) -> dict[str, Any]:
    """As the API and the command tell it."""
    return {
        "id": case.pk,
        "rollout": case.rollout.slug,
        "flag": case.rollout.flag.name,
        "kind": case.kind,
        "words": str(case.get_kind_display()),
        "state": case.state,
        "owner": case.owner,
        "since": case.since.isoformat(),
        "found_at": case.found_at.isoformat(),
        "seconds": int(case.lasted(now).total_seconds()),
        "what": case.what,
        "gitlab": str(case.read_words),
        "plan": str(case.plan_words),
        "changed_by": case.changed_by,
        "changed_at": case.changed_at.isoformat() if case.changed_at else None,
        "command": case.command,
        "log_url": case.log_url,
        "answer": case.answer,
        "answered_by": case.answered_by,
        "answered_at": case.answered_at.isoformat() if case.answered_at else None,
        "accepted_until": case.waiver.ends_at.isoformat() if case.waiver and case.waiver.stands(now) else None,
        "ended_at": case.ended_at.isoformat() if case.ended_at else None,
        "ending": case.ending,
        "url": f"{case.rollout.get_absolute_url()}#drift-{case.pk}",
    }
