"""Wrong passwords: counted by name and by address apart, so that no stranger keeps somebody out whom a browser knows.

``axes`` counts and locks; this says what it counts under (settings ``AXES_*``; docs/decisions/0039-lock-outs.md).
"""

from __future__ import annotations

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import salted_hmac

from . import devices

#: So many wrong passwords more than a name an address may send: a whole office may have one.
ADDRESS_ALLOWANCE = 40
LONGEST_NAME = 150


def person_named(name: str | None) -> User | None:
    return User.objects.filter(username=name).first() if name and len(name) <= LONGEST_NAME else None


def counted_as(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The name that was typed, if there is such a person; else something to count by that does not tell what it was."""
    name = str((credentials or request.POST).get("username") or "")
    known: dict[str, str] = request.__dict__.setdefault("names_counted", {})
    if name not in known:
        known[name] = name if person_named(name) else f"?{salted_hmac('rollouts.lockout', name).hexdigest()[:16]}"
    return known[name]


def counted_under(request: HttpRequest, credentials: dict[str, Any] | None = None) -> list[Any]:
    """Strangers by name and by address; who is known on a browser by that browser alone."""
    if devices.known_as(request, get_client_username(request, credentials)):
        return [["username", "user_agent"]]
    return ["username", "ip_address"]


class Lockout(AxesDatabaseHandler):
    """Two limits instead of one, and known browsers."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Of the name, or of the address beyond what it is allowed more: one limit serves both."""
        _mark(request, credentials)
        counts = [self._counted(rows) for rows in self.get_user_attempts(request, credentials)]
        if len(counts) == 1:
            return counts[0]
        by_name, by_address = counts
        return max(by_name, by_address - ADDRESS_ALLOWANCE)

    @staticmethod
    def _counted(rows: Any) -> int:
        return rows.aggregate(n=Sum("failures_since_start"))["n"] or 0

    def user_login_failed(self, sender: Any, credentials: dict[str, Any], request: Any = None, **more: Any) -> None:
        if request is not None:
            _mark(request, credentials)
        super().user_login_failed(sender, credentials, request, **more)

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Of who signed in; what was typed for other names from that address stays counted."""
        _mark(request, credentials)
        rows = AccessAttempt.objects.filter(username=get_client_username(request, credentials))
        if len(counted_under(request, credentials)) == 1:
            rows = rows.filter(user_agent=request.axes_user_agent)  # type: ignore[attr-defined]
        return rows.delete()[0]


def _mark(request: Any, credentials: dict[str, Any] | None) -> None:
    """Let axes keep a known browser's failures apart: by the column that holds what the browser calls itself."""
    name = get_client_username(request, credentials)
    agent = request.META.get("HTTP_USER_AGENT", "")[:200]
    request.axes_user_agent = devices.known_as(request, name) or f"«{agent}»"


def answer(request: HttpRequest, answered: HttpResponse | None = None, credentials: Any = None) -> HttpResponse:
    """The page that says so, and until when."""
    response = render(request, "registration/locked.html", {"limits": limits()}, status=429)
    response["Retry-After"] = str(limits()["minutes"] * 60)
    return response


def limits() -> dict[str, int]:
    """For words: by name, by address, and for how many minutes."""
    by_name = int(settings.AXES_FAILURE_LIMIT)
    return {
        "by_name": by_name,
        "by_address": by_name + ADDRESS_ALLOWANCE,
        "minutes": round(settings.AXES_COOLOFF_TIME * 60),
    }
