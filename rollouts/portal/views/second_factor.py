"""``/accounts/second-factor/``: shown after the password; added, renewed and removed on pages of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from ...audit.actor import Actor
from ...models import clock
from ...models.second_factors import PENDING, SHOWN, has_one
from ...rules.phrases import spoken
from ...services import second_factors as services
from ..answers import SeeOther
from ..signing_in import address_of, showed_factor
from . import people
from .again import first, is_fresh, ours


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """After the password: nothing else works before a code was right."""
    person, following = _person(request), request.POST.get("next", "") or request.GET.get("next", "")
    if not has_one(person):
        return redirect("add_second_factor")
    context: dict[str, Any] = {"next": following, "actor": None, "name": person.get_username()}
    status = 200
    if request.method == "POST":
        try:
            shown = services.show(
                person, request.POST.get("code", ""), by=Actor.of(person), address=address_of(request)
            )
        except services.WrongCode as wrong:
            context["wrong"], status = spoken(wrong.args[0]), 429 if wrong.is_locked else 422
        else:
            showed_factor(request, person, shown)
            return SeeOther(ours(request, following, reverse("portal:portfolio")))
    answer = render(request, "registration/second_factor.html", context, status=status)
    if status == 429:
        answer["Retry-After"] = str(int(services.LOCKED_FOR.total_seconds()))
    return answer


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    if has_one(person):
        return people.back(request, "second-factor")
    if not is_fresh(request):
        return first(request, reverse("add_second_factor"))
    secret = request.session.get(PENDING)
    if not secret:
        secret = request.session[PENDING] = services.new_secret()
    context: dict[str, Any] = {"must": services.must(person)}
    if request.method == "POST":
        try:
            codes = services.add(person, secret, request.POST.get("code", "").strip(), by=Actor.of(person))
        except services.WrongCode as wrong:
            context["wrong"] = spoken(wrong.args[0])
        else:
            del request.session[PENDING]
            request.session.cycle_key()
            request.session[SHOWN] = clock.now().isoformat(timespec="seconds")
            return _codes(request, codes, status=201)
    context |= {"secret": services.written(secret), "link": services.link(person, secret)}
    return render(request, "registration/add_second_factor.html", context, status=422 if "wrong" in context else 200)


@never_cache
@require_POST
def renew(request: HttpRequest) -> HttpResponse:
    if not is_fresh(request):
        return first(request, reverse("portal:account"))
    return _codes(request, services.renew_codes(_person(request), by=Actor.of(request.user)), status=201)


@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    if not is_fresh(request):
        return first(request, reverse("portal:account"))
    services.remove(_person(request), by=Actor.of(request.user))
    messages.success(request, gettext("Your second factor is removed."))
    return people.back(request, "second-factor")


def _codes(request: HttpRequest, codes: list[str], *, status: int) -> HttpResponse:
    return render(request, "registration/recovery_codes.html", {"codes": codes}, status=status)


def _person(request: HttpRequest) -> User:
    return User.objects.select_related("account", "second_factor").get(username=request.user.get_username())
