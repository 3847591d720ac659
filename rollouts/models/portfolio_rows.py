"""What the portfolio shows of each rollout, worked out ahead, so that a page costs the same however many there are.

No history: a row follows from the rollout and is made anew whenever something that it rests on has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce, Greatest

from ..rules.approvals import STANDING
from ..rules.expected import Presence
from ..rules.health import NEEDS_FRESH, Health
from ..rules.machine import Role
from ..rules.people import Person
from .change_log import Change
from .flags import FeatureFlag
from .gitlab import GitLabInstance, GitLabProject
from .orders import RolloutOrder
from .rollouts import Rollout

if TYPE_CHECKING:
    from datetime import timedelta

#: Where a change of this kind shows: the rows whose rollouts are reached so.
REACHES = {
    "rollouts.AIModel": ("rollout__ai_model", "rollout__baseline"),
    "rollouts.FeatureFlag": ("rollout__flag",),
    "rollouts.TrackedIssue": ("rollout__issue_links__issue",),
    "rollouts.PlanTemplate": ("rollout__template",),
}
#: A change of one of these may show on every open row.
REACHES_ALL = frozenset(
    {
        "auth.User",
        "auth.Group",
        "rollouts.ChangeLock",
        "rollouts.LockCalendar",
        "rollouts.IncidentSource",
        "rollouts.GitLabActor",
        "rollouts.GitLabInstance",
    }
)
#: What is expected, or asked for, on every rollout of a GitLab may be another after a change of one of these.
UNSETTLES_ALL_OF = {
    "rollouts.GitLabActor": "rollout__flag__instance__actors",
    "rollouts.GitLabInstance": "rollout__flag__instance",
}


#: A change of one of these may show on rollouts that are ordered with the one that it is about.
REACHES_NEIGHBOURS = frozenset({"rollouts.Phase", "rollouts.Rollout", "rollouts.RolloutOrder"})


def _reached(changes: Iterable[Change]) -> tuple[Q, Q]:
    """The rows on which these changes may show, and those whose rollouts may stand differently because of them."""
    by_label: dict[str, list[Any]] = {}
    for change in changes:
        by_label.setdefault(change.label, []).append(change.pk)
    shown, unsettled = Q(), Q()
    for label, pks in by_label.items():
        for path in REACHES.get(label, ()):
            shown |= Q(**{f"{path}__in": pks})
            unsettled |= Q(**{f"{path}__in": pks})
        if label in UNSETTLES_ALL_OF:
            unsettled |= Q(**{f"{UNSETTLES_ALL_OF[label]}__in": pks})
    if by_label.keys() & REACHES_ALL:
        shown |= ~Q(place=PortfolioRow.Place.OVER)
    if by_label.keys() & {"auth.User", "auth.Group"}:  # who approved may no longer, or may again
        unsettled |= Q(rollout__phases__requests__state__in=sorted(STANDING))
    return shown, unsettled


def up_to(marks: Mapping[int, int]) -> Case:
    """For ``settled``: what was seen of each of these rollouts. Marks that were set meanwhile stand."""
    seen = [When(rollout=pk, then=Value(mark)) for pk, mark in marks.items()]
    return Case(*seen, default=F("settled"), output_field=models.PositiveIntegerField())


def _can_be_done_by(person: Person) -> Q:
    never = RowWait.objects.filter(
        row=OuterRef("pk"), who__in=[f"!{name}" for name in (person.identity, *person.twins)]
    )
    return Q(pk__in=RowWait.objects.filter(who__in=tokens_of(person)).values("row")) & ~Q(Exists(never))


def read_last(flag: str = "") -> Case:
    """When a flag was read last, None where it never was (as ``FeatureFlag.latest``); ``flag`` is the way to it."""
    scope = Case(
        When(**{f"{flag}project": None}, then=F(f"{flag}instance__flags_read_at")),
        default=F(f"{flag}project__flags_read_at"),
    )
    reading = F(f"{flag}reading__read_at")
    never = When(Q(**{f"{flag}presence": Presence.UNREAD}) | Q(**{f"{flag}reading": None}), then=None)
    return Case(never, default=Greatest(reading, Coalesce(scope, reading)))


def _is_fresh(since: datetime) -> Q:
    """Rows whose flag was read since, of those whose flag was read at all (``read_last``); empty where all were.

    Two queries ask the scopes first, which are few: what is the same for all rows is no question to each of them.
    """
    flag = FeatureFlag.objects.order_by().filter(rollouts__isnull=False)
    instances = GitLabInstance.objects.filter(Exists(flag.filter(instance=OuterRef("pk"), project=None)))
    projects = GitLabProject.objects.filter(Exists(flag.filter(project=OuterRef("pk"))))
    read: dict[bool, dict[str, list[int]]] = {True: {}, False: {}}
    for scope, rows in (("instance", instances), ("project", projects)):
        for pk, at in rows.values_list("pk", "flags_read_at"):
            read[at is not None and at >= since].setdefault(scope, []).append(pk)
    if not read[False]:
        return Q()
    fresh = Q(rollout__flag__reading__read_at__gte=since)
    if of_instances := read[True].get("instance"):
        fresh |= Q(rollout__flag__project=None, rollout__flag__instance__in=of_instances)
    if of_projects := read[True].get("project"):
        fresh |= Q(rollout__flag__project__in=of_projects)
    return fresh


class PortfolioRowQuerySet(models.QuerySet["PortfolioRow"]):
    def due(self, now: datetime) -> PortfolioRowQuerySet:
        """Those that must be worked out anew."""
        return self.filter(due_at__lte=now)

    def due_or_marked(self, now: datetime) -> PortfolioRowQuerySet:
        """Whose rollouts are to be looked at: by the clock, or because something that they rest on was written."""
        return self.filter(Q(due_at__lte=now) | ~Q(marks=F("settled")))

    def mark(self) -> int:
        """Their rollouts are to be looked at, whoever comes next; returns how many."""
        return self.touch(marks=F("marks") + 1)

    def touch(self, **values: Any) -> int:
        """Update them, locked in one order: two recorded changes that touch the same rows don't wait for each other
        in a ring.
        """
        with transaction.atomic():
            rows = self.model.objects.filter(pk__in=self.values("pk")).order_by("pk")
            pks = list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
            return self.model.objects.filter(pk__in=pks).update(**values) if pks else 0

    def look_again(
        self, rollouts: Iterable[Rollout], changes: Iterable[Change], now: datetime, settled: Mapping[int, int]
    ) -> None:
        """Something was changed: the rows where it may show are worked out anew before they are shown again.

        Rollouts that rest on it are marked, but for those that were ``settled`` in the same transaction, by key and up
        to which mark.
        """
        own = {rollout.pk: rollout for rollout in rollouts}
        shown, unsettled = _reached(changes)
        reaches = own and any(change.label in REACHES_NEIGHBOURS for change in changes)
        if reaches and (neighbours := RolloutOrder.objects.looking_at(own.values())):
            shown, unsettled = shown | Q(rollout__in=neighbours), unsettled | Q(rollout__in=neighbours)
        values: dict[str, Any] = {"due_at": now}
        if settled:
            values["settled"] = up_to(settled)
        if not shown and len({*own, *settled}) == 1:
            found = self.filter(rollout__in={*own, *settled}).update(**values)
        else:
            found = self.filter(shown | Q(rollout__in={*own, *settled})).touch(**values)
            if unsettled:
                self.filter(unsettled).exclude(rollout__in=settled).mark()
        if own and found < len(own):
            known = set(self.filter(rollout__in=own).values_list("rollout_id", flat=True))
            self.bulk_create(
                self.model(rollout=rollout, title=rollout.title, since=now, due_at=now)
                for pk, rollout in own.items()
                if pk not in known
            )

    def waiting_for(self, person: Person) -> PortfolioRowQuerySet:
        """Open rows whose next thing this person can do."""
        return self.filter(_can_be_done_by(person), place=PortfolioRow.Place.WAITS)

    def waiting_for_others(self, person: Person) -> PortfolioRowQuerySet:
        """Open rows whose next thing others can do, and this person can't."""
        return self.filter(~_can_be_done_by(person), place=PortfolioRow.Place.WAITS)

    def with_reading(self) -> PortfolioRowQuerySet:
        """Annotated with when the flag was read last."""
        return self.annotate(read_at=read_last("rollout__flag__"))

    def in_health(self, health: Health, now: datetime, freshness: timedelta) -> PortfolioRowQuerySet:
        """Those whose health is this one now: what is not fresh is not known."""
        rows = self.filter(health=health)
        if health is not Health.STALE and health not in NEEDS_FRESH:
            return rows
        is_fresh = _is_fresh(now - freshness)
        if health in NEEDS_FRESH:
            return rows.filter(is_fresh)
        return self.filter(Q(health=health) | Q(~is_fresh, health__in=NEEDS_FRESH)) if is_fresh else rows


