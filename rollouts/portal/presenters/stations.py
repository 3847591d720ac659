"""The phases under the track: what each line says, and the request that stands under it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import date_format, localize
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ...models import Override, Phase
from ...rules.blockers import in_words
from ...rules.checklist import ItemKind
from ...rules.expected import Drift
from ...rules.facts import PhaseFacts, RolloutFacts
from ...rules.machine import PhaseState, state_in_words
from ...rules.phrases import spoken
from ...services.exposure_history import ExposureHistory
from ..charts.track import StepTick, step_ticks
from .datetimes import day_and_clock


@dataclass(frozen=True, slots=True)
class RequestShown:
    """A standing request under its phase: what it would do, who agreed, what changed since."""

    words: str
    is_granted: bool
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    given: int
    needed: int
    came: str
    approvals: tuple[tuple[str, datetime, bool, str], ...]
    changed: tuple[str, ...]
    policy: str


@dataclass(frozen=True, slots=True)
class Station:
    """A phase under the track."""

    name: str
    title: str
    words: str
    reason: str
    steps: tuple[StepTick, ...]
    has_ramp: bool
    policy: str
    held_by: str
    overrides: tuple[Override, ...]
    request: RequestShown | None


def station_of(row: Phase, phase: PhaseFacts, facts: RolloutFacts, history: ExposureHistory) -> Station:
    ramp = phase.opening.ramp
    return Station(
        name=phase.name,
        title=phase.title,
        words=" · ".join(_station_words(row, phase, facts, history)),
        reason=row.reason,
        steps=step_ticks(ramp, phase.opening.step),
        has_ramp=ramp is not None,
        policy=phase.policy.words(has_ramp=ramp is not None),
        held_by=row.held_by,
        overrides=tuple(row.overrides.all()),
        request=_request(phase, facts.now) if phase.request else None,
    )


def _station_words(row: Phase, phase: PhaseFacts, facts: RolloutFacts, history: ExposureHistory) -> list[str]:
    """What a phase's line says: its state and since when, its step, its attempt, what it opens for."""
    messages = [spoken(state_in_words(row.state))]
    ramp, step = phase.opening.ramp, phase.opening.step
    if row.state == PhaseState.COMPLETED and row.completed_at and row.started_at:
        day = date_format(localtime(row.completed_at), _("j M"))
        messages = [_("completed %(day)s") % {"day": day}, spoken(phase.opening.exposure.words)]
        if decided := _decided(phase, facts):
            messages.append(ngettext("%(count)s decision", "%(count)s decisions", decided) % {"count": decided})
        messages.append(spoken(in_words(row.completed_at - row.started_at)).replace(" ", "\u00a0"))
    elif row.state in (PhaseState.ACTIVE, PhaseState.PAUSED):
        since = row.confirmed_at
        if ramp and step:
            messages.append(_("step %(number)s of %(count)s") % {"number": ramp.number(step), "count": len(ramp.steps)})
        if since:
            messages.append(_("confirmed by GitLab %(at)s") % {"at": day_and_clock(since)})
        else:
            strays = facts.drift in (Drift.AHEAD, Drift.DIFFERENT, Drift.MISSING)
            messages.append(_("GitLab stands elsewhere") if strays else _("waiting for GitLab"))
        if since and (phase.soak or ramp):
            messages += _stood(phase, facts, history)
    elif row.state == PhaseState.REQUESTED and phase.request:
        given, needed = len(phase.request.counting()), phase.request.policy.needed
        messages = [
            _("asked for by %(person)s") % {"person": row.requested_by},
            ngettext("%(given)s of %(needed)s approval", "%(given)s of %(needed)s approvals", needed)
            % {"given": given, "needed": needed},
        ]
    elif row.state == PhaseState.APPROVED:
        messages = [_("approved by %(people)s") % {"people": row.approved_by}]
    elif row.ended_at:
        messages.append(day_and_clock(row.ended_at))
    if ramp and (last := history.prediction.of_step(ramp.steps[-1].percentage)) and row.state != PhaseState.COMPLETED:
        messages.append(
            _("%(percentage)s %% at the earliest %(at)s")
            % {"percentage": localize(last.percentage), "at": day_and_clock(last.at)}
        )
    if row.attempt > 1:
        messages.append(_("attempt %(number)s") % {"number": row.attempt})
    if phase.state == PhaseState.PLANNED:
        messages.append(_("opens for %(whom)s") % {"whom": spoken(phase.opening.at(phase.opening.first_step).words)})
    return messages


def _stood(phase: PhaseFacts, facts: RolloutFacts, history: ExposureHistory) -> list[str]:
    """What the clock of the soak did: «stood 1 d of 2 d», or «read for 3 h of 24 h» and when it stood still."""
    lengths = {"stood": spoken(in_words(facts.stood(phase) or timedelta(0))), "soak": spoken(in_words(phase.soak))}
    since = phase.confirmed_at or facts.now
    gaps = [piece for piece in history.pieces if not piece.is_known and piece.end > since]
    spans: list[tuple[datetime, datetime]] = []
    for gap in gaps:
        start = max(gap.start, since)
        if spans and spans[-1][1] == start:
            start = spans.pop()[0]
        spans.append((start, gap.end))
    if not spans:
        return [_("stood %(stood)s of %(soak)s") % lengths]
    first, last = spans[-1]
    blind = {"since": day_and_clock(first), "until": day_and_clock(last), "times": len(spans)}
    sentences = [
        _("read for %(stood)s of %(soak)s") % lengths,
        _("blind from %(since)s to %(until)s: that does not count") % blind
        if len(spans) == 1
        else _("blind %(times)s times, at last from %(since)s to %(until)s: that does not count") % blind,
    ]
    return sentences


def _decided(phase: PhaseFacts, facts: RolloutFacts) -> int:
    return sum(
        item.kind is ItemKind.DECISION and item.verdict.satisfied for item in facts.items if item.phase == phase.name
    )


def _request(phase: PhaseFacts, now: datetime) -> RequestShown:
    request = phase.request
    assert request is not None
    return RequestShown(
        words=request.target.words(phase.title) if request.target else phase.title,
        is_granted=request.is_granted(now),
        requested_by=request.requested_by,
        requested_at=request.requested_at,
        expires_at=request.expires_at,
        given=len(request.counting()),
        needed=request.policy.needed,
        came=request.came,
        approvals=tuple((one.by, one.at, request.counts(one), one.came) for one in request.given),
        changed=request.changed,
        policy=request.policy.words,
    )
