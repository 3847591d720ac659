"""What a request asks for as content with a digest, so that an approval is for that and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .words import Phrase, joined, say


def of(content: Mapping[str, Any]) -> str:
    """SHA-256 in hex over the content, whatever the order of its keys."""
    written = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(written.encode()).hexdigest()


#: Parts of a content as sentences say them; other names are of the plan's own making.
PARTS: dict[str, Phrase] = {
    "what": say("What"),
    "rollout": say("Rollout"),
    "flag": say("Flag"),
    "who sees it then": say("Who sees it then"),
    "model": say("Model"),
    "baseline": say("Baseline"),
    "issues": say("Issues"),
    "plan": say("Plan"),
    "checklist": say("Checklist"),
    "guard metrics": say("Guard metrics"),
    "AI model": say("AI model"),
    "quota": say("Quota"),
    "peak": say("Peak"),
    "attempt": say("Attempt"),
    "approvals": say("Approvals"),
    "percentage": say("percentage"),
    "all at once": say("all at once"),
    "everyone": say("everyone"),
    "percentage of actors": say("percentage of actors"),
    "groups": say("groups"),
    "actors": say("actors"),
}


def part_in_words(name: str) -> str:
    return PARTS.get(name, f"{name[:1].upper()}{name[1:]}")


def changes(asked: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, in sentences: «Checklist, “The release is announced”: was open, is done.»"""
    said: list[str] = []
    for name in sorted({*asked, *now}):
        before, after = asked.get(name), now.get(name)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            said += [
                _sentence(
                    say("{name}, “{part}”", name=part_in_words(name), part=PARTS.get(part) or part),
                    before.get(part),
                    after.get(part),
                )
                for part in sorted({*before, *after})
                if before.get(part) != after.get(part)
            ]
        else:
            said.append(_sentence(part_in_words(name), before, after))
    return said


def _sentence(name: str, before: Any, after: Any) -> Phrase:
    return say("{name}: was {before}, is {after}.", name=name, before=_words(before), after=_words(after))


def _words(value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return say("nothing")
        case bool():
            return say("on") if value else say("off")
        case list():
            return joined([_words(one) for one in value], ", ")
        case dict():
            return joined([joined([PARTS.get(name) or name, _words(one)]) for name, one in value.items()], ", ")
    return str(value)
