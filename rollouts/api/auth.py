"""Who asks: the holder of a token, or who is signed in to the portal (for the pages of the API's own docs)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from ..audit import source
from ..audit.actor import Actor
from ..models import accounts
from ..services import tokens
from .problems import Problem

NO_CSRF = "A signed-in browser changes something only with the header X-CSRFToken; a script uses a token instead."
OWN_PASSWORD = "Somebody else has set your password: set your own first, on the page /account/password/."


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
        if check_csrf(request) is not None:
            raise Problem(403, NO_CSRF)
        return Actor.of(request.user)


AUTH: list[Any] = [Token(), Session()]


def actor(request: HttpRequest) -> Actor:
    """Who asks; ninja has put it there."""
    found: Actor = request.auth  # type: ignore[attr-defined]
    return found
