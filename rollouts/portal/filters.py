"""The portfolio's filters, in the address."""

from __future__ import annotations

import django_filters
from django.db.models import Q

from ..models import AIModel, Rollout
from ..models.rollouts import RolloutQuerySet
from ..rules.machine import RolloutState

OVER = (RolloutState.CLOSED, RolloutState.ABANDONED)


class RolloutFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(method="search", label="Search title, flag, model")
    state = django_filters.ChoiceFilter(
        method="in_state", label="State", empty_label="Open", choices=[("over", "Finished"), ("all", "All")]
    )
    provider = django_filters.CharFilter(field_name="ai_model__provider", label="Provider")

    class Meta:
        model = Rollout
        fields: list[str] = []

    def filter_queryset(self, queryset: RolloutQuerySet) -> RolloutQuerySet:
        queryset = super().filter_queryset(queryset)
        return queryset if self.form.cleaned_data.get("state") else queryset.exclude(state__in=OVER)

    def search(self, queryset: RolloutQuerySet, name: str, text: str) -> RolloutQuerySet:
        return queryset.filter(
            Q(title__icontains=text)
            | Q(slug__icontains=text)
            | Q(flag__name__icontains=text)
            | Q(ai_model__name__icontains=text)
            | Q(ai_model__slug__icontains=text)
        )

    def in_state(self, queryset: RolloutQuerySet, name: str, state: str) -> RolloutQuerySet:
        return queryset.filter(state__in=OVER) if state == "over" else queryset


def providers() -> list[str]:
    """Providers of the AI models that are rolled out."""
    rolled_out = AIModel.objects.filter(rollouts__isnull=False).exclude(provider="")
    return list(rolled_out.order_by("provider").values_list("provider", flat=True).distinct())
