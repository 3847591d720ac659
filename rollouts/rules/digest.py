"""What a request asks for as content with a digest, so that an approval is for that and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def of(content: Mapping[str, Any]) -> str:
    """SHA-256 in hex over the content, whatever the order of its keys."""
    written = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(written.encode()).hexdigest()


def changes(asked: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, in sentences: «Checklist, “The release is announced”: was open, is done.»"""
    said: list[str] = []
    for name in sorted({*asked, *now}):
        before, after = asked.get(name), now.get(name)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            said += [
                _sentence(f"{name}, “{part}”", before.get(part), after.get(part))
                for part in sorted({*before, *after})
                if before.get(part) != after.get(part)
            ]
        else:
            said.append(_sentence(name, before, after))
    return said


def _sentence(name: str, before: Any, after: Any) -> str:
    return f"{name[:1].upper()}{name[1:]}: was {_words(before)}, is {_words(after)}."


def _words(value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return "nothing"
        case bool():
            return "on" if value else "off"
        case list():
            return ", ".join(_words(one) for one in value)
        case dict():
            return ", ".join(f"{name} {_words(one)}" for name, one in value.items())
    return str(value)
