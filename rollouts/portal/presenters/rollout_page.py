"""One rollout on one page: what may be pressed, what blocks it, who sees the model, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ...audit.actor import Actor
from ...models import AuditEvent, GitLabWrite, Override, Phase, Rollout
from ...rules import commands, guards, health
from ...rules.blockers import Blocker, in_words
from ...rules.checklist import ItemKind
from ...rules.expected import Drift
from ...rules.exposure import leaves_actorless_code_off
from ...rules.facts import PhaseFacts, RolloutFacts
from ...rules.guards import Wish
from ...rules.machine import LIVE, PHASE_VERBS, ROLLOUT_VERBS, PhaseState, RolloutState, state_in_words
from ...rules.next_action import NextAction, next_action
from ...rules.words import say, spoken
from ...services import facts as facts_of
from ...services import gates, transitions
from ...services.course import Course, course_of
from ...services.sharing import sharers_of
from .capacity import CapacityTable
from .capacity import table as capacity_table
from .checklist import IssueShown, Item, Section, issue_shown, sections
from .exposure_chart import ExposureChart, chart
from .exposure_tables import Tables, tables
from .people import Asked, asked_of
from .ramp import RampPicture, picture
from .track import StepTick, Track, step_ticks, track

#: The order of buttons: what leads on first, the way back last.
ORDER = ("approve", "start", "advance", "complete", "request", "resume", "retry", "pause", "reject", "withdraw", "skip")
LEADS_ON = frozenset({"approve", "start", "advance", "complete", "request", "resume", "retry"})


@dataclass(frozen=True, slots=True)
class Action:
    """A button: ``blockers`` disable it; an admin may override them where ``can_override`` says so.

    ``looked_at`` is the digest of the request that the person decides about.
    """

    verb: str
    label: str
    phase: str
    version: int
    blockers: tuple[Blocker, ...]
    needs_reason: bool
    is_primary: bool
    can_override: bool
    looked_at: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of «Before …»: a fact that stands, or a blocker with the place that clears it.

    ``detail`` is beside it, with the moment ``since`` which it stands or at which it was read.
    """

    ok: bool
    words: str
    url: str = ""
    detail: str = ""
    since: datetime | None = None


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
    approvals: tuple[tuple[str, datetime, bool], ...]
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


@dataclass(frozen=True, slots=True)
class RolloutPage:
    """All that the page shows."""

    rollout: Rollout
    facts: RolloutFacts
    health: health.State
    next: NextAction
    track: Track
    stations: tuple[Station, ...]
    actions: tuple[Action, ...]
    roll_backs: tuple[Action, ...]
    rollout_actions: tuple[Action, ...]
    before_title: str
    checks: tuple[Check, ...]
    sections: tuple[Section, ...]
    items_done: int
    items_all: int
    learnt: tuple[Item, ...]
    feedback: tuple[IssueShown, ...]
    commands: tuple[commands.Command, ...]
    waiting_since: datetime | None
    confirmed_since: datetime | None
    actorless: bool
    capacity: CapacityTable
    history: tuple[AuditEvent, ...]
    events_all: int
    earlier_attempts: tuple[Phase, ...]
    writes: tuple[GitLabWrite, ...]
    ramp: RampPicture | None
    chart: ExposureChart
    tables: Tables
    asked: tuple[Asked, ...]
    asked_before: bool

    @property
    def tells_both(self) -> bool:
        """Whether GitLab and the plan have to be told apart: one sentence does where they agree."""
        return self.health.drift is not Drift.NONE

    @property
    def request(self) -> RequestShown | None:
        """What waits for an answer, or was granted and not used yet."""
        return next((station.request for station in self.stations if station.request), None)

    @property
    def checks_done(self) -> int:
        return sum(check.ok for check in self.checks)


