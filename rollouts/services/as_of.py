"""A rollout as it was at a moment: its rows folded out of the events until then, and judged by the same rules.

What events do not hold is told (``Past.untold``), not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q

from ..audit.replay import Replay, row_of
from ..models import (
    AIModel,
    Approval,
    ApprovalRequest,
    AuditEvent,
    ChangeLock,
    ChecklistItem,
    FeatureFlag,
    FlagReading,
    GitLabActor,
    GitLabInstance,
    GitLabProject,
    IncidentSource,
    LockCalendar,
    Override,
    Phase,
    PlanTemplate,
    RampStep,
    ReadingGap,
    Rollout,
    RolloutIssue,
    TrackedIssue,
    clock,
    roles,
)
from ..rules.approvals import STANDING
from ..rules.datetimes import day_and_clock
from ..rules.facts import RolloutFacts
from ..rules.machine import LIVE, OVER
from ..rules.phrases import say
from . import facts as facts_of
from . import freshness, locks, schedules

Row = TypeVar("Row", bound=models.Model)
User = get_user_model()
#: Of a person only what says what they may do counts; who signs in changes nothing of it.
SIGNS_IN = "account.sign_"


class NotThere(ValueError):
    """There is nothing that could be told of this moment: says why, and of which moments there is."""


@dataclass(frozen=True, slots=True)
class Past:
    """A rollout at ``moment``. ``requests`` are all that were asked for until then, the newest first, each with
    ``given``; ``approvers`` could have approved what was asked for or came next; ``newest`` is the last event's number.
    """

    moment: datetime
    rollout: Rollout
    facts: RolloutFacts
    locks: tuple[ChangeLock, ...]
    requests: tuple[ApprovalRequest, ...]
    approvers: tuple[str, ...]
    untold: tuple[str, ...]
    events: int
    newest: int


def of(slug: str, moment: datetime) -> Past:
    """Raises ``Rollout.DoesNotExist`` and ``NotThere``. The number of queries does not grow with the events."""
    return Looker(slug, moment).at(moment)


class Looker:
    """One rollout's history, read once for all moments until ``until``."""

    def __init__(self, slug: str, until: datetime) -> None:
        self.pk: int = Rollout.objects.values_list("pk", flat=True).get(slug=slug)
        self.slug = slug
        _refuse_to_come(until)
        self.replay = Replay(until)
        self.replay.read(AuditEvent.objects.of_rollout(slug))
        self.own = dict(self.replay.events)
        if not self.own:
            raise NotThere(self._too_early(until))
        self._read_what_it_rests_on()

    def _too_early(self, moment: datetime) -> str:
        first = AuditEvent.objects.of_rollout(self.slug).order_by("at", "pk").values_list("at", flat=True).first()
        if first is None:
            return say("The history tells nothing of {slug}.", slug=self.slug)
        return say(
            "{moment} is before the history of {slug} begins: ask for {first} or later.",
            moment=_written(moment),
            slug=self.slug,
            first=first.isoformat(),
        )

    def _read_what_it_rests_on(self) -> None:
        replay = self.replay
        replay.read_about(AIModel, self._referred("Rollout", "ai_model_id", "baseline_id"))
        replay.read_about(PlanTemplate, self._referred("Rollout", "template_id"))
        replay.read_about(FeatureFlag, self._referred("Rollout", "flag_id"))
        replay.read_about(TrackedIssue, self._referred("RolloutIssue", "issue_id"))
        homes = self._referred("FeatureFlag", "project_id") | self._referred("TrackedIssue", "project_id")
        replay.read_about(GitLabProject, homes)
        of_flags, of_projects = (
            self._referred("FeatureFlag", "instance_id"),
            self._referred("GitLabProject", "instance_id"),
        )
        replay.read_about(GitLabInstance, of_flags | of_projects)
        phases = [told for key in replay.keys("Phase") for told in replay.told("Phase", key)]
        actors = {name.removesuffix(":opt_out") for told in phases for name in told.after.get("actors") or ()}
        known = GitLabActor.objects.filter(instance__in=of_flags, name__in=actors)
        replay.read_about(GitLabActor, list(known.values_list("pk", flat=True)))
        replay.read(AuditEvent.objects.filter(object_type__in=("ChangeLock", "IncidentSource")))
        replay.read(AuditEvent.objects.filter(object_type="User").exclude(verb__startswith=SIGNS_IN))

    def _referred(self, kind: str, *names: str) -> set[Any]:
        """Which other rows, by key, objects of this kind refer to, at any time."""
        parts = (part for key in self.replay.keys(kind) for told in self.replay.told(kind, key) for part in told.sides)
        return {part[name] for part in parts for name in names if part.get(name) is not None}

    def at(self, moment: datetime) -> Past:
        """Raises ``NotThere``."""
        _refuse_to_come(moment)
        rollout = self.replay.one(Rollout, self.pk, moment)
        until = [pk for pk, at in self.own.items() if at <= moment]
        if rollout is None or not until:
            raise NotThere(self._too_early(moment))
        untold: list[str] = []
        built = _Built(self.replay, rollout, moment, untold)
        built.connect()
        holding, by_hand = built.locks()
        facts = facts_of.for_rollout(rollout, moment, holding)
        return Past(
            moment=moment,
            rollout=rollout,
            facts=facts,
            locks=by_hand,
            requests=built.requests,
            approvers=built.approvers(facts),
            untold=tuple(dict.fromkeys(untold)),
            events=len(until),
            newest=max(until),
        )


