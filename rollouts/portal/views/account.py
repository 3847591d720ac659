"""``/account/``: one's own password, API tokens and feeds; and signing in and out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash, views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ...audit.actor import Actor
from ...audit.recording import recorded
from ...models import ApiToken, FeedKey, accounts, clock
from ...services import demo_accounts, tokens
from ...services.refusals import Refused
from .. import lockout, refusals
from ..answers import SeeOther

MOST_DAYS = 3_650
MOST_TOKENS = 100


class SignInForm(AuthenticationForm):
    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if demo_accounts.is_closed(user, self.cleaned_data.get("password", "")):
            raise ValidationError(
                gettext_lazy(
                    "This is an account of the demo, and its password is known to everybody: beside a real GitLab it "
                    "opens nothing. Whoever runs the portal makes the first admin: manage.py createsuperuser."
                ),
                code="demo",
            )


class SignIn(views.LoginView):
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        form = more.get("form") or self.get_form()
        refused = [each.message for each in form.non_field_errors().as_data() if each.code == "demo"]
        return super().get_context_data(**{**more, "form": form}, shut_out=refused, **ways())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if settings.OIDC_ONLY:
            words = gettext("Nobody signs in by password here: sign in by %(name)s.") % {"name": settings.OIDC_NAME}
            return refusals.in_words(request, words, 403)
        return super().post(request, *args, **kwargs)


def ways() -> dict[str, Any]:
    """What of the sign-in page follows from the settings."""
    return {
        "limits": lockout.limits(),
        "provider": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "by_password": not settings.OIDC_ONLY,
    }


class PasswordForm(PasswordChangeForm):
    """The old password stays no longer: what somebody else set is not one's own."""

    def clean(self) -> Any:
        cleaned = super().clean()
        if self.cleaned_data.get("new_password1") and self.user.check_password(self.cleaned_data["new_password1"]):
            self.add_error("new_password1", gettext("That is the password you have. Choose another."))
        return cleaned


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


@never_cache
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return _page(request, TokenForm())


@never_cache
@require_POST
def make_token(request: HttpRequest) -> HttpResponse:
    """The page with the new token on it, this once; 422 with what is wrong, and there is none."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    days = form.cleaned_data["days"]
    expires_at = clock.now() + timedelta(days=days) if days else None
    try:
        token, text = tokens.issue(request.user, form.cleaned_data["name"], Actor.of(request.user), expires_at)
    except Refused as refused:
        return _page(request, form, **refusals.told(refused), status=refused.status)
    return _page(request, TokenForm(), made=token, text=text, status=201)


@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=pk, person_id=request.user.pk)
    tokens.revoke(token, Actor.of(request.user))
    messages.success(request, gettext("The token opens nothing any more."))
    return SeeOther(f"{reverse('portal:account')}#tokens")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """One's own password; the history says that it changed, never to what."""
    must = accounts.must_change_password(request.user)
    if not request.user.has_usable_password():  # type: ignore[union-attr]
        return render(request, "portal/password.html", {"by_provider": True})
    form = PasswordForm(request.user, request.POST or None)  # type: ignore[arg-type]
    form.label_suffix = ""
    if request.method == "POST" and form.is_valid():
        with recorded("account.password", by=Actor.of(request.user), about=request.user):  # type: ignore[arg-type]
            form.save()
        update_session_auth_hash(request, request.user)  # type: ignore[arg-type]
        messages.success(request, gettext("Your password is changed. Other browsers are signed out."))
        return SeeOther(reverse("portal:portfolio" if must else "portal:account"))
    status = 422 if form.is_bound else 200
    return render(request, "portal/password.html", {"form": form, "must": must}, status=status)


def _page(request: HttpRequest, form: TokenForm, *, status: int = 200, **more: Any) -> HttpResponse:
    now = clock.now()
    rows = [
        (token, token.opens_at(now))
        for token in ApiToken.objects.filter(person_id=request.user.pk).select_related("person__account")[:MOST_TOKENS]
    ]
    known = {
        "form": form,
        "rows": rows,
        "feeds": FeedKey.objects.filter(person_id=request.user.pk).first(),
        "touched": sorted(accounts.touched_by(request.user)),
        "may_set_password": request.user.has_usable_password(),  # type: ignore[union-attr]
    }
    return render(request, "portal/account.html", {**known, **more}, status=status)
