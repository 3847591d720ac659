"""AI models."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, When

from ...models import AIModel, Phase, Rollout, clock
from ...rules.expected import Drift
from ...rules.machine import LIVE, RolloutState
from ...rules.retirement import NEAR_DAYS
from .asked import OneOf, Shown, Sorted, Text, in_any

FIELDS = ("name", "slug", "provider", "host", "capability", "provider_model_id")
KINDS = ("live", "retiring", "soon", "retired")


class ModelFilter(Sorted):
    SORTS = {
        "live": "is_live",
        "name": "name",
        "provider": "provider",
        "quota": "quota_requests_per_minute",
        "retires": "deprecated_on",
    }
    THEN = ("name", "host", "pk")

    q = Text(method="search")
    provider = OneOf(lambda asked: asked.known["provider"])
    host = OneOf(lambda asked: asked.known["host"])
    capability = OneOf(lambda asked: asked.known["capability"])
    show = OneOf(KINDS, method="of_kind")
    #: What is live comes first.
    sort = Shown(lambda asked: asked.sorts(), usual="-live")

    @cached_property
    def known(self) -> dict[str, list[str]]:
        """What the models say, each once. One query."""
        names = ("provider", "host", "capability")
        rows = list(AIModel.objects.order_by().values_list(*names).distinct())
        return {name: sorted({row[at] for row in rows} - {""}) for at, name in enumerate(names)}

    def search(self, models: QuerySet[AIModel], name: str, text: str) -> QuerySet[AIModel]:
        return models.filter(in_any(FIELDS, text))

    def of_kind(self, models: QuerySet[AIModel], name: str, kind: str) -> QuerySet[AIModel]:
        today = clock.now().date()
        match kind:
            case "live":
                return models.filter(live())
            case "retired":
                return models.filter(deprecated_on__lt=today)
        models = models.filter(deprecated_on__gte=today)
        return models.filter(deprecated_on__lte=today + timedelta(days=NEAR_DAYS)) if kind == "soon" else models

    def with_key(self, rows: QuerySet[Any], key: str) -> QuerySet[Any]:
        if key != "is_live":
            return rows
        return rows.annotate(is_live=Case(When(live(), then=1), default=0, output_field=IntegerField()))


def live() -> Q:
    """Live by a rollout: one of its phases is, or GitLab shows the flag wider than that."""
    going = Rollout.objects.exclude(state=RolloutState.ABANDONED)
    by_phase = Phase.objects.filter(rollout__ai_model=OuterRef("pk"), rollout__in=going, state__in=sorted(LIVE))
    by_drift = going.filter(ai_model=OuterRef("pk"), drift__in=(Drift.AHEAD, Drift.DIFFERENT))
    return Q(Exists(by_phase)) | Q(Exists(by_drift))
