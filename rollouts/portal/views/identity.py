"""``/accounts/provider/``: in by the identity provider, and out again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ...audit.actor import Actor
from ...models import clock
from ...models.sessions import LINK, PROVED_AT
from ...rules.identities import Claims
from ...rules.phrases import spoken
from ...services import identities
from ..answers import SeeOther
from . import people
from .account import SignInForm, ways
from .again import FRESH, first, is_fresh, ours

NEXT, ID_TOKEN = "oidc_next", "oidc_id_token"
#: Since when somebody who is signed in shows again who they are.
ANEW = "oidc_anew"
BACKEND = "rollouts.portal.signing_in.ByProvider"


@login_not_required
@never_cache
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    """In; or, signed in, to show it again (``again``), or to connect what was asked for by a form (``LINK``)."""
    provider = _provider()
    is_in, anew = request.user.is_authenticated, "again" in request.GET
    if is_in and not anew and not _wants_link(request):
        return redirect(settings.LOGIN_REDIRECT_URL)
    request.session[NEXT] = request.GET.get("next", "")[:2_000]
    request.session[ANEW] = clock.now().isoformat() if is_in and anew else ""
    try:
        return provider.begin(request, anew=is_in)
    except provider.ProviderFailed as failed:
        return _refused(request, failed, failed.status)


@login_not_required
@never_cache
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    provider = _provider()
    following, anew = request.session.pop(NEXT, ""), request.session.pop(ANEW, "")
    wants_link = _wants_link(request)
    request.session.pop(LINK, None)
    try:
        claims, id_token = provider.finish(request)
        if wants_link and not anew:
            return _linked(request, claims)
        if anew and request.user.is_authenticated:
            identities.shown_anew(request.user, claims, since=datetime.fromisoformat(anew))
        person = identities.come_in(claims)
    except provider.ProviderFailed as failed:
        return _refused(request, failed, failed.status)
    except identities.NotLetIn as failed:
        return _refused(request, failed, 403)
    login(request, person, backend=BACKEND)
    request.session[ID_TOKEN] = id_token
    if claims.proved_at:
        request.session[PROVED_AT] = min(claims.proved_at, clock.now()).isoformat(timespec="seconds")
    return SeeOther(ours(request, following, reverse("portal:portfolio")))


@never_cache
@require_POST
def connect(request: HttpRequest) -> HttpResponse:
    """Asked for by a form of one's own page; the way to the provider is a link (``begin``), as at every sign-in."""
    _provider()
    if not is_fresh(request):
        return first(request, reverse("portal:account"))
    request.session[LINK] = clock.now().isoformat()
    return people.back(request, "identity")


@require_POST
def disconnect(request: HttpRequest) -> HttpResponse:
    if not is_fresh(request):
        return first(request, reverse("portal:account"))
    identities.unlink(request.user, by=Actor.of(request.user))  # type: ignore[arg-type]
    messages.success(request, gettext("Your account is disconnected: you come in by your password."))
    return people.back(request, "identity")


def _wants_link(request: HttpRequest) -> bool:
    """Asked for a moment ago, by who is signed in here."""
    at = request.session.get(LINK) if request.user.is_authenticated else None
    return at is not None and clock.now() - datetime.fromisoformat(at) <= FRESH


def _linked(request: HttpRequest, claims: Claims) -> HttpResponse:
    identity = identities.link(request.user, claims, by=Actor.of(request.user))  # type: ignore[arg-type]
    words = gettext("Your account is connected: %(provider)s calls you %(name)s.")
    messages.success(request, words % {"provider": settings.OIDC_NAME, "name": identity.username or identity.subject})
    return people.back(request, "identity")


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
