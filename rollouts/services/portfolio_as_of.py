"""The portfolio as it was at a moment: each rollout that was there, out of its history, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..models import AuditEvent, Rollout
from ..rules.phrases import say
from . import as_of
from .as_of import NotThere, Past, PastItsAge

#: So many rollouts are told at a time: each is worked out anew.
MOST = 20


@dataclass(frozen=True, slots=True)
class PortfolioPage:
    """Rollouts in the order in which they were made. ``next`` is to be asked for as ``after``; None on the last page.

    ``all`` is how many there were, ``past_age`` how many of this page have no events any more that could tell of them.
    """

    moment: datetime
    rollouts: Sequence[Past]
    next: int | None
    all: int
    past_age: int = 0


def page(moment: datetime, *, after: int = 0, most: int = MOST) -> PortfolioPage:
    """Raises ``NotThere``."""
    as_of.refuse_to_come(moment)
    first = AuditEvent.objects.order_by("at", "pk").values_list("at", flat=True).first()
    if first is None or moment < first:
        begin = first.isoformat() if first else say("never")
        raise NotThere(say("The history begins {first}: nothing is known of before.", first=begin))
    there = Rollout.objects.filter(created_at__lte=moment)
    rows = list(there.filter(pk__gt=after).order_by("pk").values_list("pk", "slug")[: most + 1])
    told, past_age = [], 0
    for _pk, slug in rows[:most]:
        try:
            told.append(as_of.of(slug, moment))
        except PastItsAge:
            past_age += 1
        except NotThere:  # made before the history began, and never touched until then
            continue
    return PortfolioPage(moment, told, rows[most - 1][0] if len(rows) > most else None, there.count(), past_age)
