"""One rollout on one page: what may be pressed, what blocks it, who sees the model, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.timezone import localtime

from ...audit.actor import Actor
from ...models import AuditEvent, ChecklistItem, GitLabWrite, Override, Phase, Rollout, TrackedIssue
from ...rules import commands, guards, health
from ...rules.blockers import Blocker, in_words
from ...rules.expected import Drift
from ...rules.exposure import leaves_actorless_code_off
from ...rules.facts import ItemFacts, PhaseFacts, RolloutFacts
from ...rules.guards import Wish
from ...rules.machine import LIVE, PHASE_VERBS, ROLLOUT_VERBS, PhaseState, RolloutState
from ...rules.next_action import NextAction, next_action
from ...services import facts as facts_of
from ...services import gates, transitions
from .ramp import RampPicture, picture
from .track import Track, track, where

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
    """One line of «Before …»: a fact that stands, or a blocker with the place that clears it."""

    ok: bool
    words: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A checklist item with its verdict, its issue as far as the viewer may see it, and whether it has a form."""

    anchor: str
    title: str
    help: str
    ok: bool
    required: bool
    words: str
    issue_url: str
    issue_label: str
    issue_title: str
    read_at: datetime | None
    confirmed_by: str
    confirmed_at: datetime | None
    channel: str
    pk: int
    kind: str
    may_confirm: bool
    may_undo: bool
    guide: str


@dataclass(frozen=True, slots=True)
class RequestShown:
    """A standing request under its phase: what it would do, who agreed, what changed since."""

    words: str
    is_granted: bool
    requested_by: str
    expires_at: datetime
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
    steps: tuple[tuple[int, bool], ...]
    policy: str
    held_by: str
    overrides: tuple[Override, ...]
    request: RequestShown | None


@dataclass(frozen=True, slots=True)
class CapacityRow:
    name: str
    needed: int | None
    share: int | None
    is_short: bool
    is_now: bool


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
    sections: tuple[tuple[str, tuple[Item, ...]], ...]
    items_done: int
    items_all: int
    commands: tuple[commands.Command, ...]
    waiting_since: datetime | None
    confirmed_since: datetime | None
    actorless: bool
    capacity: tuple[CapacityRow, ...]
    history: tuple[AuditEvent, ...]
    earlier_attempts: tuple[Phase, ...]
    writes: tuple[GitLabWrite, ...]
    ramp: RampPicture | None


def build(rollout: Rollout, viewer: Actor, now: datetime, *, is_overdue: bool = False) -> RolloutPage:
    """``rollout`` comes from ``Rollout.objects.whole()``; one query more, for the history."""
    facts = facts_of.for_rollout(rollout, now)
    phases = {phase.name: phase for phase in facts_of.newest_attempts(rollout)}
    state = health.judge(facts, is_overdue=is_overdue)
    current = where(facts.phases)
    row = phases[current.name] if current else None
    is_over = rollout.state in (RolloutState.CLOSED, RolloutState.ABANDONED)
    before_title, checks = _before(facts, current, rollout) if current and not is_over else ("", ())
    sections = _sections(rollout, facts, phases, viewer)
    required = [item for item in facts.items if item.required]
    return RolloutPage(
        rollout=rollout,
        facts=facts,
        health=state,
        next=next_action(facts, viewer.person),
        track=track(facts, state.drift),
        stations=tuple(_station(phases[phase.name], phase, now) for phase in facts.phases),
        actions=_actions(facts, current, row, viewer) if current and row else (),
        roll_backs=roll_backs(rollout, facts, viewer),
        rollout_actions=_rollout_actions(facts, rollout, viewer),
        before_title=before_title,
        checks=checks,
        sections=sections,
        items_done=sum(item.verdict.satisfied for item in required),
        items_all=len(required),
        commands=() if is_over or state.drift is Drift.NONE else gates.commands_to(rollout, facts, facts.expected),
        waiting_since=row.stepped_at if row and state.health is health.Health.WAITING else None,
        confirmed_since=row.confirmed_at if row else None,
        actorless=facts.reading.exposure is not None and leaves_actorless_code_off(facts.reading.exposure),
        capacity=_capacity(facts),
        history=tuple(AuditEvent.objects.newest_first().filter(rollout=rollout)[:8]),
        earlier_attempts=tuple(p for p in rollout.phases.all() if p.pk not in {n.pk for n in phases.values()}),
        writes=tuple(_writes(rollout)),
        ramp=picture(phases, facts),
    )


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
    what = f"{wanted.percentage} %" if wanted and is_step else phase.title
    match verb:
        case "advance":
            return f"Advance to {what}"
        case "request":
            return f"Ask for {what}"
        case "retry":
            return f"Try {phase.title} again"
        case "approve" | "reject" | "withdraw":
            return f"{PHASE_VERBS[verb].label} {what}"
    return f"{PHASE_VERBS[verb].label} {phase.title}"


