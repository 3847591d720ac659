"""AI models: what is rolled out, by whom it is made, where it runs, where it is live."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ...models import AIModel, Rollout, clock
from ...services import locks
from ...services.lists.asked import Asked
from ...services.lists.models import ModelFilter
from .. import lists
from ..presenters import models as present

PER_PAGE = 50
PARTS_PER_PAGE = 25


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    asked = ModelFilter(request.GET, AIModel.objects.all())
    page = asked.numbered(PER_PAGE, asked.in_order())
    headings = {
        "name": _("AI model"),
        "provider": _("Provider, host, capability"),
        "live": _("Live now for"),
        "quota": _("Quota and its use"),
        "retires": _("Replaced, retires"),
    }
    context = {
        "page": page,
        "rows": present.rows(list(page), clock.now()),
        "columns": lists.columns(request, asked, headings),
    }
    return lists.answer(request, "portal/models.html", context, asked)


@require_safe
def model(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(AIModel, slug=slug)
    now = clock.now()
    took_part = Rollout.objects.whole().filter(Q(ai_model=found) | Q(baseline=found)).order_by("-created_at", "pk")
    asked = Asked(request.GET, took_part)
    page = asked.numbered(PARTS_PER_PAGE)
    context = {
        "model": found,
        "row": present.rows([found], now)[0],
        "page": page,
        "parts": present.took_part(found, page, now, locks.standing(now)),
    }
    return lists.answer(request, "portal/model.html", context, asked)
