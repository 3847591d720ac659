"""``/accounts/second-factor/``: shown after the password; added, renewed and removed on pages of its own."""

from __future__ import annotations

import json
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
from ...services import passkeys
from ...services import second_factors as services
from ...services.passkeys import CHALLENGE
from ...services.refusals import Refused
from .. import qr_code
from ..answers import SeeOther
from ..signing_in import address_of, showed_factor
from . import people
from .again import first, is_fresh, ours


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """After the password: nothing else works before a code, or a passkey, was right."""
    person, following = _person(request), request.POST.get("next", "") or request.GET.get("next", "")
    if not has_one(person):
        return redirect("add_second_factor")
    context: dict[str, Any] = {"next": following, "actor": None, "name": person.get_username()}
    status = 200
    if request.method == "POST":
        try:
            shown = _shown(request, person)
        except services.WrongCode as wrong:
            context["wrong"], status = spoken(wrong.args[0]), 429 if wrong.is_locked else 422
        else:
            showed_factor(request, person, shown)
            return SeeOther(ours(request, following, reverse("portal:portfolio")))
    context["has_codes"] = services.has_authenticator(person)
    if passkeys.of(person):
        options, request.session[CHALLENGE] = passkeys.begin_showing(person)
        context["options"] = json.dumps(options)
    answer = render(request, "registration/second_factor.html", context, status=status)
    if status == 429:
        answer["Retry-After"] = str(int(services.LOCKED_FOR.total_seconds()))
    return answer


def _shown(request: HttpRequest, person: User) -> str:
    """By a passkey's answer, else by a code. A challenge is answered once."""
    state, address = request.session.pop(CHALLENGE, None), address_of(request)
    if answer := request.POST.get("answer", ""):
        return passkeys.show(person, state, answer, address=address)
    return services.show(person, request.POST.get("code", ""), by=Actor.of(person), address=address)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    if services.has_authenticator(person):
        return people.back(request, "second-factor")
    if not is_fresh(request):
        return first(request, reverse("add_second_factor"))
    secret = request.session.get(PENDING)
    if not secret:
        secret = request.session[PENDING] = services.new_secret()
    context: dict[str, Any] = {"must": services.must(person) and not has_one(person)}
    if request.method == "POST":
        try:
            codes = services.add(person, secret, request.POST.get("code", "").strip(), by=Actor.of(person))
        except services.WrongCode as wrong:
            context["wrong"] = spoken(wrong.args[0])
        else:
            del request.session[PENDING]
            return _added(request, codes)
    link = services.link(person, secret)
    context |= {"secret": services.written(secret), "link": link, "picture": qr_code.picture(link)}
    return render(request, "registration/add_second_factor.html", context, status=422 if "wrong" in context else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def add_passkey(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    if not is_fresh(request):
        return first(request, reverse("add_passkey"))
    name = request.POST.get("name", "")[: passkeys.LONGEST_NAME]
    context: dict[str, Any] = {"must": services.must(person) and not has_one(person), "name": name}
    status = 200
    if request.method == "POST":
        state, answer = request.session.pop(CHALLENGE, None), request.POST.get("answer", "")
        try:
            codes = passkeys.add(person, state, answer, name, by=Actor.of(person))
        except services.WrongCode as wrong:
            context["wrong"], status = spoken(wrong.args[0]), 422
        except Refused as refused:
            context["wrong"], status = " ".join(spoken(one.message) for one in refused.blockers), refused.status
        else:
            return _added(request, codes)
    options, request.session[CHALLENGE] = passkeys.begin_adding(person)
    context["options"] = json.dumps(options)
    return render(request, "registration/add_passkey.html", context, status=status)


def _added(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """Whoever added it has shown it."""
    request.session.cycle_key()
    request.session[SHOWN] = clock.now().isoformat(timespec="seconds")
    if codes:
        return _codes(request, codes, status=201)
    messages.success(request, gettext("It is added."))
    return people.back(request, "second-factor")


@require_POST
def remove_passkey(request: HttpRequest, pk: int) -> HttpResponse:
    if not is_fresh(request):
        return first(request, reverse("portal:account"))
    passkeys.remove(_person(request), pk, by=Actor.of(request.user))
    messages.success(request, gettext("The passkey is removed."))
    return people.back(request, "second-factor")


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