def build(rollout: Rollout, viewer: Actor, now: datetime) -> RolloutPage:
    """``rollout`` comes from ``Rollout.objects.whole()``; the queries do not grow with what there is to show."""
    facts = facts_of.for_rollout(rollout, now)
    course = course_of(rollout, now)
    asked, asked_before = asked_of(rollout)
    phases = {phase.name: phase for phase in facts_of.newest_attempts(rollout)}
    state = health.judge(facts)
    current = facts.current
    row = phases[current.name] if current else None
    is_over = rollout.state in (RolloutState.CLOSED, RolloutState.ABANDONED)
    before_title, checks = _before(facts, current, rollout, course) if current and not is_over else ("", ())
    parts = sections(rollout, facts, phases, viewer)
    required = [item for item in facts.items if item.required]
    return RolloutPage(
        rollout=rollout,
        facts=facts,
        health=state,
        next=next_action(facts),
        track=track(facts, state.drift),
        stations=tuple(_station(phases[phase.name], phase, facts, course) for phase in facts.phases),
        actions=_actions(facts, current, row, viewer) if current and row else (),
        roll_backs=roll_backs(rollout, facts, viewer),
        rollout_actions=rollout_actions(facts, rollout, viewer),
        before_title=before_title,
        checks=checks,
        sections=parts,
        items_done=sum(item.verdict.satisfied for item in required),
        items_all=len(required),
        learnt=tuple(item for part in parts for item in part.items if item.is_learnt),
        feedback=_feedback(rollout, viewer, facts),
        commands=() if is_over or state.drift is Drift.NONE else gates.commands_to(rollout, facts, facts.expected),
        waiting_since=row.stepped_at if row and state.health is health.Health.WAITING else None,
        confirmed_since=row.confirmed_at if row else None,
        actorless=facts.reading.exposure is not None and leaves_actorless_code_off(facts.reading.exposure),
        capacity=capacity_table(facts, sharers_of(rollout), course.prediction),
        history=tuple(AuditEvent.objects.newest_first().filter(rollout=rollout)[:10]),
        earlier_attempts=tuple(p for p in rollout.phases.all() if p.pk not in {n.pk for n in phases.values()}),
        writes=tuple(_writes(rollout)),
        ramp=picture(phases, facts, course.prediction),
        chart=chart(course),
        tables=tables(course),
        events_all=course.events_all,
        asked=asked,
        asked_before=asked_before,
    )


def _feedback(rollout: Rollout, viewer: Actor, facts: RolloutFacts) -> tuple[IssueShown, ...]:
    """The issues that gather feedback, each once."""
    issues = {link.issue_id: link.issue for link in rollout.issue_links.all() if link.role.endswith("feedback")}
    return tuple(issue_shown(issue, viewer, facts) for issue in issues.values())


def _writes(rollout: Rollout) -> list[GitLabWrite]:
    """What the portal owes to GitLab, what was given up, and the last ones that were done."""
    newest = list(rollout.writes.order_by("-pk")[:30])
    done = [write for write in newest if write.state in ("done", "cancelled")][:3]
    return [write for write in newest if write.state in ("waiting", "begun", "given_up") or write in done]


def roll_backs(rollout: Rollout, facts: RolloutFacts, viewer: Actor) -> tuple[Action, ...]:
    """The way back, latest phase first; on every page of a rollout."""
    phases = {phase.name: phase for phase in facts_of.newest_attempts(rollout)}
    return tuple(
        action_of("roll_back", facts, phase, phases[phase.name].version, viewer)
        for phase in reversed(facts.phases)
        if phase.state in LIVE and viewer.person.has(PHASE_VERBS["roll_back"].role)
    )


def _actions(facts: RolloutFacts, phase: PhaseFacts, row: Phase, viewer: Actor) -> tuple[Action, ...]:
    fitting = [
        name
        for name in ORDER
        if phase.state in PHASE_VERBS[name].sources
        and guards.may(name, facts, phase, viewer.person)
        and _makes_sense(name, facts, phase)
    ]
    return tuple(action_of(name, facts, phase, row.version, viewer) for name in fitting)


def _makes_sense(verb: str, facts: RolloutFacts, phase: PhaseFacts) -> bool:
    """Whether a button for it says anything: no «skip» of what is required, no «approve» of nothing."""
    is_granted = phase.request is not None and phase.request.is_granted(facts.now)
    needs_request = facts.policy(phase) is not None
    match verb:
        case "approve" | "reject":
            return phase.request is not None and not is_granted
        case "withdraw":
            return phase.request is not None
        case "request":
            return phase.request is None and (phase.state == PhaseState.PLANNED or needs_request)
        case "advance":
            return facts.target(phase) is not None and (is_granted or not needs_request)
        case "complete":
            return facts.target(phase) is None or phase.opening.ramp is None
        case "skip":
            return phase.optional
    return True


def action_of(verb: str, facts: RolloutFacts, phase: PhaseFacts, version: int, viewer: Actor) -> Action:
    """The button for a verb as this person sees it."""
    rule = PHASE_VERBS[verb]
    found = guards.blockers(verb, facts, phase.name, viewer.person, Wish(reason="-"))
    anyway = Wish(reason="-", override=True, confirm=facts.slug)
    return Action(
        verb=verb,
        label=_label(verb, facts, phase),
        phase=phase.name,
        version=version,
        blockers=tuple(found),
        needs_reason=rule.needs_reason or verb == "pause",
        is_primary=verb in LEADS_ON,
        can_override=bool(found)
        and rule.overridable
        and not guards.blockers(verb, facts, phase.name, viewer.person, anyway),
        looked_at=phase.request.stands if phase.request and verb in guards.BY_POLICY else "",
    )


