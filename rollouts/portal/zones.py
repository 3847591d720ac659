"""Times in the viewer's zone: what the browser says it is, or what the person chose; UTC where neither is known."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from ..audit.middleware import Middleware
from ..rules.zones import is_zone, zone
from .answers import SeeOther

COOKIE = "zone"
A_YEAR = 365 * 86_400


class ViewersZone(Middleware):
    """Activates the zone of the cookie for the request; the script sets it, the form in the footer overrides it."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get(COOKIE, "")
        with timezone.override(zone(name) if name and is_zone(name) else None):
            return self.get_response(request)


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep the zone that was chosen; one that there is not changes nothing."""
    back = request.POST.get("back", "/")
    allowed = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    response = SeeOther(back if allowed else "/")
    name = request.POST.get("zone", "")
    if is_zone(name):
        response.set_cookie(COOKIE, name, max_age=A_YEAR, samesite="Lax", secure=request.is_secure())
    return response
