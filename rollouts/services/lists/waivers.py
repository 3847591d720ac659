"""Waivers of all rollouts: for their page, the file, the API and ``manage.py waiver list``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from ...models import Rollout, Waiver, clock
from ...models.keyset import Keyset
from ...models.waivers import WaiverQuerySet
from ...rules.phrases import later
from ...rules.waivers import WaiverState
from .asked import Asked, Known, OneOf, Text, in_any

NEWEST_FIRST = Keyset("waivers", {"-asked_at": datetime, "-pk": int})
STANDS = "stands"
KINDS = ("phase", "item", "drift")


class WaiverFilter(Asked):
    q = Text(method="search", help_text="In the reason, or what is waived.")
    state = OneOf([STANDS, *WaiverState], method="in_state", help_text="Stands: granted, and its end is yet to come.")
    kind = OneOf(KINDS, method="of_kind", help_text="Skipped phases, items gone without, or drift.")
    rollout = Known(
        lambda slug: Rollout.objects.filter(slug=slug).first(),
        later("There is no rollout {written}."),
        method="of_rollout",
        help_text="Short name of the rollout.",
    )
    who = Text(method="by_whom", help_text="User name of who asked or decided.")

    def __init__(self, query: Any, **kwargs: Any) -> None:
        super().__init__(query, Waiver.objects.with_what(), **kwargs)

    def search(self, rows: WaiverQuerySet, name: str, text: str) -> WaiverQuerySet:
        return rows.filter(in_any(("reason", "item__title", "phase__title", "rollout__title"), text))

    def in_state(self, rows: WaiverQuerySet, name: str, state: str) -> WaiverQuerySet:
        return rows.standing(clock.now()) if state == STANDS else rows.filter(state=state)

    def of_kind(self, rows: WaiverQuerySet, name: str, kind: str) -> WaiverQuerySet:
        which = {"phase": Q(item=None, drift_case=None), "item": ~Q(item=None), "drift": ~Q(drift_case=None)}
        return rows.filter(which[kind])

    def of_rollout(self, rows: WaiverQuerySet, name: str, rollout: Rollout) -> WaiverQuerySet:
        return rows.filter(rollout=rollout)

    def by_whom(self, rows: WaiverQuerySet, name: str, who: str) -> WaiverQuerySet:
        return rows.filter(Q(asked_by=who) | Q(decided_by=who))
