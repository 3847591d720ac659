"""Who asks: the holder of a token, or who is signed in to the portal (for the pages of the API's own docs)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from ..audit import source
from ..audit.actor import Actor
from ..models import accounts
from ..services import second_factors, tokens
from .problems import Problem

NO_CSRF = "A signed-in browser changes something only with the header X-CSRFToken; a script uses a token instead."
OWN_PASSWORD = "Somebody else has set your password: set your own first, on the page /account/password/."


SECOND_FACTOR = "Show your second factor first, or add one, on the page /accounts/second-factor/."
#: Sessions that began by a password of the portal's own.
BY_PASSWORD = ("rollouts.portal.signing_in.Passwords", "django.contrib.auth.backends.ModelBackend")


class Token(HttpBearer):
    """``Authorization: Bearer mrp_…``. A token that does not work is refused even in a signed-in browser."""

    def __call__(self, request: HttpRequest) -> Actor | None:
        if "Authorization" not in request.headers:
            return None
        actor: Actor | None = super().__call__(request)
        if actor is None:
            raise Problem(401)
        return actor

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        api_token = tokens.opened_by(token.strip())
        if api_token is None:
            return None
        if second_factors.lacks(api_token.person):
            raise Problem(403, SECOND_FACTOR)
        source.came_by(source.by_token(api_token.pk, api_token.name, api_token.prefix))
        may_speak = getattr(settings, "COMMAND_MAY_APPROVE", False)  # as who runs commands may then, by --as
        return replace(Actor.of(api_token.person), spoken_by="" if may_speak else api_token.made_by)


class Session(AuthBase):
    """The portal's own sign-in. A browser sends it by itself, so whatever changes something needs the CSRF token."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = "sessionid"

    def __call__(self, request: HttpRequest) -> Actor | None:
        if not request.user.is_authenticated:
            return None
        if accounts.must_change_password(request.user):
            raise Problem(403, OWN_PASSWORD)
        by_password = request.session.get(BACKEND_SESSION_KEY) in BY_PASSWORD
        if second_factors.missing(request.user, request.session, by_password=by_password):
            raise Problem(403, SECOND_FACTOR)
        if check_csrf(request) is not None:
            raise Problem(403, NO_CSRF)
        return Actor.of(request.user)


AUTH: list[Any] = [Token(), Session()]


def actor(request: HttpRequest) -> Actor:
    """Who asks; ninja has put it there."""
    found: Actor = request.auth  # type: ignore[attr-defined]
    return found
