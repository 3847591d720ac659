"""Leases: which worker reads what. A row in the database, so that any number of hosts agree on it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, F, Q, QuerySet, When

from ..models import GitLabInstance, GitLabProject, SyncScope, clock


class Lost(Exception):
    """The lease ran out, and somebody else may have taken it: stop, the other one reads the same."""


@dataclass(slots=True)
class Lease:
    """The right to read one scope, until ``clock.now()`` passes its end; to be renewed now and then."""

    scope: SyncScope
    holder: str

    def renew(self) -> None:
        """Hold it for as long again. Raises Lost where it has passed on."""
        mine = SyncScope.objects.filter(pk=self.scope.pk, holder=self.holder)
        if not mine.update(held_until=clock.now() + length()):
            raise Lost

    def release(self, **kept: object) -> bool:
        """Give it back and keep what was learned (fields of SyncScope); False, and nothing kept, where it was lost."""
        mine = SyncScope.objects.filter(pk=self.scope.pk, holder=self.holder)
        return bool(mine.update(holder="", held_until=None, **kept))


def length() -> timedelta:
    """How long a lease lasts. Less than issues.OVERLAP, so that what changes meanwhile is asked for again."""
    return timedelta(seconds=settings.SYNC_LEASE_SECONDS)


def free(now: datetime) -> Q:
    """Scopes that nobody reads, or whose reader is dead."""
    return Q(held_until=None) | Q(held_until__lte=now)


def in_turn(scopes: QuerySet[SyncScope]) -> QuerySet[SyncScope]:
    """What was not read for longest comes first, so that a pass that breaks off leaves nobody out for ever.

    What its reader died of waits until all else is read.
    """
    has_killed = Case(When(holder="", then=0), default=1)
    return scopes.order_by(has_killed, F("read_at").asc(nulls_first=True), "pk")


def held(instance: GitLabInstance, now: datetime) -> int:
    """How many scopes of one instance are being read."""
    return SyncScope.objects.filter(instance=instance, held_until__gt=now).count()


def take(scope_id: int) -> Lease | None:
    """The lease of this scope, or None where somebody has it."""
    now, holder = clock.now(), uuid.uuid4().hex
    if not SyncScope.objects.filter(free(now), pk=scope_id).update(holder=holder, held_until=now + length()):
        return None
    return Lease(SyncScope.objects.select_related("instance", "project__instance", "run").get(pk=scope_id), holder)


def scopes_of(instance: GitLabInstance) -> QuerySet[SyncScope]:
    """What is to be read of one GitLab: itself, and each project with issues or flags that are followed."""
    followed = GitLabProject.objects.filter(instance=instance, successor=None).filter(
        Q(pk__in=GitLabProject.objects.filter(issues__links__isnull=False))
        | Q(pk__in=GitLabProject.objects.filter(flags__isnull=False))
    )
    missing = [SyncScope(instance=instance, project=project) for project in followed.filter(scope=None)]
    if not SyncScope.objects.filter(instance=instance, project=None).exists():
        missing.insert(0, SyncScope(instance=instance))
    SyncScope.objects.bulk_create(missing, ignore_conflicts=True)
    return SyncScope.objects.filter(Q(project=None) | Q(project__in=followed), instance=instance)
