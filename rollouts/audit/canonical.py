"""What of an event is hashed, and how it is written (docs/history-format.md): RFC 8785 JSON, names of people outside.

A person stands in it as ``person:`` and an HMAC-SHA256 of the name, keyed by a salt that only the portal's database
has; without the salt nobody can say whose it was, and the event is what it was. What needs a role to be seen stands
in it as an HMAC keyed by a salt of the event's own.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Collection
from datetime import UTC
from hashlib import sha256
from typing import Any

import rfc8785

from ..models import AuditEvent

VERSION = 1
#: The fields of objects, and of ways, that hold user names.
PERSONAL = frozenset(
    """approved_by approver asked_by authors by closed_by confirmed_by created_by ended_by entered_by former_names
    instead instead_of made_by os_user owner owners password_by requested_by reviewed_by same_human username""".split()
)
#: Objects that are people: their name is one.
PEOPLE = frozenset({"User", "Account"})
#: Beyond it JSON's numbers are not exact everywhere (RFC 8785 section 3.2.2.3), so larger ones are text.
_EXACT = 2**53 - 1
_HIDDEN = re.compile(r"person:[0-9a-f]{64}")

#: Whom a user name stands for: ``person:<hex>``.
Hide = Callable[[str], str]


def hidden(name: str, salt: bytes) -> str:
    return f"person:{hmac.new(salt, name.encode(errors='surrogatepass'), sha256).hexdigest()}"


def is_hidden(text: str) -> bool:
    return _HIDDEN.fullmatch(text) is not None


def names_in(event: AuditEvent) -> set[str]:
    """All user names that stand in an event where names stand."""
    found = set() if event.actor_kind == AuditEvent.ActorKind.JOB else {event.actor}
    if event.object_type in PEOPLE:
        found.add(event.object_name)
    for part in (event.way, event.before, event.after, event.confidential, event.snapshot):
        _gather(part, found)
    return {name for name in found if name and not is_hidden(name)}


def sealed(
    event: AuditEvent,
    names: Collection[str],
    concerns: Collection[int],
    hide: Hide,
    salt: bytes,
    *,
    number: int,
    previous: str,
) -> dict[str, Any]:
    """The sealed form of an event, which is ``number`` in its chain after the event whose digest is ``previous``.

    ``names`` are those in it (``names_in``), ``concerns`` keys of the rollouts that it concerns besides its own.
    """
    known = {name: hide(name) for name in names}

    def put(value: Any) -> Any:
        return _plain(value, known)

    return {
        "version": VERSION,
        "event": event.pk,
        "chain": event.chain,
        "number": number,
        "previous": previous,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "actor": {"kind": event.actor_kind, "name": put(event.actor)},
        "verb": event.verb,
        "object": {"type": event.object_type, "id": event.object_id, "name": put(event.object_name)},
        "rollout": event.rollout_id,
        "concerns": sorted(concerns),
        "reason": put(event.reason),
        "source": event.source,
        "request": event.request_id,
        "way": put(event.way),
        "before": put(event.before),
        "after": put(event.after),
        "snapshot": put(event.snapshot),
        "said": put(kept(event)),
        "confidential": covered(put(event.confidential), salt) if event.confidential else None,
    }


def kept(event: AuditEvent) -> Any:
    """``said`` as the database keeps it, in plain JSON."""
    return AuditEvent._meta.get_field("said").as_kept(event.said)


def covered(value: Any, salt: bytes) -> str:
    """A value of which only the hash is told."""
    return hmac.new(salt, written(value), sha256).hexdigest()


def written(form: Any) -> bytes:
    """RFC 8785. Of what ``_plain`` leaves, the standard library writes the same ten times as fast, but for the order of
    keys beyond the Basic Multilingual Plane.
    """
    text = json.dumps(form, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode() if text.isascii() or max(text) <= "\uffff" else rfc8785.dumps(form)


def digest(form: dict[str, Any]) -> str:
    """SHA-256 of the sealed form, as hex."""
    return sha256(written(form)).hexdigest()


def _gather(value: Any, found: set[str]) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            if key in PERSONAL:
                _names(one, found)
            elif one.__class__ is dict or one.__class__ is list:
                _gather(one, found)
    elif isinstance(value, list):
        for one in value:
            _gather(one, found)


def _names(value: Any, found: set[str]) -> None:
    if isinstance(value, str):
        found.update(re.split(r", |\n", value))
    elif isinstance(value, list):
        for one in value:
            _names(one, found)
    else:
        _gather(value, found)


def _plain(value: Any, known: dict[str, str]) -> Any:
    """JSON without a name in it and without numbers that are not exact everywhere; whole texts are names, or not."""
    kind = value.__class__
    if kind is str:
        if value in known:
            return known[value]
        text = value if value.isascii() else value.encode(errors="replace").decode()
        return ", ".join(known.get(one, one) for one in text.split(", ")) if ", " in text else text
    if not value:  # None, False, nothing in it; a zero is a whole number
        return value if kind is not float else repr(value)
    if kind is dict:
        return {known.get(key, key): _plain(one, known) for key, one in value.items()}
    if kind is list:
        return [_plain(one, known) for one in value]
    if kind is int and abs(value) > _EXACT:
        return str(value)
    return repr(value) if kind is float else value
