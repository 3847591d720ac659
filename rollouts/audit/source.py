"""Where a change comes from (page, admin, command, sync), which request it belongs to, and by what way it came in.

The way is what tells two changes of one name apart: the operating system's user of a command, the API token, the
session.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from ..models.sessions import PROVED_AT, SIGNED_IN_AT, reference_of

#: What somebody at a terminal of the server stands behind.
AT_A_TERMINAL = ("command", "shell")


def os_user() -> str:
    """Who runs this process, as the operating system names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def hand() -> str:
    """Who types a command, whomever it names with ``--as``; empty where nobody at a terminal does."""
    return hand_in(current().name, {"os_user": os_user()})


def hand_in(name: str, way: Mapping[str, Any]) -> str:
    """The same of something that came from this source by this way."""
    return system_name(way["os_user"]) if name == "command" and way.get("os_user") else ""


def system_name(user: str) -> str:
    """How history and four eyes name a user of the operating system."""
    return f"os:{user}"


def _nothing_more() -> Mapping[str, Any]:
    return {}


def _by_terminal() -> Mapping[str, Any]:
    return {"os_user": os_user()}


#: All that changes come from.
SOURCES = ("page", "admin", "api", "command", "sync", "webhook", "outbox", "ramp", "demo", "shell")


@dataclass(frozen=True, slots=True)
class Source:
    """``way`` is asked when an event is written: ``{"os_user": …}``, ``{"token": …}``, ``{"session": …}`` or ``{}``."""

    name: str
    request_id: str = ""
    way: Callable[[], Mapping[str, Any]] = _nothing_more


_source: ContextVar[Source] = ContextVar("source", default=Source("shell", way=_by_terminal))  # noqa: B039 - frozen


def current() -> Source:
    return _source.get()


@contextmanager
def coming_from(
    name: str, request_id: str = "", way: Callable[[], Mapping[str, Any]] | None = None
) -> Iterator[Source]:
    """Everything done in this block is recorded as coming from here."""
    way = way or (_by_terminal if name in AT_A_TERMINAL else _nothing_more)
    source = Source(name, request_id or uuid.uuid4().hex, way)
    token = _source.set(source)
    try:
        yield source
    finally:
        _source.reset(token)


def came_by(way: Mapping[str, Any]) -> None:
    """What is done from now on in the present block came by this way: its door has found out."""
    _source.set(replace(_source.get(), way=lambda: way))


@contextmanager
def of_pass(number: int | None) -> Iterator[None]:
    """What is done in this block was found by this pass over a GitLab, beside the way by which it came."""
    came = _source.get()
    token = _source.set(replace(came, way=lambda: {**came.way(), "pass": number}) if number else came)
    try:
        yield
    finally:
        _source.reset(token)


def remember_sign_in(sender: Any, request: HttpRequest | None, user: Any, **more: Any) -> None:
    """A session knows when its person signed in last: who signs in again has shown again who they are."""
    if request is not None and hasattr(request, "session"):
        request.session[SIGNED_IN_AT] = timezone.now().isoformat(timespec="seconds")


def by_session(request: HttpRequest) -> Mapping[str, Any]:
    """The way of a signed-in browser: which session, and when its person signed in; empty for all others."""
    user, session = getattr(request, "user", None), getattr(request, "session", None)
    if user is None or session is None or not user.is_authenticated or not session.session_key:
        return {}
    reference = reference_of(session.session_key)
    proved = {"proved_at": session[PROVED_AT]} if session.get(PROVED_AT) else {}
    return {"session": {"reference": reference, "signed_in_at": session.get(SIGNED_IN_AT, ""), **proved}}


def proved_at() -> datetime | None:
    """When who acts last showed who they are, in the browser by which they act; a token or a command shows nothing."""
    at = (current().way().get("session") or {}).get("proved_at")
    return datetime.fromisoformat(at) if at else None


def is_a_browser() -> bool:
    """Whether who acts is signed in, in a browser."""
    return "session" in current().way()


def by_token(pk: int, name: str, prefix: str) -> Mapping[str, Any]:
    """The way of a program: which token it holds, never the token itself."""
    return {"token": {"id": pk, "name": name, "begins": prefix}}