class _Built:
    """The rows of one rollout at one moment, connected as ``Rollout.objects.whole()`` loads them."""

    def __init__(self, replay: Replay, rollout: Rollout, moment: datetime, untold: list[str]) -> None:
        self.replay, self.rollout, self.moment, self.untold = replay, rollout, moment, untold
        self.requests: tuple[ApprovalRequest, ...] = ()

    def _shared(self, kind: type[Row], key: Any) -> Any:
        """What several rollouts rest on; of one that was there before the history, the rest is as it is now."""
        if key is None:
            return None
        values = self.replay.values(kind.__name__, key, self.moment)
        if not self.replay.is_made(kind.__name__, key):
            now = kind._default_manager.filter(pk=key).first()
            kept = now.as_it_is() if now is not None else {}  # type: ignore[attr-defined]
            values = {**kept, **(values or {})}
            name = now.public_name() if now is not None else key  # type: ignore[attr-defined]
            self.untold.append(
                say(
                    "«{name}» was there before the history began: of it stands here what no event has changed since.",
                    name=name,
                )
            )
        return row_of(kind, {**(values or {}), "id": int(key)})

    def connect(self) -> None:
        rollout = self.rollout
        rollout.ai_model = self._shared(AIModel, rollout.ai_model_id)
        rollout.baseline = self._shared(AIModel, rollout.baseline_id)
        rollout.template = self._shared(PlanTemplate, rollout.template_id)
        rollout.flag = self._flag(rollout.flag_id)
        rollout.others_live = self._others_live()
        rollout.marks = rollout.settled = 0
        self._phases()
        _know(rollout, "items", sorted(self._own(ChecklistItem), key=lambda item: (item.position, item.pk)))
        links = sorted(self._own(RolloutIssue), key=lambda link: link.role)
        for link in links:
            link.issue = self._issue(link.issue_id)
        _know(rollout, "issue_links", links)
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

    def _flag(self, key: int) -> FeatureFlag:
        flag: FeatureFlag = self._shared(FeatureFlag, key)
        flag.instance = self._shared(GitLabInstance, flag.instance_id)
        flag.project = self._project(flag.project_id)
        flag.reading = self.replay.one(FlagReading, flag.reading_id, self.moment)
        scope = flag.project or flag.instance
        scope.flags_read_at = self._read_at(flag)
        actors = [one for one in self.replay.all(GitLabActor, self.moment) if one.instance_id == flag.instance_id]
        _know(flag.instance, "actors", actors)
        return flag

    def _read_at(self, flag: FeatureFlag) -> datetime | None:
        """When GitLab was last read: known of the gaps, else only that it was within the time that a reading counts."""
        kind = GitLabProject if flag.project_id else GitLabInstance
        newest = kind._default_manager.values_list("flags_read_at", flat=True).get(
            pk=flag.project_id or flag.instance_id
        )
        if newest is None or newest <= self.moment:
            return newest
        gaps = ReadingGap.objects.filter(
            Q(since__isnull=True) | Q(since__lte=self.moment),
            instance=flag.instance_id, project=flag.project_id, until__gt=self.moment,
        )  # fmt: skip
        gap = gaps.order_by("until").first()
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
        newest = GitLabProject.objects.values_list("issues_read_at", flat=True).filter(pk=project.pk).first()
        project.issues_read_at = min(newest, self.moment) if newest else None
        if newest and newest > self.moment:
            self.untold.append(say("When GitLab was last asked for its issues before is not kept."))
        return issue

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
        current = facts.current
        policy = facts.policy(current) if current and not asked else None
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
        """What locked then, and those by hand that did."""
        instance = self.rollout.flag.instance_id
        there = [lock for lock in self.replay.all(ChangeLock, self.moment) if lock.ended_at is None]
        sources = [one for one in self.replay.all(IncidentSource, self.moment) if one.instance_id == instance]
        for source in sources:
            source.instance = self.rollout.flag.instance
            source.read_at = self.moment
        if sources:
            self.untold.append(say("Whether incidents had been read lately is not kept."))
        if LockCalendar.objects.exists():
            self.untold.append(say("Calendars of change locks are told as they are known now."))
        holding = locks.of_these(self.moment, there, sources, calendars_read=True)
        mine = (lock for lock in there if lock.instance_id in (None, instance))
        near = (self.moment, self.moment + locks.NEAR)
        return holding, tuple(lock for lock in mine if any(w.starts_at <= self.moment for w in lock.windows(*near)))

    def _others_live(self) -> list[str] | None:
        """Titles of other rollouts that let anybody in on the flag: who does can't leave the flag any more."""
        titles = []
        for slug in (
            Rollout.objects.filter(flag=self.rollout.flag_id).exclude(pk=self.rollout.pk).values_list("slug", flat=True)
        ):
            other = Replay(self.moment)
            other.read(AuditEvent.objects.of_rollout(slug).filter(object_type__in=("Phase", "Rollout")))
            rows = [row for row in other.all(Rollout, self.moment) if row.slug == slug and row.state not in OVER]
            alive = [phase for phase in other.all(Phase, self.moment) if phase.state in LIVE]
            titles += [row.title for row in rows if any(phase.rollout_id == row.pk for phase in alive)]
        return sorted(titles) or None


def _know(owner: models.Model, name: str, rows: list[Any]) -> None:
    """What a prefetch would have left."""
    cache: dict[str, Any] = owner.__dict__.setdefault("_prefetched_objects_cache", {})
    found = getattr(owner, name).get_queryset()
    found._result_cache, found._prefetch_done = list(rows), True
    cache[name] = found


def _refuse_to_come(moment: datetime) -> None:
    if moment > clock.now():
        raise NotThere(say("{moment} is yet to come: nobody knows how things stand then.", moment=_written(moment)))


def _written(moment: datetime) -> str:
    return say("{time} UTC", time=day_and_clock(moment, with_year=True))
