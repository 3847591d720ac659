"""``/people/``: who is who; ``/people/<name>/``: what everybody may know of somebody; of oneself also sessions, tokens
and feeds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ...audit.actor import Actor
from ...models import Absence, ApiToken, FeedKey, Identity, accounts, clock, keyset
from ...models.sessions import LINK, reference_of
from ...rules.machine import ROLE_WORDS, Role
from ...services import absences, known_people, passkeys, people, review_clock, sessions, tokens
from ...services import accounts as accounts_of
from ...services.lists.people import BY_NAME, PeopleFilter, listed, owned_by, without_account
from ...services.refusals import Refused
from .. import lists, refusals
from ..answers import SeeOther

MOST_DAYS = 3_650
MOST_TOKENS = 100
PER_PAGE = 50
SHOWS = [
    ("away", gettext_lazy("Away now")),
    ("off", gettext_lazy("Switched off")),
    ("all", gettext_lazy("Switched off too")),
]


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=tokens.LONGEST_NAME,
        label=gettext_lazy("What it is for"),
        help_text=gettext_lazy("In a few words: nightly report."),
    )
    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_DAYS,
        initial=90,
        label=gettext_lazy("Works for so many days"),
        help_text=gettext_lazy("Empty: until it is revoked."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class AwayForm(forms.Form):
    """Days of the reader's zone, both included."""

    since = forms.CharField(
        max_length=60, label=gettext_lazy("From"), widget=forms.DateInput({"type": "date", "autocomplete": "off"})
    )
    until = forms.CharField(
        max_length=60,
        label=gettext_lazy("To, included"),
        widget=forms.DateInput({"type": "date", "autocomplete": "off"}),
    )
    instead = forms.CharField(max_length=150, label=gettext_lazy("Instead"))

    def __init__(self, person: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.may_stand_in = absences.may_stand_in_for(person)
        choices = [(each.get_username(), known_people.label(each)) for each in self.may_stand_in]
        self.fields["instead"].widget = forms.Select(choices=[("", "–"), *choices])


@require_safe
def own(request: HttpRequest) -> HttpResponse:
    """``/account/`` is the short way to one's own page."""
    return redirect("portal:person", request.user.get_username())


@require_safe
def everybody(request: HttpRequest) -> HttpResponse:
    """All accounts by name; behind the last of them owners whom plans name and who have none."""
    asked, owned = PeopleFilter(request.GET), owned_by()
    with keyset.snapshot():
        page = asked.page(BY_NAME, PER_PAGE)
        rows = listed(page.rows, owned)
        others = without_account(owned) if not (asked.narrows or page.next) else []
    context = {"page": page, "rows": rows, "others": others, "role_choices": ROLE_WORDS.items(), "shows": SHOWS}
    return lists.answer(request, "portal/people.html", context, asked)


@never_cache
@require_safe
def person(request: HttpRequest, name: str) -> HttpResponse:
    if name == request.user.get_username():
        return _own_page(request, TokenForm())
    seen = people.find(name)
    if seen is None:
        raise Http404(f"Nobody is called {name}.")
    if seen.name != name:  # GitLab's name for them
        return redirect("portal:person", seen.name)
    return _others_page(request, seen)


@never_cache
@require_POST
def make_token(request: HttpRequest) -> HttpResponse:
    """The page with the new token on it, this once; 422 with what is wrong, and there is none."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _own_page(request, form, status=422)
    days = form.cleaned_data["days"]
    expires_at = clock.now() + timedelta(days=days) if days else None
    try:
        token, text = tokens.issue(request.user, form.cleaned_data["name"], Actor.of(request.user), expires_at)
    except Refused as refused:
        return _own_page(request, form, **refusals.told(refused), status=refused.status)
    return _own_page(request, TokenForm(), made=token, text=text, status=201)


@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=pk, person_id=request.user.pk)
    tokens.revoke(token, Actor.of(request.user))
    messages.success(request, gettext("The token opens nothing any more."))
    return back(request, "tokens")


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """The one that the form names, else all but this one."""
    here, reference = reference_of(request.session.session_key or ""), request.POST.get("session", "")
    ended = sessions.end(request.user, by=Actor.of(request.user), here=here, reference=reference)
    words = ngettext("%(n)s other browser is signed out.", "%(n)s other browsers are signed out.", ended)
    messages.success(request, words % {"n": ended})
    return back(request, "sessions")


@require_POST
def be_away(request: HttpRequest, name: str) -> HttpResponse:
    """One's own absence, or an admin somebody's. Refused: the page with what is wrong, nothing changed."""
    person = get_object_or_404(User, username=name)
    form = AwayForm(person, request.POST)
    if not form.is_valid():
        return _page_of(request, person, status=422, away_form=form)
    zone = timezone.get_current_timezone()
    try:
        absences.add(person, by=Actor.of(request.user), zone=zone, **form.cleaned_data)
    except Refused as refused:
        more = refusals.told(refused)
        return _page_of(request, person, status=refused.status, away_form=form, **more)
    messages.success(request, gettext("Kept: who stands in is asked meanwhile."))
    return SeeOther(f"{reverse('portal:person', args=[name])}#away")


@require_POST
def working_hours(request: HttpRequest) -> HttpResponse:
    """One's own; what can't be read is 422 with how to write it."""
    written = request.POST.get("working_hours", "")[:200]
    try:
        accounts_of.set_working_hours(request.user, written, by=Actor.of(request.user))  # type: ignore[arg-type]
    except Refused as refused:
        told = refusals.told(refused)
        return _own_page(request, TokenForm(), status=refused.status, hours_written=written, **told)
    messages.success(request, gettext("Your working hours are kept."))
    return back(request, "hours")


@require_POST
def be_back(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    absence = get_object_or_404(Absence.objects.select_related("person"), pk=pk, person__username=name)
    absences.end(absence, by=Actor.of(request.user))
    messages.success(request, gettext("Taken back."))
    return SeeOther(f"{reverse('portal:person', args=[name])}#away")


def _page_of(request: HttpRequest, person: User, *, status: int, **more: Any) -> HttpResponse:
    if person.pk == request.user.pk:
        return _own_page(request, TokenForm(), status=status, **more)
    return _others_page(request, people.seen(person), status=status, **more)


def _others_page(request: HttpRequest, seen: people.Seen, *, status: int = 200, **more: Any) -> HttpResponse:
    """An admin says here, too, when somebody is away who can't say it."""
    may = seen.has_account and seen.is_active and Actor.of(request.user).person.has(Role.ADMIN)
    away = _away_form(User.objects.get(username=seen.name)) if may and "away_form" not in more else None
    known = {"seen": seen, "provider_name": settings.OIDC_NAME, "may_be_away": may, "away_form": away}
    return render(request, "portal/person.html", {**known, **more}, status=status)


def _away_form(person: User) -> AwayForm | None:
    form = AwayForm(person)
    return form if form.may_stand_in else None


def back(request: HttpRequest, section: str = "") -> HttpResponse:
    """To one's own page, where something of it has changed."""
    page = reverse("portal:person", args=[request.user.get_username()])
    return SeeOther(f"{page}#{section}" if section else page)


def _own_page(request: HttpRequest, form: TokenForm, *, status: int = 200, **more: Any) -> HttpResponse:
    now = clock.now()
    rows = [
        (token, token.opens_at(now))
        for token in ApiToken.objects.filter(person_id=request.user.pk).select_related("person__account")[:MOST_TOKENS]
    ]
    known = {
        "seen": people.seen(request.user),
        "is_own": True,
        "has_provider": bool(settings.OIDC_ISSUER),
        "identity": Identity.objects.filter(person_id=request.user.pk).first(),
        "connects": settings.OIDC_ISSUER and request.session.get(LINK),
        "provider_name": settings.OIDC_NAME,
        "form": form,
        "factor": getattr(request.user, "second_factor", None),
        "passkeys": passkeys.of(request.user),  # type: ignore[arg-type]
        "may_be_away": True,
        "hours_written": account.working_hours if (account := accounts.of(request.user)) else "",
        "hours_usual": review_clock.usual_hours().written,
        "away_form": _away_form(request.user),  # type: ignore[arg-type]
        "rows": rows,
        "sessions": sessions.of(request.user)[: sessions.MOST],
        "here": reference_of(request.session.session_key or ""),
        "feeds": FeedKey.objects.filter(person_id=request.user.pk).first(),
        "touched": sorted(accounts.touched_by(request.user)),
        "may_set_password": request.user.has_usable_password(),  # type: ignore[union-attr]
    }
    return render(request, "portal/person.html", {**known, **more}, status=status)
