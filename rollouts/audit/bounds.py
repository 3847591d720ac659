"""How large one event may be: the history is kept for ever, so nothing in it is larger than a person reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from ..models import AuditEvent

#: Characters of JSON of all that one event holds.
MOST = 128_000
#: What is shorter stays: a digest would hardly be.
SHORT = 300
BEGINS = 120
_PARTS = ("before", "after", "confidential", "snapshot", "said")


def bound(event: AuditEvent) -> AuditEvent:
    """The event, not saved yet, its largest values replaced by how they begin and their digest until it fits.

    Values first, then whole objects among many, then all that changed: what remains is the most that fits.
    """
    parts = {part: _copied(getattr(event, part)) for part in _PARTS} | {"texts": {"reason": event.reason}}
    size = sum(map(_size, parts.values()))
    if size <= MOST:
        return event
    for level in (_leaves(parts), ((parts[part], key) for part in _PARTS for key in parts[part] or ())):
        for length, holder, key in sorted(_sized(level), key=lambda one: one[0], reverse=True):
            if size <= MOST or length <= SHORT:
                break
            holder[key] = _short(holder[key])
            size += _size(holder[key]) - length
    for part in sorted(_PARTS, key=lambda part: _size(parts[part]), reverse=True):
        if size > MOST and parts[part]:
            size -= _size(parts[part])
            parts[part] = {"…": _short(parts[part])} if part != "said" else None
    event.reason = parts.pop("texts")["reason"]
    for part, values in parts.items():
        setattr(event, part, values)
    return event


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str))


def _copied(value: Any) -> Any:
    return {key: _copied(one) for key, one in value.items()} if isinstance(value, dict) else value


def _leaves(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where everything stands that is no mapping; a list counts as one value."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield values, key


def _sized(places: Iterable[tuple[dict[str, Any], str]]) -> list[tuple[int, dict[str, Any], str]]:
    return [(_size(holder[key]), holder, key) for holder, key in places]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    digest = sha256(text.encode("utf-8", "replace")).hexdigest()
    return f"{text[:BEGINS]}… ({len(text)} characters, SHA-256 {digest})"
