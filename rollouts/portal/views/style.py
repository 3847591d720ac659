"""``/style/``: for those who make pages, so only with DEBUG."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..style import tokens
from ..style.samples import samples

#: Shown on each ground, with their contrast.
GROUNDS = ("paper", "card")


@require_safe
def style(request: HttpRequest) -> HttpResponse:
    _only_debug()
    themes = [
        (theme, [(name, value, _contrasts(colours, value)) for name, value in colours.items() if value.startswith("#")])
        for theme, colours in tokens.declared().items()
    ]
    return render(request, "style/page.html", {"samples": samples(), "themes": themes})


@require_safe
def tokens_css(request: HttpRequest) -> HttpResponse:
    _only_debug()
    return HttpResponse(tokens.as_css(), content_type="text/css")


def _only_debug() -> None:
    if not settings.DEBUG:
        raise Http404("The style page is there only with DEBUG.")


def _contrasts(colours: dict[str, str], value: str) -> list[tuple[str, float]]:
    return [(ground, tokens.contrast(value, colours[ground])) for ground in GROUNDS]
