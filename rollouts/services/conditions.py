"""What begins and ends by the clock, and nobody does: locks, debts, readings that grow old. Each is told once.

Which of them hold is worked out anew each time; a row for each that began keeps it from being told again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import ApiToken, Condition, GitLabInstance, Override, PortfolioRow, Rollout, Waiver, clock
from ..rules.expected import Presence
from . import freshness, locks

JOB = Actor.job("notifications")
#: Told so long before a token ends.
TOKEN_ENDS = timedelta(days=7)
WAIVER_ENDS = timedelta(days=1)
#: A reading that is so many times older than the limit is more than a hiccup.
LONG_STALE = 3
VERBS = frozenset({"lock.began", "override.open", "override.overdue", "token.ends", "waiver.ends"})
Place = PortfolioRow.Place


@dataclass(frozen=True, slots=True)
class Holds:
    """``about`` is None where it is the condition itself."""

    key: str
    title: str
    begins: str
    about: Any = None
    rollout: Rollout | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def work() -> int:
    """Tell of what began and ended since; returns of how many. Safe to run twice at once."""
    now = clock.now()
    holding = {one.key: one for one in _holding(now)}
    known = dict(Condition.objects.filter(ended_at=None).values_list("key", "pk"))
    told = sum(_begin(one, now) for key, one in holding.items() if key not in known)
    return told + sum(_end(pk, key, now) for key, pk in known.items() if key not in holding)


def _holding(now: datetime) -> Iterator[Holds]:
    yield from _locks(now)
    yield from _unread(now)
    yield from _overrides(now)
    yield from _clean_ups()
    yield from _tokens(now)
    yield from _waivers(now)


def _locks(now: datetime) -> Iterator[Holds]:
    for instance, lock in locks.standing(now).holding:
        until = lock.until.isoformat() if lock.until else None
        key = f"lock:{instance or ''}:{lock.where}:{lock.title}"
        yield Holds(key, lock.title, "lock.began", notes={"instance": instance, "until": until})


def _unread(now: datetime) -> Iterator[Holds]:
    old = now - LONG_STALE * freshness.limit()
    for instance in GitLabInstance.objects.followed().filter(flags_read_at__lt=old):
        key = f"stale:{instance.pk}"
        notes = {"instance": instance.pk}
        yield Holds(key, instance.name, "reading.stale", about=instance, notes=notes)


def _overrides(now: datetime) -> Iterator[Holds]:
    for one in Override.objects.filter(reviewed_at=None).select_related("phase__rollout"):
        late = one.due_at < now
        yield Holds(
            f"override:{one.pk}:{'late' if late else 'open'}",
            str(one.phase),
            "override.overdue" if late else "override.open",
            about=one,
            rollout=one.phase.rollout,
            notes={"person": one.by, "due": one.due_at.isoformat()},
        )


def _clean_ups() -> Iterator[Holds]:
    overdue = Rollout.objects.filter(portfolio_row__place=Place.OVERDUE)
    through = Rollout.objects.filter(state="completed", flag__presence=Presence.SET)
    for verb, rollouts in (("cleanup.overdue", overdue), ("cleanup.due", through)):
        for rollout in rollouts:
            yield Holds(f"{verb}:{rollout.pk}", rollout.title, verb, about=rollout, rollout=rollout)


def _waivers(now: datetime) -> Iterator[Holds]:
    for one in Waiver.objects.with_what().standing(now).filter(ends_at__lt=now + WAIVER_ENDS):
        notes = {"ends": one.ends_at.isoformat()}
        yield Holds(f"waiver:{one.pk}", str(one), "waiver.ends", about=one, rollout=one.rollout, notes=notes)


def _tokens(now: datetime) -> Iterator[Holds]:
    ending = ApiToken.objects.filter(revoked_at=None, expires_at__gt=now, expires_at__lt=now + TOKEN_ENDS)
    for token in ending.select_related("person"):
        assert token.expires_at is not None
        if token.expires_at - token.created_at > 2 * TOKEN_ENDS:  # of one for a few days its maker knows
            notes = {"person": token.person.get_username(), "ends": token.expires_at.isoformat()}
            yield Holds(f"token:{token.pk}", str(token), "token.ends", about=token, notes=notes)


def _begin(one: Holds, now: datetime) -> int:
    with transaction.atomic():
        fields = {"title": one.title[:200], "began_at": now, "ended_at": None}
        row, is_new = Condition.objects.get_or_create(key=one.key[:300], defaults=fields)
        if not is_new and not Condition.objects.filter(pk=row.pk).exclude(ended_at=None).update(**fields):
            return 0
        with recorded(one.begins, by=JOB, about=one.about or row, rollout=one.rollout) as recording:
            recording.notes |= {**one.notes, "began": now.isoformat()}
    return 1


def _end(pk: int, key: str, now: datetime) -> int:
    with transaction.atomic():
        if not Condition.objects.filter(pk=pk, ended_at=None).update(ended_at=now):
            return 0
        kind, where, *_ = key.split(":")
        if kind not in ("lock", "stale"):
            return 0
        instance = int(where) if where else None
        condition, unread = Condition.objects.get(pk=pk), GitLabInstance.objects.filter(pk=instance or 0).first()
        about: Any = unread if kind == "stale" and unread else condition
        with recorded("lock.over" if kind == "lock" else "reading.fresh", by=JOB, about=about) as recording:
            recording.notes |= {"instance": instance, "ended": now.isoformat()}
    return 1
