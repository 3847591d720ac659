"""``/loose-ends/``: what stays behind while nobody looks, each with what ends it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ...models import clock
from ...services import loose_ends as found


@require_safe
def loose_ends(request: HttpRequest) -> HttpResponse:
    kinds = found.find(clock.now())
    context = {
        "kinds": [kind for kind in kinds if kind.count],
        "tied": [kind for kind in kinds if not kind.count],
        "count": sum(kind.count for kind in kinds),
    }
    return render(request, "portal/loose_ends.html", context)
