"""Cases of drift: opened and ended by what was read, inside the work that stores the drift itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..models import DriftCase, Override, Rollout
from ..rules.drift_cases import DriftClass, Ending, Found, classify
from ..rules.facts import RolloutFacts
from ..rules.machine import PhaseState


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
        case.end(Ending.OVER if facts.is_over else Ending.ITSELF, at=facts.now)
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
        "ended_at": case.ended_at.isoformat() if case.ended_at else None,
        "ending": case.ending,
        "url": f"{case.rollout.get_absolute_url()}#drift-{case.pk}",
    }
