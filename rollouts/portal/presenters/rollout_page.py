"""One rollout on one page: what may be pressed, what blocks it, who sees the model, what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ...audit.actor import Actor
from ...models import AuditEvent, GitLabWrite, Phase, Rollout
from ...rules import commands, health, offers
from ...rules.collisions import Clash
from ...rules.expected import Drift
from ...rules.exposure import leaves_actorless_code_off
from ...rules.facts import RolloutFacts
from ...rules.forecast import Forecast
from ...rules.machine import Role
from ...rules.next_action import NextAction, next_action
from ...rules.offers import Offer
from ...services import facts as facts_of
from ...services import forecasts, gates, outbox, series
from ...services.as_of import Past
from ...services.asked_people import AskedPerson, Everybody
from ...services.clashes import before_approval
from ...services.exposure_history import ExposureHistory, history_of
from ...services.feedback import Feedback
from ...services.feedback import of as feedback_of
from ...services.issues import IssueShown, issue_shown
from ...services.known_people import Named, at_gitlab, named
from ...services.review_clock import ReviewClock, clock_of
from ...services.shared_quota import Sharer, sharers_of
from ..charts.exposure import ExposureChart, chart
from ..charts.metrics import MetricPictures, pictures
from ..charts.ramp import RampPicture, picture
from ..charts.track import Track, track
from .capacity import CapacityTable
from .capacity import table as capacity_table
from .checklist import ChecklistSection, sections
from .checks import Check, before
from .drift import CaseShown
from .drift import of_rollout as drift_cases_of
from .exposure_tables import Tables, tables
from .people import PastRequest, asked_of, shown
from .stations import RequestShown, Station, station_of
from .waivers import WaiverShown
from .waivers import choices as waivable
from .waivers import of_rollout as waivers_of


@dataclass(frozen=True, slots=True)
class RolloutPage:
    """All that the page shows."""

    rollout: Rollout
    facts: RolloutFacts
    health: health.State
    next: NextAction
    track: Track
    stations: tuple[Station, ...]
    before_title: str
    checks: tuple[Check, ...]
    sections: tuple[ChecklistSection, ...]
    items_done: int
    items_all: int
    feedback: tuple[IssueShown, ...]
    waiting_since: datetime | None
    confirmed_since: datetime | None
    actorless: bool
    capacity: CapacityTable
    history: tuple[AuditEvent, ...]
    events_all: int
    earlier_attempts: tuple[Phase, ...]
    ramp: RampPicture | None
    chart: ExposureChart
    tables: Tables
    multiples: MetricPictures
    asked: tuple[PastRequest, ...]
    asked_before: bool
    owners: tuple[Named, ...]
    #: Who of the issues' people is somebody here.
    at_gitlab: dict[str, str]
    #: What can be done: nothing on a page that shows what was.
    actions: tuple[Offer, ...] = ()
    roll_backs: tuple[Offer, ...] = ()
    rollout_actions: tuple[Offer, ...] = ()
    commands: tuple[commands.Command, ...] = ()
    writes: tuple[GitLabWrite, ...] = ()
    #: Who is asked to decide about what waits.
    deciders: tuple[AskedPerson, ...] = ()
    drift_cases: tuple[CaseShown, ...] = ()
    waivers: tuple[WaiverShown, ...] = ()
    waivable: tuple[tuple[str, str], ...] = ()
    clock: ReviewClock | None = None
    #: What people write in the feedback issues.
    comments: tuple[Feedback, ...] = ()
    #: Who else lets more people in on the days of what waits for an answer.
    clashes: tuple[Clash, ...] = ()
    #: When everybody will have it.
    likely: Forecast | None = None

    @property
    def tells_both(self) -> bool:
        """Whether GitLab and the plan have to be told apart: one sentence does where they agree, and drift's own."""
        return self.health.drift is not Drift.NONE and self.health.health is not health.Health.DRIFTING

    @property
    def is_by_hand(self) -> bool:
        """Whether what must happen next is done in GitLab, by the commands on the page, and by no button."""
        return bool(self.commands) and not self.next.verb

    @property
    def request(self) -> RequestShown | None:
        """What waits for an answer, or was granted and not used yet."""
        return next((station.request for station in self.stations if station.request), None)

    @property
    def checks_done(self) -> int:
        return sum(check.ok for check in self.checks)


def build(rollout: Rollout, viewer: Actor, now: datetime) -> RolloutPage:
    """``rollout`` comes from ``Rollout.objects.whole()``; the queries do not grow with what there is to show."""
    facts, history = facts_of.for_rollout(rollout, now), history_of(rollout, now)
    page = _page(rollout, facts, history, viewer, asked_of(rollout), sharers_of(rollout))
    asked = waivers_of(rollout, viewer, now)
    is_at_rest = rollout.is_over or page.health.drift is Drift.NONE
    return replace(
        page,
        likely=forecasts.of(rollout, now, forecasts.Experience(), history.prediction),
        actions=offers.ways_on(facts, facts.current, viewer.person) if facts.current else (),
        roll_backs=offers.ways_back(facts, viewer.person),
        rollout_actions=offers.of_rollout(facts, viewer.person),
        commands=() if is_at_rest else gates.commands_to(rollout, facts, facts.expected),
        writes=tuple(_writes(rollout, viewer)),
        drift_cases=drift_cases_of(rollout, now, viewer),
        waivers=asked,
        comments=feedback_of(rollout, viewer, facts),
        waivable=tuple(waivable(rollout, asked, now)) if viewer.person.has(Role.MANAGER) else (),
        **_waits(facts),
    )


