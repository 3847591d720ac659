"""The AI models list: what its address asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, When

from ..models import AIModel, Phase, Rollout
from ..rules.expected import Drift
from ..rules.machine import LIVE, RolloutState
from ..rules.retirement import NEAR_DAYS
from .asking import PageQuery
from .sorting import ListFilter


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer: what the models say, each once. One query."""

    providers: list[str]
    hosts: list[str]
    capabilities: list[str]

    @classmethod
    def read(cls) -> Choices:
        rows = list(AIModel.objects.order_by().values_list("provider", "host", "capability").distinct())
        providers, hosts, capabilities = (sorted({row[at] for row in rows} - {""}) for at in range(3))
        return cls(providers, hosts, capabilities)


class ModelFilter(ListFilter):
    SORTS = {
        "live": "is_live",
        "name": "name",
        "provider": "provider",
        "quota": "quota_requests_per_minute",
        "retires": "deprecated_on",
    }
    #: What is live comes first.
    USUAL = "-live"
    ASKED = ("q", "provider", "host", "capability", "show")

    @classmethod
    def read(cls, asked: PageQuery, choices: Choices) -> ModelFilter:
        known: dict[str, Iterable[str]] = {
            "provider": choices.providers,
            "host": choices.hosts,
            "capability": choices.capabilities,
            "show": ("live", "retiring", "soon", "retired"),
        }
        return cls.of(asked, known)

    def models(self, today: date) -> QuerySet[AIModel]:
        """The models that fit, in order."""
        found, asked = AIModel.objects.all(), self.asked
        if text := asked["q"]:
            fields = ("name", "slug", "provider", "host", "capability", "provider_model_id")
            fits = Q()
            for field in fields:
                fits |= Q(**{f"{field}__icontains": text})
            found = found.filter(fits)
        for field in ("provider", "host", "capability"):
            if asked[field]:
                found = found.filter(**{field: asked[field]})
        if asked["show"]:
            found = found.filter(_shown(asked["show"], today))
        key = self.SORTS[self.sort.removeprefix("-")]
        if key == "is_live":
            found = found.annotate(is_live=Case(When(live(), then=1), default=0, output_field=IntegerField()))
        by = F(key).desc(nulls_last=True) if self.sort.startswith("-") else F(key).asc(nulls_last=True)
        return found.order_by(by, "name", "host", "pk")


def _shown(kind: str, today: date) -> Q:
    match kind:
        case "live":
            return live()
        case "retiring":
            return Q(deprecated_on__gte=today)
        case "soon":
            return Q(deprecated_on__gte=today, deprecated_on__lte=today + timedelta(days=NEAR_DAYS))
        case "retired":
            return Q(deprecated_on__lt=today)
        case _:
            return Q(pk__in=[])


def live() -> Q:
    """Live by a rollout: one of its phases is, or GitLab shows the flag wider than that."""
    going = Rollout.objects.exclude(state=RolloutState.ABANDONED)
    by_phase = Phase.objects.filter(rollout__ai_model=OuterRef("pk"), rollout__in=going, state__in=sorted(LIVE))
    by_drift = going.filter(ai_model=OuterRef("pk"), drift__in=(Drift.AHEAD, Drift.DIFFERENT))
    return Q(Exists(by_phase)) | Q(Exists(by_drift))
