"""What lists can be narrowed to: names that the data has, the same for pages and the API."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Exists, OuterRef

from ..models import AIModel, PlanTemplate, Rollout
from ..rules.phrases import Phrase, say, shorten, spoken

#: So many choices are named; who meant another sees the whole list on the page.
MOST_NAMED = 20


def providers() -> list[str]:
    """Providers of the AI models that are rolled out."""
    rolled_out = AIModel.objects.filter(Exists(Rollout.objects.filter(ai_model=OuterRef("pk"))))
    return list(rolled_out.exclude(provider="").order_by("provider").values_list("provider", flat=True).distinct())


def phases() -> list[tuple[str, str]]:
    """Name and title of each phase that templates know, in their order."""
    titles = {phase.name: phase.title for kept in PlanTemplate.objects.all() for phase in kept.template.phases}
    return [(name, spoken(title)) for name, title in titles.items()]


def refusal(name: str, written: str, known: Sequence[str]) -> Phrase:
    """What is said to who asks for another one than there is."""
    named = ", ".join(filter(None, known[:MOST_NAMED])) or say("none")
    if len(known) > MOST_NAMED:
        named = say("{these} and others", these=named)
    return say("There is no {name} «{written}». There are: {named}.", name=name, written=shorten(written), named=named)
