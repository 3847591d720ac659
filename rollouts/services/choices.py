"""What lists can be narrowed to: names that the data has, the same for pages and the API."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from ..models import AIModel, PlanTemplate, Rollout
from ..rules.words import spoken


def providers() -> list[str]:
    """Providers of the AI models that are rolled out."""
    rolled_out = AIModel.objects.filter(Exists(Rollout.objects.filter(ai_model=OuterRef("pk"))))
    return list(rolled_out.exclude(provider="").order_by("provider").values_list("provider", flat=True).distinct())


def phases() -> list[tuple[str, str]]:
    """Name and title of each phase that templates know, in their order."""
    found = {phase.name: phase.title for kept in PlanTemplate.objects.all() for phase in kept.template.phases}
    return [(name, spoken(title)) for name, title in found.items()]
