"""After whatever changed: is the flag where the plan says, and since when; does what was approved still stand?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..audit.actor import Actor
from ..audit.recording import Recording
from ..models import FlagReading, Phase, Rollout, Waiver
from ..rules import health
from ..rules.blockers import in_words
from ..rules.expected import Drift
from ..rules.exposure_history import length
from ..rules.facts import RolloutFacts
from ..rules.machine import MOVING
from ..rules.phrases import Phrase, joined
from ..rules.waivers import WaiverState
from . import approvals, drift_cases, freshness, schedules
from . import facts as facts_of
from .approvals import Settlement
from .drift_cases import CaseFindings
from .locks import NO_LOCKS
from .review_clock import clock_of

JOB, READER = Actor.job("approvals"), Actor.job("sync")


@dataclass(slots=True)
class Findings:
    """What the newest reading says of a rollout, as far as it differs from what is stored."""

    facts: RolloutFacts
    confirmed: list[tuple[Phase, datetime | None]]
    unread: list[tuple[Phase, timedelta]]
    drift: Drift | None
    cases: CaseFindings
    requests: list[Settlement]
    waivers: list[Waiver] = field(default_factory=list)
    moot: list[tuple[Waiver, Phrase]] = field(default_factory=list)

    def __bool__(self) -> bool:
        found = self.confirmed or self.unread or self.cases or self.requests or self.waivers or self.moot
        return bool(found) or self.drift is not None


def look(rollout: Rollout, now: datetime, *, read: bool = True) -> Findings:
    """Compare what is stored with what follows from the facts. Changes nothing.

    ``rollout`` comes from ``Rollout.objects.for_rules()``. A phase is confirmed from when GitLab was first read as
    expected after the step was asked for, and no longer when a reading departs from it. ``read`` is whether
    anything was read since it was looked at last.
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
        elif (
            read
            and phase.confirmed_at is not None
            and (blind := _unread(rollout, facts, phase.confirmed_at)) != phase.unread
        ):
            unread.append((phase, blind))
    kind = health.judge(facts).drift
    cases, run_out = drift_cases.look(rollout, facts), _run_out(rollout, now)
    return Findings(
        facts,
        confirmed,
        unread,
        kind if kind != rollout.drift else None,
        cases,
        approvals.to_settle(rollout, facts),
        run_out,
        [each for each in drift_cases.waivers_over(rollout, cases.ended) if each[0] not in run_out],
    )


def settle_reading(rollout: Rollout, findings: Findings, recording: Recording, *, first: bool = False) -> None:
    """Store what the newest reading says, each finding with an event of its own, ``first`` before that of the recorded
    change.

    Saves the rollout itself too. That GitLab is behind what was just asked of it is no news: until it is no more, and
    the step confirmed, it stands with the recorded change that asked.
    """
    facts, told = findings.facts, _told(findings.facts)
    if not findings.cases:
        _keep_drift(rollout, findings)
    schedules.keep_extent(rollout)
    if recording.change_log.changes or not findings.confirmed:
        rollout.save()
    for phase, confirmed_at in findings.confirmed:
        verb = "confirmed" if confirmed_at else "unconfirmed"
        with recording.finding(f"phase.{verb}", by=READER, about=phase, first=first) as found:
            phase.confirmed_at, found.notes = confirmed_at, told
            phase.save()
            rollout.save()
    for phase, blind in findings.unread:
        with recording.finding("phase.unread", by=READER, about=phase, first=first) as found:
            phase.unread, found.notes = blind, told
            phase.save()
    began = _began(rollout, facts)
    for verb, case in drift_cases.settle(rollout, findings.cases, facts, began):
        with recording.finding(f"drift.{verb}", by=READER, about=case, first=first) as found:
            case.save()
            _keep_drift(rollout, findings)
            found.notes = told
            rollout.save()
    if findings:
        schedules.keep_extent(rollout)
        rollout.save()


