"""After every transition and every sync: is the flag where the plan says, and since when?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import FlagReading, Phase, ReadingGap, Rollout
from ..rules import health
from ..rules.expected import Drift
from ..rules.exposure_history import unread_within
from ..rules.facts import RolloutFacts
from ..rules.machine import PhaseState
from ..rules.phrases import joined
from . import approvals, schedules
from . import facts as facts_of
from .approvals import Settlement
from .locks import Locks

JOB = Actor.job("approvals")
NO_LOCKS = Locks()
MOVING = (PhaseState.ACTIVE, PhaseState.PAUSED)


@dataclass(slots=True)
class Findings:
    """What the newest reading says of a rollout, as far as it differs from what is stored."""

    facts: RolloutFacts
    confirmed: list[tuple[Phase, datetime | None]]
    unread: list[tuple[Phase, timedelta]]
    drift: Drift | None
    requests: list[Settlement]

    def __bool__(self) -> bool:
        return bool(self.confirmed or self.unread or self.requests) or self.drift is not None


def look(rollout: Rollout, now: datetime) -> Findings:
    """Compare what is stored with what follows from the facts. Changes nothing.

    ``rollout`` comes from ``Rollout.objects.whole()``. A phase is confirmed from when GitLab was first read as
    expected after the step was asked for, and no longer when a reading departs from it.
    """
    facts = facts_of.for_rollout(rollout, now, NO_LOCKS)  # whether something is locked changes nothing here
    confirmed: list[tuple[Phase, datetime | None]] = []
    unread: list[tuple[Phase, timedelta]] = []
    for phase in facts_of.newest_attempts(rollout):
        if phase.state not in MOVING:
            continue
        if facts.is_confirmed and phase.confirmed_at is None:
            if since := _confirmed_since(facts, phase.stepped_at):
                confirmed.append((phase, since))
        elif not facts.is_confirmed and phase.confirmed_at is not None:
            confirmed.append((phase, None))
        elif phase.confirmed_at is not None and (blind := _unread(rollout, facts, phase.confirmed_at)) != phase.unread:
            unread.append((phase, blind))
    kind = health.judge(facts).drift
    return Findings(
        facts, confirmed, unread, kind if kind != rollout.drift else None, approvals.to_settle(rollout, facts)
    )


def reconcile(rollout: Rollout, now: datetime, by: Actor = JOB) -> Findings:
    """Store what ``look`` finds, and from when to when the rollout lasts, inside the change that is being recorded."""
    findings = look(rollout, now)
    for request in findings.requests:
        approvals.settle(request, findings.facts, by=by)
    for phase, confirmed_at in findings.confirmed:
        phase.confirmed_at = confirmed_at
        phase.save()
    for phase, blind in findings.unread:
        phase.unread = blind
        phase.save()
    if findings.drift is not None:
        rollout.drift = findings.drift
        rollout.drift_since = None if findings.drift is Drift.NONE else _began(rollout, findings.facts, now)
        rollout.save()
    schedules.keep_extent(rollout)
    return findings


def reconcile_alone(pk: int, *, by: Actor, now: datetime) -> None:
    """The same after a sync: a recorded change of its own, named after what was found."""
    with recorded("rollout.reconcile", by=by) as recording:
        Rollout.objects.lock(pk)
        rollout = Rollout.objects.whole().get(pk=pk)
        findings = reconcile(rollout, now)
        if not findings:
            return
        recording.rollout = recording.about = rollout
        if findings.requests:
            settled = findings.requests[0]
            verb = "regain" if settled.counts_again(findings.facts) else settled.verb
            recording.about, recording.verb = settled.phase, f"approval.{verb}"
            recording.reason = joined(settled.about.request.changed) if settled.about.request else ""
        elif findings.confirmed:
            recording.about, since = findings.confirmed[0]
            recording.verb = "phase.confirmed" if since else "phase.unconfirmed"
        elif findings.unread:
            (recording.about, _), *_ = findings.unread
            recording.verb = "phase.unread"
        else:
            recording.verb = "drift.ended" if findings.drift is Drift.NONE else "drift.began"
        recording.notes = {"gitlab": findings.facts.reading.words, "plan": findings.facts.expected.words}


def _began(rollout: Rollout, facts: RolloutFacts, now: datetime) -> datetime:
    """The later of the last intent and the reading that differs from it."""
    phases = facts_of.newest_attempts(rollout)
    intents = [moment for phase in phases for moment in (phase.stepped_at, phase.ended_at) if moment]
    return max([facts.reading.since or now, *intents])


def _unread(rollout: Rollout, facts: RolloutFacts, since: datetime) -> timedelta:
    """How long of the time since GitLab was first read so it was not read; up to the newest reading."""
    flag, read_at = rollout.flag, facts.reading.read_at
    if read_at is None:
        return timedelta(0)
    freshness = timedelta(seconds=settings.FRESHNESS_SECONDS)
    rows = ReadingGap.objects.filter(instance=flag.instance_id, project=flag.project_id, until__gt=since)
    gaps = [(start or since, until) for start, until in rows.values_list("since", "until")]
    by_hand = FlagReading.objects.filter(flag=flag, source=FlagReading.Source.BY_HAND, read_at__gt=since - freshness)
    held = [(at, at + freshness) for at in by_hand.values_list("read_at", flat=True)]
    if held:  # GitLab itself was read up to then, and since then only by people
        gaps.append((flag.scope_read_at or since, read_at))
    return unread_within(since, read_at, gaps, held)


def _confirmed_since(facts: RolloutFacts, stepped_at: datetime | None) -> datetime | None:
    since, read_at = facts.reading.since, facts.reading.read_at
    if since is None or read_at is None or stepped_at is None or read_at < stepped_at:
        return None
    return since if since >= stepped_at else read_at
