"""``/accounts/provider/``: in by the identity provider, and out again."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ...rules.phrases import spoken
from ...services import identities
from ..answers import SeeOther
from .account import SignInForm, ways

NEXT, ID_TOKEN = "oidc_next", "oidc_id_token"
BACKEND = "rollouts.portal.signing_in.ByProvider"


@login_not_required
@never_cache
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    provider = _provider()
    if request.user.is_authenticated:
        return redirect(settings.LOGIN_REDIRECT_URL)
    request.session[NEXT] = request.GET.get("next", "")[:2_000]
    try:
        return provider.begin(request)
    except provider.ProviderFailed as failed:
        return _refused(request, failed, failed.status)


@login_not_required
@never_cache
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    provider = _provider()
    following = request.session.pop(NEXT, "")
    try:
        claims, id_token = provider.finish(request)
        person = identities.come_in(claims)
    except provider.ProviderFailed as failed:
        return _refused(request, failed, failed.status)
    except identities.NotLetIn as failed:
        return _refused(request, failed, 403)
    login(request, person, backend=BACKEND)
    request.session[ID_TOKEN] = id_token
    is_ours = url_has_allowed_host_and_scheme(following, {request.get_host()}, require_https=request.is_secure())
    return SeeOther(following if is_ours else reverse("portal:portfolio"))


class SignOut(LogoutView):
    """Here, and at the provider by which the person came in."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        id_token = request.session.get(ID_TOKEN, "")
        answer = super().post(request, *args, **kwargs)
        away = _provider().leave(id_token) if id_token and settings.OIDC_ISSUER else ""
        return SeeOther(away) if away else answer


def _provider() -> Any:
    """Raises ``Http404`` where none is configured. Authlib is loaded when somebody comes this way."""
    if not settings.OIDC_ISSUER:
        raise Http404
    from .. import identity_provider

    return identity_provider


def _refused(request: HttpRequest, failed: Exception, status: int) -> HttpResponse:
    context = {"form": SignInForm(request), "shut_out": [spoken(failed.args[0])], **ways()}
    return render(request, "registration/login.html", context, status=status)
