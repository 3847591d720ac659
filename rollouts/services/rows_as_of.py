"""The rows of one rollout as they were at a moment, connected as ``Rollout.objects.whole()`` loads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import models

from ..audit.replay import Replay, row_of
from ..models import (
    AIModel,
    Approval,
    ApprovalRequest,
    AuditEvent,
    ChangeLock,
    ChecklistItem,
    DriftCase,
    FeatureFlag,
    FlagReading,
    GitLabActor,
    GitLabInstance,
    GitLabProject,
    IncidentSource,
    Override,
    Phase,
    PlanTemplate,
    RampStep,
    Rollout,
    RolloutIssue,
    RolloutOrder,
    TrackedIssue,
    Waiver,
    roles,
)
from ..models.orders import Told
from ..rules.approvals import STANDING
from ..rules.expected import Audience
from ..rules.facts import RolloutFacts
from ..rules.machine import LIVE, OVER
from ..rules.ordering import Order
from ..rules.phrases import say
from . import freshness, locks, schedules, series

Row = TypeVar("Row", bound=models.Model)
#: So many rollouts that share a flag or a quota are looked at.
MOST_OTHERS = 50
User = get_user_model()


class Built:
    """The rows of one rollout at one moment, connected as ``Rollout.objects.whole()`` loads them."""

    def __init__(self, replay: Replay, rollout: Rollout, moment: datetime, untold: list[str]) -> None:
        self.replay, self.rollout, self.moment, self.untold = replay, rollout, moment, untold
        self.requests: tuple[ApprovalRequest, ...] = ()

    def _shared(self, kind: type[Row], key: Any) -> Any:
        """What several rollouts rest on; of one that was there before the history, the rest is as it is now."""
        if key is None:
            return None
        values = self.replay.values(kind.__name__, key, self.moment)
        if values is None or not self.replay.is_made(kind.__name__, key):
            made = next((told.after for told in self.replay.told(kind.__name__, key) if told.is_made), None)
            now = kind._default_manager.filter(pk=key).first()
            kept = now.as_it_is() if now is not None else {}  # type: ignore[attr-defined]
            values = {**(made or kept), **(values or {})}
            name = now.public_name() if now is not None else key  # type: ignore[attr-defined]
            self.untold.append(
                say(
                    "«{name}» was there before its history begins: what no event until then tells of it stands here as "
                    "it was told first, or is now.",
                    name=name,
                )
            )
        return row_of(kind, {**(values or {}), "id": int(key)})

    def connect_plan(self) -> None:
        """As far as its plan document tells; no query of what the history tells from its making on."""
        rollout = self.rollout
        rollout.ai_model = self._shared(AIModel, rollout.ai_model_id)
        rollout.baseline = self._shared(AIModel, rollout.baseline_id)
        rollout.template = self._shared(PlanTemplate, rollout.template_id)
        rollout.flag = self._shared(FeatureFlag, rollout.flag_id)
        rollout.flag.instance = self._shared(GitLabInstance, rollout.flag.instance_id)
        rollout.flag.project = self._project(rollout.flag.project_id)
        self._neighbours()
        self._phases()
        links = sorted(self._own(RolloutIssue), key=lambda link: link.role)
        for link in links:
            link.issue = self._issue(link.issue_id)
        _know(rollout, "issue_links", links)

    def connect(self) -> None:
        self.connect_plan()
        rollout = self.rollout
        self._reading(rollout.flag)
        for link in rollout.issue_links.all():
            self._read_issues(link.issue.project)
        rollout.others_live = self._others_live()
        rollout.asked_by_others, rollout.untold_by_others = self._asked_by_others()
        cases = sorted(self._own(DriftCase), key=lambda case: (case.found_at, case.pk), reverse=True)
        for case in cases:
            case.rollout = rollout
        _know(rollout, "drift_cases", cases)
        rollout.open_drift = [case.kind for case in cases if case.is_open]
        rollout.accepted_drift, rollout.accepted_until = None, None
        rollout.marks = rollout.settled = 0
        _know(rollout, "items", sorted(self._own(ChecklistItem), key=lambda item: (item.position, item.pk)))
        self._waivers()
        rollout.metric_watch = series.as_of(rollout, self.moment)
        schedules.keep_extent(rollout)

    def _own(self, kind: type[Row]) -> list[Row]:
        return [row for row in self.replay.all(kind, self.moment) if row.rollout_id == self.rollout.pk]  # type: ignore[attr-defined]

    def _phases(self) -> None:
        phases = sorted(self._own(Phase), key=lambda phase: (phase.position, phase.attempt))
        requests = {row.pk: row for row in self.replay.all(ApprovalRequest, self.moment)}
        people: dict[int, Any] = {}
        given: dict[int, list[Approval]] = {}
        for approval in sorted(self.replay.all(Approval, self.moment), key=lambda one: (one.at, one.pk)):
            if approval.person_id is not None:
                person = people.setdefault(approval.person_id, self._person(approval.person_id))
                approval.person, approval.groups = person, person._group_names  # type: ignore[attr-defined]
            given.setdefault(approval.request_id, []).append(approval)
        for request in requests.values():
            request.given = given.get(request.pk, [])
            _know(request, "approvals", request.given)
        steps, overrides = list(self.replay.all(RampStep, self.moment)), list(self.replay.all(Override, self.moment))
        for phase in phases:
            phase.rollout = self.rollout
            mine = sorted((s for s in steps if s.phase_id == phase.pk), key=lambda step: step.percentage)
            passed = [each for each in overrides if each.phase_id == phase.pk]
            asked = [each for each in requests.values() if each.phase_id == phase.pk]
            _know(phase, "steps", mine)
            _know(phase, "overrides", sorted(passed, key=lambda one: (one.at, one.pk), reverse=True))
            phase.current_step = next((step for step in mine if step.pk == phase.current_step_id), None)
            phase.grant = requests.get(phase.grant_id or 0)
            phase.knows_asked = True
            phase.asked = next((one for one in asked if one.state in STANDING), None)
            for request in asked:
                request.phase = phase
            for override in passed:
                override.phase = phase
        _know(self.rollout, "phases", phases)
        mine_too = {phase.pk for phase in phases}
        self.requests = tuple(
            sorted(
                (one for one in requests.values() if one.phase_id in mine_too),
                key=lambda one: (one.requested_at, one.pk),
                reverse=True,
            )
        )

    def _waivers(self) -> None:
        phases = {phase.pk: phase for phase in self.rollout.phases.all()}
        items = {item.pk: item for item in self.rollout.items.all()}
        cases = {case.pk: case for case in self.rollout.drift_cases.all()}
        waivers = self._own(Waiver)
        for waiver in waivers:
            waiver.rollout = self.rollout
            waiver.phase = phases.get(waiver.phase_id or 0)
            waiver.item = items.get(waiver.item_id or 0)
            waiver.drift_case = cases.get(waiver.drift_case_id or 0)
        known = {waiver.pk: waiver for waiver in waivers}
        for thing in (*phases.values(), *items.values(), *cases.values()):
            thing.waiver = known.get(thing.waiver_id or 0)
        held = [case for case in cases.values() if case.is_open and case.waiver and case.waiver.lets_go(case)]
        self.rollout.accepted_drift = [case.kind for case in held]
        self.rollout.accepted_until = min((case.waiver.ends_at for case in held if case.waiver), default=None)
        _know(self.rollout, "waivers", sorted(waivers, key=lambda one: (one.asked_at, one.pk), reverse=True))

    def _reading(self, flag: FeatureFlag) -> None:
        flag.reading = self.replay.one(FlagReading, flag.reading_id, self.moment)
        scope = flag.project or flag.instance
        scope.flags_read_at = self._read_at(flag)
        actors = [one for one in self.replay.all(GitLabActor, self.moment) if one.instance_id == flag.instance_id]
        _know(flag.instance, "actors", actors)

    def _read_at(self, flag: FeatureFlag) -> datetime | None:
        """When GitLab was last read: known of the gaps, else only that it was within the time that a reading counts."""
        kind = GitLabProject if flag.project_id else GitLabInstance
        newest = kind._default_manager.values_list("flags_read_at", flat=True).get(
            pk=flag.project_id or flag.instance_id
        )
        if newest is None or newest <= self.moment:
            return newest
        gap = freshness.gap_at(flag, self.moment)
        if gap is not None:
            return gap.since
        self.untold.append(
            say("When GitLab was last read before is not kept, only that it was less than {limit} minutes ago.",
                limit=int(freshness.limit().total_seconds() // 60))
        )  # fmt: skip
        return self.moment

    def _project(self, key: int | None) -> GitLabProject | None:
        project: GitLabProject | None = self._shared(GitLabProject, key)
        if project is not None:
            project.instance = self._shared(GitLabInstance, project.instance_id)
        return project

    def _issue(self, key: int) -> TrackedIssue:
        issue: TrackedIssue = self._shared(TrackedIssue, key)
        project = self._project(issue.project_id)
        assert project is not None
        issue.project = project
        return issue

    def _read_issues(self, project: GitLabProject) -> None:
        newest = GitLabProject.objects.values_list("issues_read_at", flat=True).filter(pk=project.pk).first()
        project.issues_read_at = min(newest, self.moment) if newest else None
        if newest and newest > self.moment:
            self.untold.append(say("When GitLab was last asked for its issues before is not kept."))

    def _person(self, key: int) -> Any:
        """A person as far as it says what they may do."""
        values = self.replay.values("User", key, self.moment) or {}
        names = {"username", "is_active", "is_superuser"}
        person = User(pk=key, **{name: value for name, value in values.items() if name in names})
        roles.know(person, values.get("groups") or ())
        return person

    def approvers(self, facts: RolloutFacts) -> tuple[str, ...]:
        """Who could have approved what was asked for, or what came next."""
        asked = next((phase.request for phase in facts.phases if phase.request), None)
        to_come = facts.phases[facts.phases.index(facts.current) :] if facts.current and not asked else ()
        policy = next(filter(None, map(facts.policy, to_come)), None)
        names = []
        for key in self.replay.keys("User"):
            person = self._person(int(key))
            held, groups = roles.of(person), roles.groups_of(person)
            name = person.get_username()
            may = not asked.why_not(name, held, groups) if asked else bool(policy and policy.admits(held, groups))
            if may and held:
                names.append(name)
        return tuple(sorted(name for name in names if name))

    def locks(self) -> tuple[locks.Locks, tuple[ChangeLock, ...]]:
        """What locked then, and all that were entered by hand until then."""
        instance = self.rollout.flag.instance
        known = tuple(self.replay.all(ChangeLock, self.moment))
        there = [lock for lock in known if lock.ended_at is None]
        incidents = [
            locks.Incidents(instance.pk, instance.url, one.path, self.moment, one.open_issues)
            for one in self.replay.all(IncidentSource, self.moment)
            if one.instance_id == instance.pk
        ]
        if incidents:
            self.untold.append(say("Whether incidents had been read lately is not kept."))
        calendars, _ = locks.from_elsewhere(self.moment)
        if calendars:
            self.untold.append(say("Calendars of change locks are told as they are known now."))
        holding = locks.of_these(self.moment, there, calendars, incidents, calendars_read=True)
        return holding, known

    def _neighbours(self) -> None:
        """Rollouts that it was ordered with, as they were: what another plan says stands in this history too."""
        orders, key = list(self.replay.all(RolloutOrder, self.moment)), self.rollout.pk
        mine = [one for row in orders if row.rollout_id == key for one in self._told(row.kind, row.other_id)]
        theirs = [row for row in orders if row.other_id == key and row.kind == Order.NOT_WITH]
        self.rollout.ordered = mine or None
        self.rollout.never_with = [one for row in theirs for one in self._told(row.kind, row.rollout_id)] or None
        self.rollout.named_by = None

    def _told(self, kind: str, key: int) -> list[Told]:
        """Another rollout and its phases as they were then."""
        now = Rollout.objects.get(pk=key)
        other = Replay(self.moment)
        other.read(AuditEvent.objects.of_rollout(now.slug))
        row = row_of(Rollout, {**now.as_it_is(), **(other.values("Rollout", key, self.moment) or {}), "id": key})
        phases = [phase for phase in other.all(Phase, self.moment) if phase.rollout_id == key]
        return [_told_of(kind, row, phase) for phase in phases]

    def _asked_by_others(self) -> tuple[Decimal | None, int | None]:
        """What other rollouts of its AI model asked a minute as their phases stood, and of how many nobody had said it
        (``RolloutQuerySet.for_rules``).
        """
        mine = {"ai_model": self.rollout.ai_model_id}
        asked, untold = Decimal(0), 0
        for row, phases, steps in self._others(mine, "Rollout", "Phase", "RampStep"):
            alive = sorted((p for p in phases if p.state in LIVE), key=lambda one: (one.position, one.attempt))
            if row.ai_model_id != self.rollout.ai_model_id or not alive:
                continue
            last = alive[-1]
            share = next((step.percentage for step in steps if step.pk == last.current_step_id), Decimal(0))
            share = Decimal(100) if last.audience == Audience.ALL_AT_ONCE else share
            asked += (row.peak_requests_per_minute or 0) * share / 100
            untold += bool(share and row.peak_requests_per_minute is None)
        return asked, untold

    def _others(self, which: dict[str, Any], *kinds: str) -> Iterator[tuple[Rollout, list[Phase], list[RampStep]]]:
        """Other rollouts that share something by now, as they were, with their phases, and steps if those are asked
        for; none that was over."""
        others = Rollout.objects.filter(**which).exclude(pk=self.rollout.pk).order_by("pk")
        for pk, slug in others.values_list("pk", "slug")[:MOST_OTHERS]:
            other = Replay(self.moment)
            other.read(AuditEvent.objects.of_rollout(slug).filter(object_type__in=kinds))
            row = other.one(Rollout, pk, self.moment)
            if row is None or row.state in OVER:
                continue
            phases = [phase for phase in other.all(Phase, self.moment) if phase.rollout_id == pk]
            yield row, phases, list(other.all(RampStep, self.moment))

    def _others_live(self) -> list[str] | None:
        """Titles of other rollouts that let anybody in on the flag: who does can't leave the flag any more."""
        others = self._others({"flag": self.rollout.flag_id}, "Rollout", "Phase")
        titles = [row.title for row, phases, _ in others if any(phase.state in LIVE for phase in phases)]
        return sorted(titles) or None


def _know(owner: models.Model, name: str, rows: list[Any]) -> None:
    """What a prefetch would have left."""
    cache: dict[str, Any] = owner.__dict__.setdefault("_prefetched_objects_cache", {})
    found = getattr(owner, name).get_queryset()
    found._result_cache, found._prefetch_done = list(rows), True
    cache[name] = found


def _told_of(kind: str, other: Rollout, phase: Phase) -> Told:
    """As ``models.orders`` tells it out of columns."""
    times = [at.isoformat() if at else None for at in (phase.started_at, phase.stepped_at)]
    return Told(kind=kind, key=other.pk, slug=other.slug, title=other.title, state=other.state, phase=phase.name,
                phase_state=phase.state, started_at=times[0], stepped_at=times[1])  # fmt: skip