def _waits(facts: RolloutFacts) -> dict[str, Any]:
    """Who is asked to decide, and for how long by now."""
    request = next((phase.request for phase in facts.phases if phase.request), None)
    if request is None or request.is_granted(facts.now):
        return {}
    everybody = Everybody()
    same_day = before_approval([facts], facts.now)[facts.slug]
    clock = clock_of(request, facts.now, everybody)
    return {"deciders": everybody.asked(request), "clock": clock, "clashes": same_day}


def as_it_was(past: Past, viewer: Actor) -> RolloutPage:
    """What the page said then; nothing on it can be done."""
    history = history_of(past.rollout, past.moment, locks_by_hand=past.locks)
    page = _page(past.rollout, past.facts, history, viewer, shown(past.requests), ())
    return replace(
        page,
        drift_cases=drift_cases_of(past.rollout, past.moment, None),
        waivers=waivers_of(past.rollout, None, past.moment),
    )


def _page(
    rollout: Rollout,
    facts: RolloutFacts,
    history: ExposureHistory,
    viewer: Actor,
    requests: tuple[tuple[PastRequest, ...], bool],
    sharers: tuple[Sharer, ...],
) -> RolloutPage:
    asked, asked_before = requests
    phases = {phase.name: phase for phase in facts_of.newest_attempts(rollout)}
    state = health.judge(facts)
    current = facts.current
    row = phases[current.name] if current else None
    is_over = rollout.is_over
    before_title, checks = before(facts, current, rollout, history) if current and not is_over else ("", ())
    parts = sections(rollout, facts, viewer)
    feedback = _feedback(rollout, parts, viewer, facts)
    required = facts.items_due
    coming = next_action(facts)
    return RolloutPage(
        rollout=rollout,
        facts=facts,
        health=state,
        next=coming,
        track=track(facts, state.drift),
        stations=tuple(station_of(phases[phase.name], phase, facts, history) for phase in facts.phases),
        before_title=before_title,
        checks=checks,
        sections=parts,
        items_done=sum(item.is_settled(facts.now) for item in required),
        items_all=len(required),
        feedback=feedback,
        waiting_since=row.stepped_at if row and state.health is health.Health.WAITING else None,
        confirmed_since=row.confirmed_at if row else None,
        actorless=facts.reading.exposure is not None and leaves_actorless_code_off(facts.reading.exposure),
        capacity=capacity_table(facts, sharers, history.prediction),
        history=tuple(AuditEvent.objects.newest_first().of_rollout(rollout.slug).filter(at__lte=facts.now)[:10]),
        earlier_attempts=tuple(p for p in rollout.phases.all() if p.pk not in {n.pk for n in phases.values()}),
        ramp=picture(phases, facts, history.prediction),
        chart=chart(history),
        tables=tables(history),
        multiples=pictures(facts.metrics, _series(rollout, history), history),
        events_all=history.events_all,
        asked=asked,
        asked_before=asked_before,
        owners=tuple(named(rollout.owners)),
        at_gitlab=at_gitlab(_assigned(feedback, parts)),
    )


def _series(rollout: Rollout, history: ExposureHistory) -> dict[str, list[series.Point]]:
    return series.pictured(rollout, history.since, history.known_until) if rollout.guard_metrics else {}


def _feedback(
    rollout: Rollout, parts: tuple[ChecklistSection, ...], viewer: Actor, facts: RolloutFacts
) -> tuple[IssueShown, ...]:
    """The issues that gather feedback and that no item of the checklist shows, each once."""
    shown = {item.issue.url for part in parts for item in part.items if item.issue}
    issues = {link.issue_id: link.issue for link in rollout.issue_links.all() if link.role.endswith("feedback")}
    return tuple(issue_shown(issue, viewer, facts.now) for issue in issues.values() if issue.url not in shown)


def _assigned(feedback: Iterable[IssueShown], parts: Iterable[ChecklistSection]) -> set[str]:
    issues = [*feedback, *(item.issue for part in parts for item in part.items if item.issue)]
    return {name for issue in issues for name in issue.assignees}


def _writes(rollout: Rollout, viewer: Actor) -> list[Any]:
    """What the portal owes to GitLab, what was given up, and the last ones that were done; with what may be done."""
    newest: list[Any] = list(rollout.writes.with_later().order_by("-pk")[:30])
    for write in newest:
        write.offered = [verb for verb in ("again", "cancel") if not outbox.blockers_of(verb, write, viewer)]
    done = [write for write in newest if write.state in ("done", "cancelled")][:3]
    return [write for write in newest if write.state in ("waiting", "begun", "given_up") or write in done]
