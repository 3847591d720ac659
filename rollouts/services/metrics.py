"""Values of guard metrics, as whoever measures tells them: a person on the page, a monitor by API or command."""

from __future__ import annotations

import math
from datetime import datetime

from ..audit.actor import Actor
from ..models import Rollout
from ..rules import guards
from ..rules.blockers import Blocker
from ..rules.datetimes import day_and_clock
from ..rules.machine import Role
from ..rules.metrics import Bound, Number
from ..rules.phrases import say
from ..rules.series import Sample
from . import series
from .readings import LONGEST_EVIDENCE
from .refusals import Refused, in_evidence, refuse_if, role_missing
from .rollout_work import Work, working_on

#: What JSON, databases and people can all write.
MOST = 1e15


def measure(
    rollout: Rollout,
    name: str,
    value: Number,
    *,
    by: Actor,
    evidence: str = "",
    baseline: Number | None = None,
    at: datetime | None = None,
) -> Rollout:
    """Keep a value of a figure, the baseline's beside it, of now or of ``at``; history has those before.

    The same value of the same moment again changes nothing. Raises ``Refused``; then nothing changed.
    """
    evidence = evidence.strip()
    with working_on(rollout.pk, "metric.measure", by=by, reason=evidence) as work:
        recording, rollout = work.recording, work.rollout
        at = at or work.now
        refuse_if(_refusals(work, name, value, baseline, at, by, evidence))
        value, beside = _whole(value), None if baseline is None else _whole(baseline)
        if series.known_at(rollout, name, at) is not None:
            return rollout
        series.keep(rollout, name, [Sample(at, value, beside)])
        known = rollout.measured.get(name)
        if known is None or datetime.fromisoformat(known["at"]) <= at:
            kept = {"value": value, "at": at.isoformat(), "by": by.name, "evidence": evidence}
            kept |= {} if beside is None else {"baseline": beside}
            rollout.measured = {**rollout.measured, name: kept}
            rollout.save()
        series.rejudge(rollout, work.now)
        bound = Bound(name, **rollout.guard_metrics[name])
        recording.about = rollout
        recording.notes = {"metric": bound.title, "read": bound.shown(value)}
        if beside is not None:
            recording.notes["baseline"] = bound.shown(beside)
        if at != work.now:
            recording.notes["of"] = at.isoformat()
    return rollout


def read(written: str) -> Number:
    """A number as a person writes it, with a point or a comma. Raises ``Refused``."""
    try:
        return float(written.replace(",", "."))
    except ValueError:
        message = say("«{written}» is no number. Write it as 1310 or 13.9, without the unit.", written=written[:30])
        raise Refused([Blocker("no_number", message, "#metrics")]) from None


def _whole(value: Number) -> Number:
    return int(value) if float(value).is_integer() else float(value)


def _refusals(
    work: Work, name: str, value: Number, baseline: Number | None, at: datetime, by: Actor, evidence: str
) -> list[Blocker]:
    rollout = work.rollout
    blockers = role_missing(by, Role.MANAGER, say("Telling a value"))
    if name not in rollout.guard_metrics:
        there = ", ".join(rollout.guard_metrics) or say("none")
        message = say("The plan bounds no {name}. There are: {names}.", name=name[:60], names=there)
        blockers.append(Blocker("no_such_metric", message, "#metrics"))
    elif rollout.guard_metrics[name].get("query"):
        message = say("{name} is read from Prometheus: nobody tells it.", name=Bound(name).title)
        blockers.append(Blocker("metric_is_read", message, "#metrics"))
    if any(not math.isfinite(one) or abs(one) > MOST for one in (value, baseline) if one is not None):
        blockers.append(Blocker("no_number", say("The value must be a number that one can write down.")))
        return blockers
    blockers += _of_the_moment(work, name, value, baseline, at)
    blockers += in_evidence(evidence, LONGEST_EVIDENCE)
    if rollout.is_over:
        blockers.append(guards.is_over(rollout.state))
    return blockers


def _of_the_moment(
    work: Work, name: str, value: Number, baseline: Number | None, at: datetime
) -> list[Blocker]:  # fmt: skip
    """Nothing is measured ahead of time, and no moment has two values."""
    shown = say("{moment} UTC", moment=day_and_clock(at, with_year=True))
    if at > work.now:
        message = say("{moment} is yet to come: a value is of a moment that is over.", moment=shown)
        return [Blocker("metric_ahead", message, "#metrics")]
    known = series.known_at(work.rollout, name, at)
    if known is not None and (known.value, known.baseline) != (value, baseline):
        message = say("{moment} has another value already, {known}: no moment has two.", moment=shown,
                      known=say("{n}", n=series.tidied(known.value) or 0))  # fmt: skip
        return [Blocker("metric_twice", message, "#metrics")]
    return []
