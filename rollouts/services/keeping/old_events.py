"""Events past their age: what they said goes, a tombstone stays, and an event tells of all of them.

A rollout's history goes when the rollout is over for so long, and with it nothing that another one still rests on: its
flag is that of no rollout that lives or ended lately, and what tells of things that rollouts share stays. Only what is
sealed under a checkpoint goes, and only while it is what was sealed: nothing that somebody changed is swept away.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, models
from django.db.models import Exists, OuterRef, Q, QuerySet

from ...audit import tombstones, triggers
from ...audit.actor import Actor
from ...audit.recording import recorded
from ...models import AlsoTouched, AuditEvent, Checkpoint, EventWords, KeepingRun, Rollout, RolloutIssue
from ...models.touched import SHARED
from ...rules.machine import OVER

#: Told of by one event, in one transaction.
BATCH = 2_000
#: These tell of tombstones.
TELLERS = (tombstones.GONE, "person.forget")
#: Kinds that belong to no rollout, and that nothing is rebuilt from.
SIGN_INS = "account.sign_"
CONCERNS = AuditEvent.concerns.through


def past(older_than: datetime) -> QuerySet[Any]:
    """Events that may go, in the order of their places."""
    newest = Checkpoint.objects.first()
    if newest is None:
        return AuditEvent.objects.none()
    over, needed = _rollouts(older_than)
    links = RolloutIssue.objects.values_list("issue_id", flat=True)
    issues = set(links.filter(rollout__in=over)) - set(links.exclude(rollout__in=over))
    flags = set(over.values_list("flag_id", flat=True))
    shared = Q(object_type="FeatureFlag", object_id__in=[str(key) for key in flags])
    shared |= Q(object_type="TrackedIssue", object_id__in=[str(key) for key in issues])
    of_rollouts = Q(rollout__in=over) & (~Q(object_type__in=SHARED) | shared)
    elsewhere = CONCERNS.objects.filter(auditevent=OuterRef("pk"), rollout__in=needed)
    events: QuerySet[Any] = AuditEvent.objects.filter(
        of_rollouts | Q(rollout=None, verb__startswith=SIGN_INS),
        ~Exists(elsewhere),
        ~Exists(AlsoTouched.objects.filter(event=OuterRef("pk"))),
        at__lt=older_than,
        seal__position__lt=newest.size,
        tombstone=None,
    )
    return events.exclude(verb__in=TELLERS)


def let_go(run: KeepingRun, older_than: datetime, by: Actor, after: int) -> tuple[int, int]:
    """One batch of those beyond a place, in the caller's transaction: how many went, and up to which place it looked.

    0 and -1 where none are left.
    """
    rows = past(older_than).filter(seal__position__gt=after).order_by("seal__position")
    places = dict(rows.values_list("pk", "seal__position")[:BATCH])
    if not places:
        return 0, -1
    going = sorted(places.keys() - tombstones.altered(places))
    if going:
        with triggers.aside(connection, triggers.HISTORY, CONCERNS._meta.db_table):
            with recorded(tombstones.GONE, by=by) as recording:
                recording.about = run
                recording.notes |= {"older_than": older_than.isoformat(), tombstones.KEY: tombstones.listed(going)}
            tombstones.put(going, AuditEvent.objects.filter(verb=tombstones.GONE).order_by("-pk")[0])
            models.QuerySet(EventWords).filter(event__in=going).delete()
            models.QuerySet(CONCERNS).filter(auditevent__in=going)._raw_delete("default")
            models.QuerySet(AuditEvent).filter(pk__in=going)._raw_delete("default")
    return len(going), max(places.values())


def may_go() -> bool:
    """Whether the database lets whoever is connected: on PostgreSQL only who owns the tables."""
    return triggers.is_owner(connection)


def _rollouts(older_than: datetime) -> tuple[QuerySet[Rollout], QuerySet[Rollout]]:
    """Rollouts that are over for so long, on flags that no other one needs; and all others."""
    ended = Q(closed_at__lt=older_than) | Q(abandoned_at__lt=older_than)
    alive = Rollout.objects.exclude(ended, state__in=OVER)
    over = Rollout.objects.filter(ended, state__in=OVER).exclude(flag__in=alive.values("flag"))
    return over, Rollout.objects.exclude(pk__in=over.values("pk"))
