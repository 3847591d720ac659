"""``/notifications/``: what concerns whoever looks, newest first."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from ...models import Notice
from ...services import notices as services
from ...services.lists.asked import Asked
from .. import lists
from ..answers import SeeOther
from ..presenters import notices as present

PER_PAGE = 50


@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    asked = Asked(request.GET, services.of(person))
    page = asked.page(services.NEWEST_FIRST, PER_PAGE)
    context = {"page": page, "rows": present.told(page.rows)}
    return lists.answer(request, "portal/notices.html", context, asked)


@require_POST
def read(request: HttpRequest, pk: int) -> HttpResponse:
    """Marks one of one's own as read."""
    person: Any = request.user
    if not Notice.objects.filter(person=person, pk=pk).exists():
        raise Http404("There is no such notice of yours.")
    services.mark_read(person, pk=pk)
    return SeeOther(reverse("portal:notices"))


@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    services.mark_read(person)
    return SeeOther(reverse("portal:notices"))
