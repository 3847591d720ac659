"""What stands in the way of setting a flag back to where the plan is."""

from __future__ import annotations

from .blockers import Blocker
from .drift_cases import DriftClass
from .expected import Drift
from .exposure import NOBODY, widens
from .facts import RolloutFacts
from .machine import Role
from .people import Person
from .phrases import say
from .progress import lock_blockers

D = DriftClass


def blockers_of_restoring(facts: RolloutFacts, kind: DriftClass, person: Person, *, reason: str) -> list[Blocker]:
    """Why the flag can't go back to where the plan is; under a change lock it lets nobody more in."""
    blockers = role_blockers(person)
    if not reason.strip():
        blockers.append(Blocker("reason_missing", say("Restoring needs a reason.")))
    if kind is D.REOPENED:
        blockers.append(Blocker("not_of_flag", say("The issue is closed in GitLab: no flag brings it back."), "#drift"))
    elif facts.drift is Drift.NONE:
        blockers.append(Blocker("case_over", say("GitLab is as planned: there is nothing to restore."), "#drift"))
    elif facts.drift is Drift.MISSING:
        message = say("GitLab does not know the flag: its definition must come back first.")
        blockers.append(Blocker("flag_missing", message, "#exposure"))
    elif widens(facts.reading.exposure or NOBODY, facts.expected):
        blockers += lock_blockers(facts)
    return blockers


def role_blockers(person: Person) -> list[Blocker]:
    if person.has(Role.MANAGER):
        return []
    message = say("Answering drift takes the role manager; {by} has not got it.", by=person.name)
    return [Blocker("role", message)]