def _label(verb: str, facts: RolloutFacts, phase: PhaseFacts) -> str:
    wanted = facts.target(phase)
    is_step = wanted is not None and not wanted.is_start
    what = say("{n} %", n=wanted.percentage) if wanted and is_step else phase.title
    match verb:
        case "advance":
            return say("Advance to {what}", what=what)
        case "request":
            return say("Ask for {what}", what=what)
        case "retry":
            return say("Try {phase} again", phase=phase.title)
        case "approve" | "reject" | "withdraw":
            return say("{verb} {what}", verb=PHASE_VERBS[verb].label, what=what)
    return say("{verb} {what}", verb=PHASE_VERBS[verb].label, what=phase.title)


def rollout_actions(facts: RolloutFacts, rollout: Rollout, viewer: Actor) -> tuple[Action, ...]:
    return tuple(
        Action(
            verb=verb.name,
            label=say("{verb} the rollout", verb=verb.label),
            phase="rollout",
            version=rollout.version,
            blockers=tuple(guards.rollout_blockers(verb.name, facts, viewer.person, reason="-")),
            needs_reason=verb.needs_reason,
            is_primary=verb.name == "close",
            can_override=False,
        )
        for verb in ROLLOUT_VERBS.values()
        if facts.state in verb.sources and viewer.person.has(verb.role)
        if verb.name != "abandon" or not any(phase.state in LIVE for phase in facts.phases)
    )


def _before(facts: RolloutFacts, phase: PhaseFacts, rollout: Rollout, course: Course) -> tuple[str, tuple[Check, ...]]:
    wanted = facts.target(phase) if phase.opening.ramp else None
    if phase.state in (PhaseState.ACTIVE, PhaseState.PAUSED):
        verb = "advance" if wanted else "complete"
        title = (
            _("Before %(percentage)s %%") % {"percentage": wanted.percentage}
            if wanted
            else _("Before %(phase)s is complete") % {"phase": phase.title}
        )
    else:
        verb, title = "start", _("Before %(phase)s starts") % {"phase": phase.title}
    found = guards.standing_in_the_way(verb, facts, phase)
    codes = {blocker.code for blocker in found}
    stands = [check for wanted, check in _facts_that_stand(verb, facts, phase, course) if not codes & set(wanted)]
    return title, tuple(stands + [Check(False, b.message, transitions.url_of(b, rollout)) for b in found])


def _facts_that_stand(
    verb: str, facts: RolloutFacts, phase: PhaseFacts, course: Course
) -> list[tuple[tuple[str, ...], Check]]:
    """For each group of blockers the sentence that is true when none of them stands, with its age."""
    read = facts.reading
    fresh = (("reading_stale",), Check(True, _("The newest reading is fresh"), "", _("GitLab read"), read.read_at))
    capacity = (("capacity_short", "capacity_unknown"), Check(True, facts.capacity.words))
    request = phase.request
    counting = request.counting() if request else ()
    by = _(" and ").join(one.by for one in counting)
    newest = max((one.at for one in counting), default=None)
    agreed = Check(True, _("Approved by %(people)s") % {"people": by}, "", "", newest)
    approved = (
        [(("approval_missing", "approval_void", "approval_lost", "approval_expired"), agreed)] if counting else []
    )
    coming = course.next_lock
    next_lock = _("next: %(title)s, %(at)s") % {"title": coming.title, "at": _when(coming.starts_at)} if coming else ""
    free = (("change_lock", "locks_unknown"), Check(True, _("No change lock holds"), "", next_lock))
    if verb == "start":
        there = _("The flag is there and not ahead: %(words)s") % {"words": spoken(read.words)}
        return [
            (("item_open",), Check(True, _("All required items are satisfied"))),
            (("earlier_phase_open",), Check(True, _("Earlier phases are completed or skipped"))),
            (("flag_missing", "flag_ahead"), Check(True, there, "", _("since"), read.since)),
            fresh,
            free,
            *approved,
            capacity,
        ]
    where_planned = _("GitLab stands where the plan says: %(words)s") % {"words": spoken(read.words)}
    stands = [fresh, (("not_confirmed",), Check(True, where_planned, "", _("since"), read.since))]
    if verb == "complete":
        stood = _("It stood for %(span)s") % {"span": spoken(in_words(phase.final_soak))}
        stands.append((("item_open",), Check(True, _("All items that gate it are satisfied"))))
        return [*stands, (("soak", "not_whole"), Check(True, stood, "", _("confirmed"), phase.confirmed_at))]
    step = phase.opening.ramp.at(phase.opening.step) if phase.opening.ramp and phase.opening.step else None
    soak = _("Soak of %(span)s is over") % {"span": spoken(in_words(step.soak))} if step else _("Soak is over")
    return [*stands, (("soak",), Check(True, soak, "", _("confirmed"), phase.confirmed_at)), free, *approved, capacity]


