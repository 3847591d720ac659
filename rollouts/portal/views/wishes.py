"""``/notifications/settings/``: how one wants to be told; following a rollout; the link in each mail that ends it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from ...audit.actor import Actor
from ...models import Rollout
from ...rules.notices import KIND_WORDS, Kind
from ...rules.phrases import spoken
from ...services import wishes as services
from ...services.refusals import Refused
from .. import mails, refusals
from ..answers import SeeOther
from ..presenters import wishes as present


@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """What was chosen; by POST all of it is chosen anew, or nothing and 422."""
    person: Any = request.user
    row = services.of(person)
    status, more = 200, {}
    if row.pk is None:  # what the browser says of them, until they choose
        row.zone, row.language = timezone.get_current_timezone_name(), get_language()
    if request.method == "POST":
        try:
            services.choose(person, Actor.of(person), **_asked(request))
        except Refused as refused:
            status, more = refused.status, refusals.told(refused)
        else:
            messages.success(request, gettext("You are told as you chose from now on."))
            return SeeOther(reverse("portal:notice_settings"))
    return render(request, "portal/notice_settings.html", {**present.page(person, row), **more}, status=status)


def _asked(request: HttpRequest) -> dict[str, Any]:
    """As the form has it: what it does not name stays."""
    posted = request.POST
    changes: dict[str, Any] = {
        "by_mail": {kind.value: posted[f"mail-{kind}"] for kind in Kind if f"mail-{kind}" in posted},
        "by_bell": {kind.value: posted[f"bell-{kind}"] for kind in Kind if f"bell-{kind}" in posted},
    }
    changes |= {name: posted[name].strip() for name in ("zone", "language") if name in posted}
    return changes | {
        name: _hour(posted[name]) for name in ("digest_hour", "quiet_from", "quiet_until") if name in posted
    }


def _hour(written: str) -> int | None:
    """None where nothing is chosen; what is no hour is none of a day."""
    return None if not written else int(written) if written.isdecimal() and len(written) < 3 else -1


@require_POST
def follow(request: HttpRequest, slug: str) -> HttpResponse:
    rollout = get_object_or_404(Rollout, slug=slug)
    how = request.POST.get("how", "")
    services.follow(rollout, how, by=Actor.of(request.user))
    done = {
        "follow": gettext("You are told of this rollout as its owners are."),
        "mute": gettext("You are told nothing of this rollout any more."),
        "usual": gettext("You are told of this rollout what concerns you."),
    }
    messages.success(request, done[how])
    return SeeOther(rollout.get_absolute_url())


@csrf_exempt  # a mail program asks, at one click of whoever reads (RFC 8058); the link is signed
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """By POST no mails of this kind any more; to look changes nothing, because programs look at links."""
    try:
        pk, kind = mails.read_token(token)
    except signing.BadSignature:
        return refusals.in_words(request, gettext("This link is not whole. Take it from the mail once more."), 404)
    person = User.objects.filter(pk=pk).first()
    if person is None or kind not in (*Kind, services.ALL_DIGESTS):
        return refusals.in_words(request, gettext("What this link was for is no longer there."), 404)
    if request.method == "POST":
        services.unsubscribe(person, kind)
    what = gettext("The daily digest") if kind == services.ALL_DIGESTS else spoken(KIND_WORDS[Kind(kind)])
    return render(request, "portal/unsubscribe.html", {"what": what, "is_done": request.method == "POST"})
