"""Who is at the browser: passwords, the client's address, browsers that somebody is known on, and the events of it."""

from __future__ import annotations

from typing import Any, TypeGuard

from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from ipware import get_client_ip

from ..models.second_factors import SHOWN, has_one
from ..models.sessions import DEVICE, PROVED_AT
from ..rules import browsers
from ..services import demo_accounts, sign_ins
from . import devices, lockout

#: The second is of sessions that began under an earlier release.
BY_PASSWORD = ("rollouts.portal.signing_in.Passwords", "django.contrib.auth.backends.ModelBackend")
FORWARDED = "HTTP_X_FORWARDED_FOR"


class Passwords(ModelBackend):
    """Django's own, which reads what the portal knows of the account along with the person: one query a request."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **more: Any) -> Any:
        """A wrong password is wrong: no other door is tried with it, and it is hashed once."""
        person = super().authenticate(request, username=username, password=password, **more)
        if person is None and username is not None and password is not None:
            raise PermissionDenied
        return person

    def get_user(self, user_id: Any) -> Any:
        person = User.objects.select_related("account", "identity", "second_factor").filter(pk=user_id).first()
        works = person is not None and self.user_can_authenticate(person) and not demo_accounts.is_closed(person)
        return person if works else None


class ByProvider(Passwords):
    """Who came in by the identity provider: nothing is typed here."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **more: Any) -> Any:
        return None


def address_of(request: HttpRequest) -> str:
    """The client's address, by as many proxies as ``TRUSTED_PROXIES`` says; what it wrote itself is not believed."""
    own = request.META.get("REMOTE_ADDR", "")
    if not (proxies := settings.TRUSTED_PROXIES):
        return own
    hops = request.META.get(FORWARDED, "").split(",")[-proxies:]  # each proxy adds whom it was asked by
    found, _ = get_client_ip(
        _Told({FORWARDED: ",".join(hops)}),
        proxy_count=proxies - 1,
        request_header_order=[FORWARDED],
    )
    return found or own


class _Told:
    """As much of a request as ipware asks for."""

    def __init__(self, meta: dict[str, str]) -> None:
        self.META = meta


# Events


def listen() -> None:
    user_logged_in.connect(_signed_in, dispatch_uid="portal signed in")
    user_logged_out.connect(_signed_out, dispatch_uid="portal signed out")
    user_login_failed.connect(_failed, dispatch_uid="portal failed")
    user_locked_out.connect(_locked_out, dispatch_uid="portal locked out")


def _came_in(request: HttpRequest | None) -> TypeGuard[HttpRequest]:
    """By a door, and not made by a program of ours."""
    return request is not None and "REQUEST_METHOD" in request.META


def _signed_in(sender: Any, request: HttpRequest | None, user: Any, **more: Any) -> None:
    if not _came_in(request):
        return
    by_password = request.session.get(BACKEND_SESSION_KEY) in BY_PASSWORD
    if by_password:
        request.session.pop(SHOWN, None)
        request.session[PROVED_AT] = timezone.now().isoformat(timespec="seconds")
    request.session[DEVICE] = browsers.in_words(request.headers.get("User-Agent", ""))
    if not (by_password and has_one(user)):
        _is_in(request, user, sign_ins.PASSWORD if by_password else sign_ins.IDENTITY_PROVIDER)


def showed_factor(request: HttpRequest, user: User, factor: str) -> None:
    """Who gave their password has shown their second factor too: now they are signed in."""
    request.session.cycle_key()
    request.session[SHOWN] = timezone.now().isoformat(timespec="seconds")
    _is_in(request, user, sign_ins.PASSWORD, factor)


def _is_in(request: HttpRequest, user: User, way: str, factor: str = "") -> None:
    known = devices.names_known(request)
    sign_ins.signed_in(
        user,
        way=way,
        factor=factor,
        address=address_of(request),
        also_here=known - {user.get_username()},
        is_new_here=user.get_username() not in known,
    )
    devices.remember(request, user)


def _signed_out(sender: Any, request: HttpRequest | None, user: Any, **more: Any) -> None:
    if _came_in(request) and user is not None and not _waits(request, user):
        sign_ins.signed_out(user, address=address_of(request))


def _waits(request: HttpRequest, user: User) -> bool:
    """Whether a second factor was yet to be shown: who was not in is not out."""
    return request.session.get(BACKEND_SESSION_KEY) in BY_PASSWORD and has_one(user) and SHOWN not in request.session


def _failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **more: Any) -> None:
    if _came_in(request) and not getattr(request, "axes_locked_out", False):
        sign_ins.failed(lockout.person_named(credentials.get("username")), address=address_of(request))


def _locked_out(sender: Any, request: HttpRequest, username: str | None = None, **more: Any) -> None:
    sign_ins.locked_out(lockout.person_named(username), address=address_of(request))
