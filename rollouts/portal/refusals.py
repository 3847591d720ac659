"""How a page says no, whatever it is that says it: on top of the page that was used, or on a page of its own."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext

from ..models import Rollout
from ..services.refusals import Refused

#: Where programs ask, which want no page.
PROGRAMS = ("/api/", "/hooks/", "/metrics")


def told(refused: Refused | None, rollout: Rollout | None = None, what: str = "", here: str = "") -> dict[str, Any]:
    """For the context of a page that shows itself again, with ``refused.status``.

    ``base.html`` says each blocker on top, with the address that clears it. ``here`` is the page,
    where that is not the rollout's.
    """
    page = rollout.get_absolute_url() if rollout else ""
    blockers = refused.blockers if refused else ()
    return {"refused": [(each.message, each.url(page, here)) for each in blockers], "refused_what": what}


def page(request: HttpRequest, refused: Refused) -> HttpResponse:
    """Where no page was used that could say it."""
    is_role = refused.status == 403
    return in_words(request, refused.words, refused.status, title="" if is_role else gettext("Refused"))


def in_words(request: HttpRequest, words: str | Promise = "", status: int = 400, *, title: str = "") -> HttpResponse:
    """A page with the sentence and the status; a program gets the sentence alone."""
    if words and request.path.startswith(PROGRAMS):
        return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
    template = "403.html" if title or status == 403 else "400.html"
    return render(request, template, {"words": words, "title": title, "code": status}, status=status)