class PortfolioRow(models.Model):
    """One rollout as the portfolio shows it; ``content`` holds words and the track, to be said in any language."""

    class Place(models.TextChoices):
        """What groups rows: it waits for somebody, it runs by itself, its flag is overdue for clean-up, it is over."""

        WAITS = "waits"
        RUNS = "runs"
        OVERDUE = "overdue"
        OVER = "over"

    rollout = models.OneToOneField(Rollout, on_delete=models.CASCADE, related_name="portfolio_row")
    place = models.CharField(max_length=10, choices=Place.choices, default=Place.WAITS)
    health = models.CharField(max_length=20, default=Health.AS_PLANNED.value, help_text="While the reading is fresh.")
    urgency = models.PositiveSmallIntegerField(default=0, help_text="What needs eyes most comes first.")
    since = models.DateTimeField(help_text="Since when it stands where it stands.")
    phase = models.CharField(max_length=50, blank=True)
    phase_title = models.CharField(max_length=100, blank=True)
    phase_position = models.PositiveSmallIntegerField(default=0)
    title = models.CharField(max_length=200)
    provider = models.CharField(max_length=100, blank=True)
    owner = models.CharField(max_length=150, blank=True)
    owners = models.TextField(blank=True, help_text="All owners, each between line breaks.")
    search = models.TextField(blank=True, help_text="What a search looks at, in small letters.")
    reviews_due_at = models.DateTimeField(null=True, blank=True, help_text="When the first open review is due.")
    content = models.JSONField(default=dict)
    told = models.TextField(blank=True, help_text="The rollout as the API's list tells it, in JSON.")
    due_at = models.DateTimeField(null=True, db_index=True, help_text="When it must be worked out anew.")
    marks = models.PositiveIntegerField(
        default=0, help_text="Counts what was written that may change how its rollout stands …"
    )
    settled = models.PositiveIntegerField(default=0, help_text="… and up to which of it that was looked at.")

    objects = PortfolioRowQuerySet.as_manager()

    class Meta:
        ordering = ("urgency", "since", "pk")
        indexes = [
            models.Index(fields=("place", "urgency", "since", "id"), name="line_by_urgency"),
            models.Index(fields=("health", "place"), name="line_by_health"),
            models.Index(fields=("health", "rollout"), name="row_by_health"),
            models.Index(fields=("phase", "rollout"), name="row_by_phase"),
            models.Index(fields=("reviews_due_at",), name="line_by_review"),
            models.Index(fields=("id",), condition=~Q(marks=F("settled")), name="row_marked"),
        ]

    def __str__(self) -> str:
        return self.title


class RowWait(models.Model):
    """For whom a row waits: ``role:manager``, ``group:release``, ``manager:mia`` (an owner), never for ``!mia``."""

    row = models.ForeignKey(PortfolioRow, on_delete=models.CASCADE, related_name="waits")
    who = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("who", "row"), name="a_row_waits_once_for_each")]

    def __str__(self) -> str:
        return self.who


def tokens_of(person: Person) -> list[str]:
    """What ``RowWait`` may call this person; an admin has every role."""
    roles = [role for role in Role if role in person.roles or Role.ADMIN in person.roles]
    names = list(filter(None, (person.name, person.handle, *person.former_names, *person.stands_for)))
    named = [token for role in roles for token in (f"role:{role}", *(f"{role}:{name}" for name in names))]
    return named + [f"group:{group}" for group in sorted(person.groups)]
