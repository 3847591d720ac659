"""How the reading of each GitLab stands: for the sync page, the API and the metrics alike. Constant queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min, Q

from ..models import GitLabInstance, GitLabProject, GitLabWrite, HookDelivery, InstanceHealth, SyncRun, SyncScope, clock
from ..rules import rate_limits as rules
from ..rules.datetimes import day_in_words
from ..rules.phrases import joined, say, say_n
from ..rules.rate_limits import Standing, Wait
from ..services.instances import all_instances
from . import rate_limits

#: How long ahead the end of a token is announced.
ANNOUNCED = timedelta(days=14)
LATELY = timedelta(days=1)


@dataclass(slots=True)
class Hooks:
    """Webhook deliveries: those that wait, since when, those worked in the last day, and the longest lag of these."""

    waiting: int = 0
    oldest: datetime | None = None
    worked: int = 0
    slowest: timedelta | None = None
    newest: datetime | None = None


@dataclass(slots=True)
class Owed:
    """Writes that are owed, since when the oldest is, and those that were given up."""

    waiting: int = 0
    oldest: datetime | None = None
    given_up: int = 0


@dataclass(slots=True)
class InstanceStatus:
    """One GitLab. ``scopes`` are by project id, None for the instance's own."""

    instance: GitLabInstance
    health: InstanceHealth | None
    standing: Standing
    wait: Wait | None
    now: datetime
    projects: list[GitLabProject] = field(default_factory=list)
    scopes: dict[int | None, SyncScope] = field(default_factory=dict)
    run: SyncRun | None = None
    under_way: SyncRun | None = None
    hooks: Hooks = field(default_factory=Hooks)
    owed: Owed = field(default_factory=Owed)

    @property
    def allowance(self) -> int | None:
        """Calls that we may make in a minute, None for no limit."""
        return rules.allowance(self.standing, self.now)

    @property
    def calls_in_window(self) -> int:
        return rules.calls_in_window(self.standing, self.now)

    @property
    def trouble(self) -> str:
        """Why nothing is asked for a while, empty where it is."""
        return rate_limits.words_of(self.wait, self.instance) if self.wait else ""

    @property
    def token_ends(self) -> date | None:
        return self.health.token_expires_on if self.health else None

    @property
    def token_warning(self) -> str:
        """A sentence two weeks before the token ends, and after; empty before."""
        ends = self.token_ends
        if ends is None or ends - self.now.date() > ANNOUNCED:
            return ""
        name = self.health.token_name if self.health else ""
        token = say("The token “{name}” of {instance}", name=name, instance=self.instance.name)
        if not name:
            token = say("The token of {instance}", instance=self.instance.name)
        days, day = (ends - self.now.date()).days, day_in_words(ends)
        if days <= 0:
            message = say("{token} has ended on {day}.", token=token, day=day)
        else:
            message = say_n(
                "{token} ends on {day}, in {n} day.", "{token} ends on {day}, in {n} days.", days, token=token, day=day
            )
        cure = say("Make a new one in GitLab and set {variable}.", variable=self.instance.token_variable)
        return joined([message, cure])


def of_all() -> list[InstanceStatus]:
    """Every instance, as it stands now."""
    now = clock.now()
    instances = all_instances()
    health = {row.instance_id: row for row in InstanceHealth.objects.all()}
    projects: dict[int, list[GitLabProject]] = {}
    for project in GitLabProject.objects.filter(successor=None).select_related("instance").order_by("path", "pk"):
        projects.setdefault(project.instance_id, []).append(project)
    scopes: dict[int, dict[int | None, SyncScope]] = {}
    for scope in SyncScope.objects.all():
        scopes.setdefault(scope.instance_id, {})[scope.project_id] = scope
    runs, under_way = _runs()
    hooks, owed = _hooks(now), _owed()
    statuses = []
    for instance in instances:
        standing = rate_limits.standing_of(health.get(instance.pk), instance)
        statuses.append(
            InstanceStatus(
                instance=instance,
                health=health.get(instance.pk),
                standing=standing,
                wait=rules.wait(standing, now),
                now=now,
                projects=projects.get(instance.pk, []),
                scopes=scopes.get(instance.pk, {}),
                run=runs.get(instance.pk),
                under_way=under_way.get(instance.pk),
                hooks=hooks.get(instance.pk, Hooks()),
                owed=owed.get(instance.pk, Owed()),
            )
        )
    return statuses


def set_aside() -> str:
    """What to say of files in the embedded broker's folder that no worker could read; empty where there are none."""
    folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("aside_folder")
    try:
        n = sum(1 for _ in Path(folder).iterdir()) if folder else 0
    except OSError:
        return ""
    if not n:
        return ""
    return say_n(
        "A file of the embedded broker could not be read and was set aside; what it rang for is rung for again. "
        "Look why (a full disk, somebody's file), then delete it: {folder}",
        "{n} files of the embedded broker could not be read and were set aside; what they rang for is rung for again. "
        "Look why (a full disk, somebody's files), then delete them: {folder}",
        n,
        folder=folder,
    )


def token_warnings() -> list[str]:
    """The tokens that end soon, as sentences: for every page of those who can do something about it."""
    now = clock.now()
    soon = InstanceHealth.objects.filter(token_expires_on__lte=(now + ANNOUNCED).date()).select_related("instance")
    return [
        InstanceStatus(row.instance, row, rate_limits.standing_of(row, row.instance), None, now).token_warning
        for row in soon
        if row.instance.is_asked
    ]


def _runs() -> tuple[dict[int, SyncRun], dict[int, SyncRun]]:
    """The newest pass of each instance that has ended, and the one that is under way."""
    ended = SyncRun.objects.order_by().exclude(outcome=SyncRun.Result.RUNNING)
    newest = ended.values("instance").annotate(newest=Max("pk")).values("newest")
    rows = SyncRun.objects.filter(Q(pk__in=newest) | Q(outcome=SyncRun.Result.RUNNING)).order_by("pk")
    by_state: tuple[dict[int, SyncRun], dict[int, SyncRun]] = {}, {}
    for run in rows:
        by_state[run.outcome == SyncRun.Result.RUNNING][run.instance_id] = run
    return by_state


def _hooks(now: datetime) -> dict[int, Hooks]:
    waiting, done = Q(state=HookDelivery.State.WAITING), Q(state=HookDelivery.State.DONE, received_at__gte=now - LATELY)
    rows: Any = (
        HookDelivery.objects.order_by()
        .values("instance")
        .annotate(
            waiting=Count("pk", filter=waiting),
            oldest=Min("received_at", filter=waiting),
            worked=Count("pk", filter=done),
            newest=Max("received_at"),
        )
    )
    by_instance = {row.pop("instance"): Hooks(**row) for row in rows}
    slowest: dict[int, timedelta] = {}
    lags: Any = (
        HookDelivery.objects.filter(done).values_list("instance", "received_at", "worked_at").order_by("-pk")[:500]
    )
    for instance, received, worked in lags:
        slowest[instance] = max(slowest.get(instance, timedelta()), worked - received)
    for instance, lag in slowest.items():
        by_instance[instance].slowest = lag
    return by_instance


def _owed() -> dict[int, Owed]:
    waiting = Q(state__in=GitLabWrite.UNFINISHED)
    rows: Any = (
        GitLabWrite.objects.order_by()
        .values("instance")
        .annotate(
            waiting=Count("pk", filter=waiting),
            oldest=Min("asked_at", filter=waiting),
            given_up=Count("pk", filter=Q(state=GitLabWrite.State.GIVEN_UP)),
        )
    )
    return {row.pop("instance"): Owed(**row) for row in rows}
