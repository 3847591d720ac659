"""Feature flags: gates in words, readings over time, who is in."""

from __future__ import annotations

import re

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from ...audit.actor import Actor
from ...models import FeatureFlag
from ...rules.exposure import Exposure, enters_at
from ...services import readings
from ...services.refusals import Refused

PER_PAGE = 50
ACTOR = re.compile(r"[A-Za-z:]{1,60}:[A-Za-z0-9_.@:-]{1,100}")


@require_safe
def flags(request: HttpRequest) -> HttpResponse:
    found = FeatureFlag.objects.for_list().order_by("name", "environment", "pk")
    asked = {name: request.GET.get(name, "")[:200] for name in ("q", "type", "group", "presence", "with")}
    if asked["q"]:
        found = found.filter(name__icontains=asked["q"])
    if asked["type"]:
        found = found.filter(type=asked["type"])
    if asked["group"]:
        found = found.filter(group=asked["group"])
    if asked["presence"]:
        found = found.filter(presence=asked["presence"])
    if asked["with"] == "rollout":
        found = found.filter(rollouts__isnull=False).distinct()
    context = {
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "asked": asked,
        "types": _known("type"),
        "groups": _known("group"),
        "presences": FeatureFlag._meta.get_field("presence").choices,
    }
    return render(request, "portal/flags.html", context)


def _known(field: str) -> list[str]:
    """What the flags' definitions say there, each once."""
    said = FeatureFlag.objects.exclude(**{field: ""}).order_by(field).values_list(field, flat=True)
    return list(said.distinct())


@require_safe
def flag(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, pk)


@require_POST
def enter_reading(request: HttpRequest, pk: int) -> HttpResponse:
    """A reading by hand, with evidence. Refused: the same page with 422 (403 if only the role is lacking)."""
    found = get_object_or_404(FeatureFlag, pk=pk)
    said = {name: request.POST.get(name, "").strip()[:5_000] for name in ("percentage", "groups", "actors", "evidence")}
    try:
        exposure = Exposure.from_gates(
            [
                ("boolean", "everyone" in request.POST),
                ("percentage_of_actors", said["percentage"] or 0),
                ("groups", said["groups"].split()),
                ("actors", said["actors"].split()),
            ]
        )
        readings.enter(found, exposure, by=Actor.of(request.user), evidence=said["evidence"])
    except ValueError as error:
        return _page(request, pk, refused=[f"{error}. Write a number from 0 to 100."], status=422)
    except Refused as refused:
        status = 403 if refused.codes == {"role"} else 422
        return _page(request, pk, refused=[blocker.message for blocker in refused.blockers], status=status)
    messages.success(request, "The reading was kept. It goes stale like any other.")
    response = HttpResponseRedirect(reverse("portal:flag", args=[pk]))
    response.status_code = 303
    return response


def _page(request: HttpRequest, pk: int, *, refused: list[str] | None = None, status: int = 200) -> HttpResponse:
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
        "refused": refused,
    }
    return render(request, "portal/flag.html", context, status=422 if wrong else status)
