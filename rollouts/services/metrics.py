"""Values of guard metrics, as whoever measures tells them: a person on the page, a monitor by API or command."""

from __future__ import annotations

import math

from ..audit.actor import Actor
from ..models import Rollout
from ..rules import guards
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.metrics import Bound, Number
from ..rules.phrases import say
from .readings import LONGEST_EVIDENCE
from .refusals import Refused, in_evidence, refuse_if, role_missing
from .rollout_work import working_on

#: What JSON, databases and people can all write.
MOST = 1e15


def measure(rollout: Rollout, name: str, value: Number, *, by: Actor, evidence: str = "") -> Rollout:
    """Keep the newest value of a figure; history has those before. Raises ``Refused``; then nothing changed."""
    evidence = evidence.strip()
    with working_on(rollout.pk, "metric.measure", by=by, reason=evidence) as work:
        recording, rollout = work.recording, work.rollout
        refuse_if(_refusals(rollout, name, value, by, evidence))
        whole = int(value) if float(value).is_integer() else float(value)
        kept = {"value": whole, "at": work.now.isoformat(), "by": by.name, "evidence": evidence}
        rollout.measured = {**rollout.measured, name: kept}
        rollout.save()
        bound = Bound(name, **rollout.guard_metrics[name])
        recording.about = rollout
        recording.notes = {"metric": bound.title, "read": bound.shown(whole)}
    return rollout


def read(written: str) -> Number:
    """A number as a person writes it, with a point or a comma. Raises ``Refused``."""
    try:
        return float(written.replace(",", "."))
    except ValueError:
        message = say("«{written}» is no number. Write it as 1310 or 13.9, without the unit.", written=written[:30])
        raise Refused([Blocker("no_number", message, "#metrics")]) from None


def _refusals(rollout: Rollout, name: str, value: Number, by: Actor, evidence: str) -> list[Blocker]:
    blockers = role_missing(by, Role.MANAGER, say("Telling a value"))
    if name not in rollout.guard_metrics:
        there = ", ".join(rollout.guard_metrics) or say("none")
        message = say("The plan bounds no {name}. There are: {names}.", name=name[:60], names=there)
        blockers.append(Blocker("no_such_metric", message, "#metrics"))
    if not math.isfinite(value) or abs(value) > MOST:
        blockers.append(Blocker("no_number", say("The value must be a number that one can write down.")))
    blockers += in_evidence(evidence, LONGEST_EVIDENCE)
    if rollout.is_over:
        blockers.append(guards.is_over(rollout.state))
    return blockers
