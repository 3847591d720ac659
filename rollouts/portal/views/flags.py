"""Feature flags: gates in words, readings over time, who is in."""

from __future__ import annotations

import re

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from ...models import FeatureFlag
from ...rules.exposure import enters_at

PER_PAGE = 50
ACTOR = re.compile(r"[A-Za-z:]{1,60}:[A-Za-z0-9_.@:-]{1,100}")


@require_safe
def flags(request: HttpRequest) -> HttpResponse:
    found = FeatureFlag.objects.for_list().order_by("name", "environment", "pk")
    asked = {name: request.GET.get(name, "")[:200] for name in ("q", "type", "presence", "with")}
    if asked["q"]:
        found = found.filter(name__icontains=asked["q"])
    if asked["type"]:
        found = found.filter(type=asked["type"])
    if asked["presence"]:
        found = found.filter(presence=asked["presence"])
    if asked["with"] == "rollout":
        found = found.filter(rollouts__isnull=False).distinct()
    types = FeatureFlag.objects.exclude(type="").order_by("type").values_list("type", flat=True).distinct()
    context = {
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "asked": asked,
        "types": list(types),
        "presences": FeatureFlag._meta.get_field("presence").choices,
    }
    return render(request, "portal/flags.html", context)


@require_safe
def flag(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(FeatureFlag.objects.for_list(), pk=pk)
    actor = request.GET.get("actor", "").strip()[:200]
    answer, wrong = None, ""
    if actor and not ACTOR.fullmatch(actor):
        wrong = f"«{actor}» is no actor as GitLab writes it. Write a type and a number: User:42."
    elif actor:
        exposure = found.latest.exposure
        inside = exposure.includes(actor, flag=found.name) if exposure is not None else None
        answer = {"actor": actor, "inside": inside, "enters_at": enters_at(actor, flag=found.name)}
    context = {
        "flag": found,
        "latest": found.latest,
        "readings": found.readings.all()[:50],
        "actor_asked": actor,
        "answer": answer,
        "wrong": wrong,
    }
    return render(request, "portal/flag.html", context, status=422 if wrong else 200)