def _station(row: Phase, phase: PhaseFacts, facts: RolloutFacts, course: Course) -> Station:
    ramp = phase.opening.ramp
    return Station(
        name=phase.name,
        title=phase.title,
        words=" · ".join(_station_words(row, phase, facts, course)),
        reason=row.reason,
        steps=step_ticks(ramp, phase.opening.step),
        has_ramp=ramp is not None,
        policy=phase.policy.words(has_ramp=ramp is not None),
        held_by=row.held_by,
        overrides=tuple(row.overrides.all()),
        request=_request(phase, facts.now) if phase.request else None,
    )


def _station_words(row: Phase, phase: PhaseFacts, facts: RolloutFacts, course: Course) -> list[str]:
    """What a phase's line says: its state and since when, its step, its attempt, what it opens for."""
    said = [spoken(state_in_words(row.state))]
    ramp, step = phase.opening.ramp, phase.opening.step
    if row.state == PhaseState.COMPLETED and row.completed_at and row.started_at:
        day = date_format(localtime(row.completed_at), _("j M"))
        said = [_("completed %(day)s") % {"day": day}, spoken(phase.opening.exposure.words)]
        if decided := _decided(phase, facts):
            said.append(ngettext("%(count)s decision", "%(count)s decisions", decided) % {"count": decided})
        said.append(spoken(in_words(row.completed_at - row.started_at)).replace(" ", "\u00a0"))
    elif row.state in (PhaseState.ACTIVE, PhaseState.PAUSED):
        since = row.confirmed_at
        if ramp and step:
            said.append(_("step %(number)s of %(count)s") % {"number": ramp.number(step), "count": len(ramp.steps)})
        said.append(_("confirmed by GitLab %(at)s") % {"at": _when(since)} if since else _("waiting for GitLab"))
        if since and ramp and step:
            stood = {"stood": spoken(in_words(facts.now - since)), "soak": spoken(in_words(ramp.at(step).soak))}
            said.append(_("stood %(stood)s of %(soak)s") % stood)
    elif row.state == PhaseState.REQUESTED and phase.request:
        given, needed = len(phase.request.counting()), phase.request.policy.needed
        said = [
            _("asked for by %(person)s") % {"person": row.requested_by},
            ngettext("%(given)s of %(needed)s approval", "%(given)s of %(needed)s approvals", needed)
            % {"given": given, "needed": needed},
        ]
    elif row.state == PhaseState.APPROVED:
        said = [_("approved by %(people)s") % {"people": row.approved_by}]
    elif row.ended_at:
        said.append(_when(row.ended_at))
    if ramp and (last := course.prediction.of_step(ramp.steps[-1].percentage)) and row.state != PhaseState.COMPLETED:
        said.append(
            _("%(percentage)s %% at the earliest %(at)s") % {"percentage": last.percentage, "at": _when(last.at)}
        )
    if row.attempt > 1:
        said.append(_("attempt %(number)s") % {"number": row.attempt})
    if phase.state == PhaseState.PLANNED:
        said.append(_("opens for %(whom)s") % {"whom": spoken(phase.opening.at(phase.opening.first_step).words)})
    return said


def _decided(phase: PhaseFacts, facts: RolloutFacts) -> int:
    return sum(
        item.kind is ItemKind.DECISION and item.verdict.satisfied for item in facts.items if item.phase == phase.name
    )


def _when(moment: datetime) -> str:
    return date_format(localtime(moment), _("j M H:i"))


def _request(phase: PhaseFacts, now: datetime) -> RequestShown:
    request = phase.request
    assert request is not None
    counting = {one.by for one in request.counting()}
    return RequestShown(
        words=request.target.words(phase.title) if request.target else phase.title,
        is_granted=request.is_granted(now),
        requested_by=request.requested_by,
        requested_at=request.requested_at,
        expires_at=request.expires_at,
        given=len(counting),
        needed=request.policy.needed,
        approvals=tuple((one.by, one.at, one.by in counting and one.digest == request.stands) for one in request.given),
        changed=request.changed,
        policy=request.policy.words,
    )
