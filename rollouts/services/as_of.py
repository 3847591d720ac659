"""A rollout as it was at a moment: its rows folded out of the events until then, and judged by the same rules.

What events do not hold is told (``Past.untold``), not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import models

from ..audit import tombstones
from ..audit.replay import Replay
from ..models import (
    AIModel,
    ApprovalRequest,
    AuditEvent,
    ChangeLock,
    FeatureFlag,
    GitLabActor,
    GitLabInstance,
    GitLabProject,
    PlanTemplate,
    Rollout,
    TrackedIssue,
    clock,
)
from ..rules.datetimes import day_and_clock
from ..rules.facts import RolloutFacts
from ..rules.phrases import say
from . import facts as facts_of
from .rows_as_of import Built

Row = TypeVar("Row", bound=models.Model)
User = get_user_model()
#: Of a person only what says what they may do counts; who signs in changes nothing of it.
SIGNS_IN = "account.sign_"
#: What events are about that change a plan.
PLANNED = ("Rollout", "Phase", "RampStep", "RolloutIssue")


class NotThere(ValueError):
    """There is nothing that could be told of this moment: says why, and of which moments there is."""


class PastItsAge(NotThere):
    """Of a rollout that ended so long ago that its events were let go: nothing is told of it at any moment."""


@dataclass(frozen=True, slots=True)
class Past:
    """A rollout at ``moment``. ``requests`` are all that were asked for until then, the newest first, each with
    ``given``; ``locks`` are all by hand that were known; ``approvers`` could have approved what was asked for or came
    next; ``newest`` is the last event's number.
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


def nth(slug: str, number: int) -> tuple[datetime | None, int]:
    """When the event happened that is so many in the rollout's history, and how many there are until now."""
    times = AuditEvent.objects.of_rollout(slug).order_by("at", "pk").values_list("at", flat=True)
    return (times[number - 1 : number].first() if number > 0 else None), times.count()


def of(slug: str, moment: datetime) -> Past:
    """Raises ``Rollout.DoesNotExist`` and ``NotThere``. The number of queries does not grow with the events."""
    return Looker(slug, moment).at(moment)


class Looker:
    """One rollout's history, read once for all moments until ``until``."""

    def __init__(self, slug: str, until: datetime, *, only_plan: bool = False) -> None:
        """``only_plan`` reads what ``plan_at`` needs, which is little of a long history."""
        self.pk: int = Rollout.objects.values_list("pk", flat=True).get(slug=slug)
        self.slug = slug
        refuse_to_come(until)
        if before := tombstones.gone_before(f"rollout:{slug}"):
            raise PastItsAge(past_its_age(slug, before))
        self.replay = Replay(until)
        events = AuditEvent.objects.of_rollout(slug)
        self.replay.read(events.filter(object_type__in=PLANNED) if only_plan else events)
        self.own = dict(self.replay.events)
        if not self.own:
            raise NotThere(self._too_early(until))
        self._read_what_its_plan_names()
        if not only_plan:
            self._read_what_else_it_rests_on()

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

    def _read_what_its_plan_names(self) -> None:
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

    def _read_what_else_it_rests_on(self) -> None:
        replay, of_flags = self.replay, self._referred("FeatureFlag", "instance_id")
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

    def plan_at(self, moment: datetime) -> Rollout | None:
        """The rollout as far as its plan document tells of it; None where it was not there."""
        rollout = self.replay.one(Rollout, self.pk, moment)
        if rollout is not None:
            Built(self.replay, rollout, moment, []).connect_plan()
        return rollout

    def at(self, moment: datetime) -> Past:
        """Raises ``NotThere``."""
        refuse_to_come(moment)
        rollout = self.replay.one(Rollout, self.pk, moment)
        until = [pk for pk, at in self.own.items() if at <= moment]
        if rollout is None or not until:
            raise NotThere(self._too_early(moment))
        untold: list[str] = []
        built = Built(self.replay, rollout, moment, untold)
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


def refuse_to_come(moment: datetime) -> None:
    if moment > clock.now():
        raise NotThere(say("{moment} is yet to come: nobody knows how things stand then.", moment=_written(moment)))


def past_its_age(slug: str, before: datetime) -> str:
    return say(
        "Events of {slug} from before {day} are past their age and gone: how it was can't be told any more. That they "
        "were there is still proved.",
        slug=slug, day=_written(before),
    )  # fmt: skip


def _written(moment: datetime) -> str:
    return say("{time} UTC", time=day_and_clock(moment, with_year=True))
