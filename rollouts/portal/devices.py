"""Browsers that somebody has signed in by: a signed cookie, for locks that let its people through, and for four eyes.

It opens nothing: it says who has been here, and has wrong passwords counted apart from those of strangers.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from ..audit.middleware import Middleware

COOKIE, SALT = "device", "rollouts.devices"
AGE_SECONDS = 180 * 24 * 3600
#: As many people as share a browser.
MOST_PEOPLE = 8


def remember(request: HttpRequest, person: Any) -> None:
    """The answer to this request takes it along."""
    known = _read(request)
    names = [name for name in known["names"] if name != person.get_username()]
    request.known_device = {"id": known["id"], "names": [person.get_username(), *names][:MOST_PEOPLE]}  # type: ignore[attr-defined]


def names_known(request: HttpRequest) -> frozenset[str]:
    """Who has signed in by this browser within half a year."""
    return frozenset(_read(request)["names"])


def known_as(request: HttpRequest, name: str | None) -> str | None:
    """What to count wrong passwords of this name under, where the person is known on this browser."""
    known = _read(request)
    if not name or name not in known["names"]:
        return None
    return f"known device {hashlib.sha256(known['id'].encode()).hexdigest()[:32]}"


def _read(request: HttpRequest) -> dict[str, Any]:
    text = request.COOKIES.get(COOKIE, "")
    try:
        known = signing.loads(text, salt=SALT, max_age=AGE_SECONDS) if text else None
    except signing.BadSignature:
        known = None
    return known or {"id": secrets.token_urlsafe(16), "names": []}


class KnownDevices(Middleware):
    """Sets the cookie once somebody has signed in, whichever door they took."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (known := getattr(request, "known_device", None)) is not None:
            response.set_cookie(
                COOKIE,
                signing.dumps(known, salt=SALT),
                max_age=AGE_SECONDS,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response
