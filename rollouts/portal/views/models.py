"""AI models: what is rolled out, by whom it is made, where it runs, where it is live."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ...models import AIModel, Rollout, clock
from ...services import locks
from ..model_filter import Choices, ModelFilter
from ..presenters import models as present
from ..sorting import Column, column

PER_PAGE = 50
PARTS_PER_PAGE = 25


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    now, chosen = clock.now(), ModelFilter.of(request.GET)
    page = Paginator(chosen.models(now.date()), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": present.rows(list(page), now),
        "filter": chosen,
        "choices": Choices.read(),
        "columns": _columns(request, chosen.sort),
    }
    return render(request, "portal/models.html", context)


def _columns(request: HttpRequest, sort: str) -> list[Column]:
    query = request.GET
    return [
        column(_("AI model"), query, "name", sort),
        column(_("Provider, host, capability"), query, "provider", sort),
        column(_("Live now for"), query, "live", sort),
        column(_("Quota and its use"), query, "quota", sort),
        column(_("Replaced, retires"), query, "retires", sort),
    ]


@require_safe
def model(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(AIModel, slug=slug)
    now = clock.now()
    took_part = Rollout.objects.whole().filter(Q(ai_model=found) | Q(baseline=found)).order_by("-created_at", "pk")
    page = Paginator(took_part, PARTS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "model": found,
        "row": present.rows([found], now)[0],
        "page": page,
        "parts": present.took_part(found, page, now, locks.standing(now)),
    }
    return render(request, "portal/model.html", context)
