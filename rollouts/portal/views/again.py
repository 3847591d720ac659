"""``/accounts/again/``: who is signed in shows once more who they are, where something asks for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from ...models import Identity, clock
from ...models.sessions import PROVED_AT
from ..answers import SeeOther
from .account import SignInForm, ways

#: For what concerns the account itself.
FRESH = timedelta(minutes=5)


def is_fresh(request: HttpRequest) -> bool:
    at = request.session.get(PROVED_AT)
    return at is not None and clock.now() - datetime.fromisoformat(at) <= FRESH


def first(request: HttpRequest, following: str) -> HttpResponse:
    """Off to show who they are, and then to ``following``."""
    return SeeOther(f"{reverse('again')}?{urlencode({'next': following})}")


def ours(request: HttpRequest, following: str, otherwise: str) -> str:
    """Where to go on, if it is an address of the portal itself."""
    is_ours = url_has_allowed_host_and_scheme(following, {request.get_host()}, require_https=request.is_secure())
    return following if is_ours else otherwise


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def again(request: HttpRequest) -> HttpResponse:
    """By the same password form as any sign-in, so locks and history count here too."""
    following = request.POST.get("next", "") or request.GET.get("next", "")
    known = ways()
    by_password = known["by_password"] and request.user.has_usable_password()  # type: ignore[union-attr]
    form: Any = SignInForm(request)
    if request.method == "POST" and by_password:
        typed = {"username": request.user.get_username(), "password": request.POST.get("password", "")}
        form = SignInForm(request, typed)
        if form.is_valid():
            login(request, form.get_user())
            return SeeOther(ours(request, following, reverse("portal:account")))
    has_identity = Identity.objects.filter(person_id=request.user.pk).exists()
    context = {
        **known,
        "form": form,
        "next": following,
        "by_password": by_password,
        "provider": known["provider"] if has_identity else "",
    }
    return render(request, "registration/again.html", context, status=422 if form.is_bound else 200)