def _rollout_actions(facts: RolloutFacts, rollout: Rollout, viewer: Actor) -> tuple[Action, ...]:
    return tuple(
        Action(
            verb=verb.name,
            label=f"{verb.label} the rollout",
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


def _before(facts: RolloutFacts, phase: PhaseFacts, rollout: Rollout) -> tuple[str, tuple[Check, ...]]:
    wanted = facts.target(phase) if phase.opening.ramp else None
    if phase.state in (PhaseState.ACTIVE, PhaseState.PAUSED):
        verb = "advance" if wanted else "complete"
        title = f"Before {wanted.percentage} %" if wanted else f"Before {phase.title} is complete"
    else:
        verb, title = "start", f"Before {phase.title} starts"
    found = guards.standing_in_the_way(verb, facts, phase)
    codes = {blocker.code for blocker in found}
    stands = [Check(True, words) for wanted, words in _facts_that_stand(verb, facts, phase) if not codes & set(wanted)]
    return title, tuple(stands + [Check(False, b.message, transitions.url_of(b, rollout)) for b in found])


def _facts_that_stand(verb: str, facts: RolloutFacts, phase: PhaseFacts) -> list[tuple[tuple[str, ...], str]]:
    """For each group of blockers the sentence that is true when none of them stands."""
    age = in_words(facts.now - facts.reading.read_at) if facts.reading.read_at else ""
    fresh = (("reading_stale",), f"GitLab was read {age} ago")
    capacity = (("capacity_short", "capacity_unknown"), facts.capacity.words)
    request = phase.request
    agreed = f"Approved by {' and '.join(one.by for one in request.counting())}" if request else ""
    approved = (("approval_missing", "approval_void", "approval_lost", "approval_expired"), agreed)
    free = (("change_lock", "locks_unknown"), "No change lock holds")
    if verb == "start":
        return [
            (("item_open",), "All required items are satisfied"),
            (("earlier_phase_open",), "Earlier phases are completed or skipped"),
            (("flag_missing", "flag_ahead"), f"The flag is there and not ahead: {facts.reading.words}"),
            fresh,
            free,
            *([approved] if agreed else []),
            capacity,
        ]
    stands = [fresh, (("not_confirmed",), f"GitLab stands where the plan says: {facts.reading.words}")]
    if verb == "complete":
        stands.append((("item_open",), "All items that gate it are satisfied"))
        return [*stands, (("soak", "not_whole"), f"It stood for {in_words(phase.final_soak)}")]
    step = phase.opening.ramp.at(phase.opening.step) if phase.opening.ramp and phase.opening.step else None
    soak = f"Soak of {in_words(step.soak)} is over" if step else "Soak is over"
    return [*stands, (("soak",), soak), free, *([approved] if agreed else []), capacity]


def _sections(
    rollout: Rollout, facts: RolloutFacts, phases: dict[str, Phase], viewer: Actor
) -> tuple[tuple[str, tuple[Item, ...]], ...]:
    stored = {(item.phase_id, item.key): item for item in rollout.items.all()}
    sections: dict[str, list[Item]] = {}
    for item in facts.items:
        phase = phases.get(item.phase or "")
        title = phase.title if phase else "Whole rollout"
        row = stored[phase.pk if phase else None, item.key]
        sections.setdefault(title, []).append(_item(item, row, rollout, phase, viewer))
    return tuple((title, tuple(items)) for title, items in sections.items())


def _item(item: ItemFacts, row: ChecklistItem, rollout: Rollout, phase: Phase | None, viewer: Actor) -> Item:
    issue: TrackedIssue | None = facts_of.issue_for(rollout, row.role, item.phase or "") if row.role else None
    is_open = rollout.state not in (RolloutState.ABANDONED, RolloutState.CLOSED) and (
        phase is None or phase.state not in (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK)
    )
    may = is_open and not row.is_automatic and viewer.person.has(PHASE_VERBS["request"].role)
    return Item(
        anchor=item.where.removeprefix("#"),
        title=item.title,
        help=row.help,
        ok=item.verdict.satisfied,
        required=item.required,
        words=item.verdict.words,
        issue_url=issue.url if issue else "",
        issue_label=f"#{issue.iid}" if issue else "",
        issue_title=issue.title_for(sees_confidential=viewer.sees_confidential) if issue and issue.read_at else "",
        read_at=issue.read_at if issue else None,
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        channel=row.channel,
        pk=row.pk,
        kind=row.kind,
        may_confirm=may and row.confirmed_at is None,
        may_undo=may and row.confirmed_at is not None,
        guide=row.guide,
    )


def _station(row: Phase, phase: PhaseFacts, now: datetime) -> Station:
    said = str(phase.state).replace("_", " ")
    if row.state == PhaseState.COMPLETED and row.completed_at and row.started_at:
        said = f"completed {localtime(row.completed_at):%-d %b} · {in_words(row.completed_at - row.started_at)}"
    elif row.state in (PhaseState.ACTIVE, PhaseState.PAUSED):
        since = row.confirmed_at
        confirmed = f"confirmed by GitLab {localtime(since):%-d %b %H:%M}" if since else "waiting for GitLab"
        said = f"{said} · {confirmed}"
        if since and phase.opening.ramp and phase.opening.step:
            soak = phase.opening.ramp.at(phase.opening.step).soak
            said += f" · stood {in_words(now - since)} of {in_words(soak)}"
    elif row.state == PhaseState.REQUESTED and phase.request:
        given, needed = len(phase.request.counting()), phase.request.policy.needed
        said = f"asked for by {row.requested_by} · {given} of {needed} approval{'' if needed == 1 else 's'}"
    elif row.state == PhaseState.APPROVED:
        said = f"approved by {row.approved_by}"
    if row.attempt > 1:
        said += f" · attempt {row.attempt}"
    if phase.state == PhaseState.PLANNED:
        said += f" · opens for {phase.opening.at(phase.opening.first_step).words}"
    ramp = phase.opening.ramp
    return Station(
        name=phase.name,
        title=phase.title,
        words=said,
        reason=row.reason,
        steps=tuple((step.percentage, step.percentage == phase.opening.step) for step in ramp.steps) if ramp else (),
        policy=phase.policy.words(has_ramp=ramp is not None),
        held_by=row.held_by,
        overrides=tuple(row.overrides.all()),
        request=_request(phase, now) if phase.request else None,
    )


def _request(phase: PhaseFacts, now: datetime) -> RequestShown:
    request = phase.request
    assert request is not None
    counting = {one.by for one in request.counting()}
    return RequestShown(
        words=request.target.words(phase.title) if request.target else phase.title,
        is_granted=request.is_granted(now),
        requested_by=request.requested_by,
        expires_at=request.expires_at,
        needed=request.policy.needed,
        approvals=tuple((one.by, one.at, one.by in counting and one.digest == request.stands) for one in request.given),
        changed=request.changed,
        policy=request.policy.words,
    )


def _capacity(facts: RolloutFacts) -> tuple[CapacityRow, ...]:
    ramp = next((phase for phase in facts.phases if phase.opening.ramp), None)
    if ramp is None or ramp.opening.ramp is None or facts.capacity.peak is None:
        return ()
    quota = facts.capacity.quota
    rows = []
    for step in ramp.opening.ramp.steps:
        needed = facts.capacity.needed(step.percentage / 100)
        share = round(100 * needed / quota) if needed is not None and quota else None
        rows.append(
            CapacityRow(
                f"{step.percentage} %",
                needed,
                share,
                not facts.capacity.carries_reach(step.percentage / 100),
                ramp.state in (PhaseState.ACTIVE, PhaseState.PAUSED) and step.percentage == ramp.opening.step,
            )
        )
    return tuple(rows)
