"""Views of lists that people keep: by POST from the list, back to it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ...audit.actor import Actor
from ...services import views
from ..answers import SeeOther


@require_POST
def keep(request: HttpRequest) -> HttpResponse:
    by, name, query = (Actor.of(request.user), *(request.POST.get(name, "") for name in ("name", "query")))
    page = request.POST.get("page", views.Page.PORTFOLIO)
    view = views.keep(name, query, by=by, shared=request.POST.get("shared") == "yes", page=page)
    messages.success(request, _("You kept the view %(name)s.") % {"name": view.name})
    return SeeOther(view.get_absolute_url())


@require_POST
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    by = Actor.of(request.user)
    view = get_object_or_404(views.of_all(by), pk=pk)
    views.rename(view, request.POST.get("name", ""), by=by)
    messages.success(request, _("The view is called %(name)s now.") % {"name": view.name})
    return SeeOther(view.get_absolute_url())


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    by = Actor.of(request.user)
    view = get_object_or_404(views.of_all(by), pk=pk)
    views.remove(view, by=by)
    messages.success(request, _("You removed the view %(name)s.") % {"name": view.name})
    return SeeOther(reverse(f"portal:{view.page}"))
