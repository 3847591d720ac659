"""Which rollouts a plan puts in an order with its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypedDict

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import JSONObject
from django.utils.translation import gettext_lazy as _

from ..rules.ordering import Order
from .change_log import AuditedModel, AuditedQuerySet
from .in_a_list import InAList


class Told(TypedDict):
    """A rollout in an order with another, with one attempt at one of its phases; times are texts."""

    kind: str
    key: int
    slug: str
    title: str
    state: str
    phase: str
    phase_state: str
    started_at: str | None
    stepped_at: str | None


def moment(text: str | None) -> datetime | None:
    """Of a time as a database writes it into JSON: SQLite leaves the zone out."""
    at = datetime.fromisoformat(text) if text else None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


class RolloutOrderQuerySet(AuditedQuerySet):
    def told(self) -> dict[str, Subquery]:
        """For rollouts: what their own plans and those of others say, as columns, so that no list asks more for it."""
        mine = self.filter(rollout=OuterRef("pk")).order_by()
        theirs = self.filter(other=OuterRef("pk")).order_by()
        return {
            "ordered": Subquery(mine.values("rollout").annotate(found=_lines("other")).values("found")),
            "never_with": Subquery(
                theirs.filter(kind=Order.NOT_WITH).values("other").annotate(found=_lines("rollout")).values("found")
            ),
            "named_by": Subquery(theirs.values("other").annotate(found=InAList("rollout_id")).values("found")),
        }

    def looking_at(self, rollouts: Iterable[Any]) -> set[int]:
        """Rollouts, by key, whose guards look at one of these; no query where all were loaded with ``told``."""
        looking: set[int] = set()
        unknown = []
        for rollout in rollouts:
            if "named_by" in rollout.__dict__:
                own = {told["key"] for told in rollout.ordered or () if told["kind"] == Order.NOT_WITH}
                looking |= {*(rollout.named_by or ()), *own}
            else:
                unknown.append(rollout.pk)
        if unknown:
            rows = self.order_by().filter(Q(other__in=unknown) | Q(rollout__in=unknown, kind=Order.NOT_WITH))
            looking |= {key for pair in rows.values_list("rollout_id", "other_id") for key in pair} - set(unknown)
        return looking

    def around(self, rollout: int) -> Q:
        """For rollouts: those that the guards of this one look at."""
        mine = self.order_by().filter(rollout=rollout).values("other")
        theirs = self.order_by().filter(other=rollout, kind=Order.NOT_WITH).values("rollout")
        return Q(pk__in=mine) | Q(pk__in=theirs)


def _lines(side: str) -> InAList:
    names = {"key": "pk", "slug": "slug", "title": "title", "state": "state", "phase": "phases__name",
             "phase_state": "phases__state", "started_at": "phases__started_at",
             "stepped_at": "phases__stepped_at"}  # fmt: skip
    return InAList(JSONObject(kind=F("kind"), **{name: F(f"{side}__{path}") for name, path in names.items()}))


class RolloutOrder(AuditedModel):
    """One rollout is ordered with another, because its plan says so."""

    rollout = models.ForeignKey("rollouts.Rollout", on_delete=models.PROTECT, related_name="orders")
    kind = models.CharField(max_length=20, help_text=_("after, or not_with: as the plan says it."))
    other = models.ForeignKey("rollouts.Rollout", on_delete=models.PROTECT, related_name="ordered_by")

    objects = RolloutOrderQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("rollout", "kind", "pk")
        constraints = [
            models.UniqueConstraint(fields=("rollout", "kind", "other"), name="ordered_once"),
            models.CheckConstraint(condition=Q(kind__in=[kind.value for kind in Order]), name="order_known"),
            models.CheckConstraint(condition=~Q(rollout=F("other")), name="ordered_with_another"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.other}"
