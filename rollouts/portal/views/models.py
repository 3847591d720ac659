"""AI models: what is rolled out, by whom it is made, where it runs, where it is live."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ...models import AIModel, Rollout, clock
from ...services import locks
from ..asking import PageQuery
from ..model_filter import Choices, ModelFilter
from ..presenters import models as present
from ..sorting import Column, column

PER_PAGE = 50
PARTS_PER_PAGE = 25


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    now, asked, choices = clock.now(), PageQuery(request), Choices.read()
    chosen = ModelFilter.read(asked, choices)
    page = asked.page(asked.rows(chosen.models(now.date())), PER_PAGE)
    context = {
        "page": page,
        "rows": present.rows(list(page), now),
        "filter": chosen,
        "choices": choices,
        "columns": _columns(request, chosen.sort),
    }
    return asked.answer("portal/models.html", context)


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
    now, asked = clock.now(), PageQuery(request)
    took_part = Rollout.objects.whole().filter(Q(ai_model=found) | Q(baseline=found)).order_by("-created_at", "pk")
    page = asked.page(took_part, PARTS_PER_PAGE)
    context = {
        "model": found,
        "row": present.rows([found], now)[0],
        "page": page,
        "parts": present.took_part(found, page, now, locks.standing(now)),
    }
    return asked.answer("portal/model.html", context)
