"""Signing in by password, and one's own password."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash, views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from ...audit.actor import Actor
from ...audit.recording import recorded
from ...models import accounts
from ...services import demo_accounts
from .. import lockout, refusals
from ..answers import SeeOther
from . import people


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
        return SeeOther(reverse("portal:portfolio")) if must else people.back(request)
    status = 422 if form.is_bound else 200
    return render(request, "portal/password.html", {"form": form, "must": must}, status=status)
