"""AI models: what is rolled out, by whom it is made, where it runs, where it is live."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from ...models import AIModel, Rollout, clock
from ...services import facts

PER_PAGE = 50


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    found = AIModel.objects.prefetch_related("rollouts", "replaced_by").order_by("name", "host", "pk")
    text = request.GET.get("q", "")[:200]
    if text:
        found = found.filter(
            Q(name__icontains=text) | Q(slug__icontains=text) | Q(provider__icontains=text) | Q(host__icontains=text)
        )
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "portal/models.html", {"page": page, "q": text, "today": clock.now().date()})


@require_safe
def model(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(AIModel, slug=slug)
    now = clock.now()
    rollouts = Rollout.objects.whole().filter(Q(ai_model=found) | Q(baseline=found))
    rows = [(rollout, rollout.ai_model_id == found.pk, facts.for_rollout(rollout, now)) for rollout in rollouts]
    return render(request, "portal/model.html", {"model": found, "rows": rows, "today": now.date()})