def _run_out(rollout: Rollout, now: datetime) -> list[Waiver]:
    """Waivers whose time is over. Of a rollout that is over none: nothing rests on them any more."""
    things: list[Any] = [*rollout.phases.all(), *rollout.items.all()] if not rollout.is_over else []
    if rollout.accepted_until is not None and rollout.accepted_until <= now and not rollout.is_over:
        things += rollout.drift_cases.open().select_related("waiver")
    held = {thing.waiver.pk: thing.waiver for thing in things if thing.waiver_id}
    return [one for one in held.values() if one.state == WaiverState.GRANTED and one.ends_at <= now]


def settle_waiver(waiver: Waiver, now: datetime, recording: Recording) -> None:
    """Its time is over: an event of its own."""
    with recording.finding("waiver.expire", by=JOB, about=waiver):
        waiver.expire(by=JOB.name, at=now)
        waiver.save()


def settle_moot(waiver: Waiver, why: Phrase, now: datetime, recording: Recording) -> None:
    """It has nothing to let stand any more: an event of its own."""
    with recording.finding("waiver.over", by=JOB, about=waiver) as found:
        leave = waiver.withdraw if waiver.state == WaiverState.ASKED else waiver.end
        leave(by=JOB.name, at=now, note=why)
        waiver.save()
        found.reason = why


def settle_request(request: Settlement, facts: RolloutFacts, recording: Recording, *, first: bool = False) -> None:
    """What was asked for has changed, or stands again, or has expired: an event of its own."""
    if request.verb in approvals.REMINDS:
        _remind(request, facts, recording, first=first)
        return
    verb = "regain" if request.counts_again(facts) else request.verb
    with recording.finding(f"approval.{verb}", by=JOB, about=request.phase, first=first) as found:
        found.reason = joined(approvals.settle(request, facts, by=JOB))
        found.notes = _told(facts)


def _remind(request: Settlement, facts: RolloutFacts, recording: Recording, *, first: bool) -> None:
    """At half of the time that the policy gives, and at its end, when others hear of it too; each once a round."""
    about = request.about.request
    assert about is not None
    waited = clock_of(about, facts.now).waited
    notes = {"waited": str(in_words(waited)), "round": approvals.standing(request.phase).round}
    with recording.finding("approval.reminded", by=JOB, about=request.phase, first=first) as found:
        approvals.settle(request, facts, by=JOB)
        found.notes = notes
    if request.verb == "escalate":
        with recording.finding("approval.escalated", by=JOB, about=request.phase, first=first) as found:
            found.notes = notes


def _told(facts: RolloutFacts) -> dict[str, Any]:
    return {"gitlab": facts.reading.words, "plan": facts.expected.words}


def _keep_drift(rollout: Rollout, findings: Findings) -> None:
    if findings.drift is None:
        return
    rollout.drift = findings.drift
    rollout.drift_since = None if findings.drift is Drift.NONE else _began(rollout, findings.facts)


def _began(rollout: Rollout, facts: RolloutFacts) -> datetime:
    """The later of the last intent and the reading that differs from it."""
    phases = facts_of.newest_attempts(rollout)
    intents = [moment for phase in phases for moment in (phase.stepped_at, phase.ended_at) if moment]
    return max([facts.reading.since or facts.now, *intents])


def _unread(rollout: Rollout, facts: RolloutFacts, since: datetime) -> timedelta:
    """How long of the time since GitLab was first read so it was not read; up to the newest reading."""
    flag, read_at = rollout.flag, facts.reading.read_at
    if read_at is None:
        return timedelta(0)
    by_hand = FlagReading.objects.filter(flag=flag, source=FlagReading.Source.BY_HAND)
    held = by_hand.filter(read_at__gt=since - freshness.limit()).values_list("read_at", flat=True)
    return length(freshness.unread(flag, held, since, read_at))


def _confirmed_since(facts: RolloutFacts, stepped_at: datetime | None) -> datetime | None:
    since, read_at = facts.reading.since, facts.reading.read_at
    if since is None or read_at is None or stepped_at is None or read_at < stepped_at:
        return None
    return since if since >= stepped_at else read_at
