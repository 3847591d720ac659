"""By what way something came to the portal, in words: which session, which token, whose terminal, which pass."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .datetimes import day_and_clock
from .phrases import Phrase, joined, say

#: Sources of changes as sentences say them; any other source is named as it is.
PLACES: dict[str, Phrase] = {
    "page": say("on a page"),
    "admin": say("in the admin"),
    "api": say("over the API"),
    "command": say("by a command"),
    "shell": say("from a shell"),
}


def in_words(source: str, way: Mapping[str, Any]) -> Phrase:
    """«over the API, token nightly (mrp_1a2b…)»; empty where nothing is known."""
    return joined([PLACES.get(source, source), *_details(way)], ", ")


def _details(way: Mapping[str, Any]) -> list[Phrase]:
    messages = []
    if user := way.get("os_user"):
        messages.append(say("operating system's user {user}", user=user))
    if token := way.get("token"):
        messages.append(say("token {name} ({begins}…)", name=token.get("name", ""), begins=token.get("begins", "")))
    if session := way.get("session"):
        messages.append(say("session {reference}", reference=session.get("reference", "")))
        if at := session.get("signed_in_at"):
            moment = datetime.fromisoformat(at).astimezone(UTC)
            messages.append(say("signed in {at} UTC", at=day_and_clock(moment)))
    if number := way.get("pass"):
        messages.append(say("pass {number}", number=str(number)))
    return messages
