"""What a request asks for as content with a digest, so that an approval is for that and nothing else.

The content is values and codes; the sentences that tell how it changed are made here, when they are shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from . import approval_policy
from .checklist import GATE_WORDS, KIND_WORDS
from .comparison import Comparison
from .criteria import ASKED_WORDS
from .datetimes import day_and_clock
from .durations import short
from .expected import AUDIENCE_WORDS
from .machine import ROLE_WORDS
from .metrics import Bound
from .phrases import Phrase, joined, say

#: Which things a content holds and how it writes them. Another form is another digest of the same:
#: ``services.carrying`` carries what stands over.
FORM = 2


def of(content: Mapping[str, Any]) -> str:
    """SHA-256 in hex over the content, whatever the order of its keys."""
    written = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(written.encode()).hexdigest()


#: Parts of a content as sentences say them; other names are of the plan's own making.
PARTS: dict[str, Phrase] = {
    "asked": say("Asked"),
    "what": say("What"),
    "exposure": say("Who sees it then"),
    "rollout": say("Rollout"),
    "order": say("Order"),
    "after": say("after"),
    "not_with": say("not with"),
    "criteria": say("Criteria"),
    "guard_metrics": say("Guard metrics"),
    "flag": say("Flag"),
    "model": say("AI model"),
    "baseline": say("Baseline"),
    "peak": say("Peak"),
    "issues": say("Issues"),
    "plan": say("Plan"),
    "checklist": say("Checklist"),
    "approvals": say("Approvals"),
    "expires_at": say("expires"),
    "phase": say("phase"),
    "attempt": say("attempt"),
    "percentage": say("percentage"),
    "everyone": say("everyone"),
    "groups": say("groups"),
    "actors": say("actors"),
    "title": say("title"),
    "owners": say("owners"),
    "timeline": say("timeline"),
    "mitigation": say("mitigation"),
    "provider": say("provider"),
    "id": say("provider's id"),
    "host": say("host"),
    "capability": say("capability"),
    "quota": say("quota"),
    "lead_time_seconds": say("lead time of the quota"),
    "optional": say("optional"),
    "audience": say("audience"),
    "steps": say("steps"),
    "final_soak": say("final soak"),
    "criteria_asked": say("criteria are answered"),
    "policy": say("who must approve"),
    "roles": say("roles"),
    "lives": say("lives"),
    "reauthenticate_seconds": say("a sign-in at most so old"),
    "decide_within_seconds": say("working time to decide"),
    "at": say("when"),
    "by": say("who"),
    "name": say("name"),
    "slug": say("name in addresses"),
    "url": say("address"),
    "instance": say("GitLab instance"),
    "project": say("project"),
    "environment": say("environment"),
    "is_start": say("begins the phase"),
    "position": say("place"),
    "success": say("success"),
    "roll_back": say("roll back"),
    "help": say("explanation"),
    "kind": say("kind"),
    "role": say("issue"),
    "gate": say("when it is asked for"),
    "required": say("required"),
    "needed": say("how many must approve"),
    "requester_may": say("who asks may approve too"),
    "author_may": say("who wrote the plan may approve too"),
    "lives_seconds": say("lives"),
    "also": say("besides"),
    "start": say("start"),
    "jump": say("jump"),
    "at_least": say("from this percentage on"),
    "points": say("points"),
    "rollout_plan": say("rollout plan"),
    "flag_rollout": say("flag rollout"),
    "internal_rollout": say("internal rollout"),
    "internal_feedback": say("internal feedback"),
}
#: Codes of the portal's own in words; of other values the value itself is told.
CODES: dict[str, Mapping[Any, Phrase]] = {
    "audience": AUDIENCE_WORDS,
    "kind": KIND_WORDS,
    "gate": GATE_WORDS,
    "criteria_asked": ASKED_WORDS,
    "roles": ROLE_WORDS,
}
SPANS = frozenset(
    {"soak", "final_soak", "lives_seconds", "reauthenticate_seconds", "decide_within_seconds", "lead_time_seconds"}
)
MOMENTS = frozenset({"at", "expires_at", "planned_at"})
#: Parts that are told as one, and not field by field.
WHOLE = frozenset({"steps"})
#: What of an item says how it stands, not what it asks.
CONFIRMED = frozenset({"done", "by", "evidence", "channel", "waiver", "owner", "link", "comparison"})
#: Who must approve what is asked for, and a phase: rules that have sentences of their own.
POLICIES = frozenset({(1, "approvals"), (3, "policy")})


def changes(asked: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, in sentences: «Checklist, “The release is announced”: was open, is done.»

    Nothing of two contents of different forms: they can't be compared.
    """
    if asked.get("form") != now.get("form"):
        return []
    return [_change(*parts) for parts in _differences((), _titled(asked), _titled(now))]


def _change(path: tuple[str, ...], before: Any, after: Any) -> Phrase:
    name, was, now = _name(path), _words(path, before), _words(path, after)
    if len(path) == 3 and path[-1] == "policy":  # of several sentences
        return say("{name}, before: {was} Now: {now}", name=name, was=was, now=now)
    return say("{name}: was {before}, is {after}.", name=name, before=was, after=now)


def sentences(content: Mapping[str, Any]) -> list[str]:
    """All of it, part by part: «Checklist, “The release is announced”: open». What is empty is left out."""
    content = _titled(content)
    bare = {name: _bare(name, part) for name, part in content.items()}
    told = _differences((), bare, {**content, "form": None})
    return [
        say("{name}: {value}", name=_name(path), value=_words(path, value))
        for path, _, value in told
        if value not in (None, "", [], {}) and path[-2:] != (value, "title")
    ]


def _titled(content: Mapping[str, Any]) -> dict[str, Any]:
    """With the title of the phase that is asked for, where the content has its name."""
    what, plan = content.get("what"), content.get("plan")
    if not (isinstance(what, Mapping) and isinstance(plan, Mapping)) or what.get("phase") not in plan:
        return dict(content)
    return {**content, "what": {**what, "phase": plan[what["phase"]]["title"]}}


def _bare(name: str, part: Any) -> Any:
    """A part of which nothing is told yet, but for what a checklist item asks."""
    if not isinstance(part, Mapping) or name == "approvals":
        return None
    of_plan: dict[str, Any] | None = {} if name == "plan" else None  # field by field
    return {key: _asks(one) if isinstance(one, Mapping) and "done" in one else of_plan for key, one in part.items()}


def _differences(path: tuple[str, ...], before: Any, after: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Where two contents part, as deep as both go on; a checklist item that is there twice is told as one."""
    if before == after:
        return
    is_bound = len(path) == 2 and path[0] == "guard_metrics"
    is_item = len(path) == 2 and path[0] == "checklist"
    is_policy = (len(path), path[-1] if path else "") in POLICIES and _words(path, before) != _words(path, after)
    one = after if isinstance(after, Mapping) else before  # what is gone keeps its title
    titled = (path[0], str(one["title"])) if len(path) == 2 and isinstance(one, Mapping) and "title" in one else path
    is_deep = isinstance(before, Mapping) and isinstance(after, Mapping)
    is_whole = not is_deep or is_bound or is_policy or bool(path and path[-1] in WHOLE)
    if is_whole or (is_item and _asks(before) == _asks(after)):
        yield titled, before, after
    else:
        for name in sorted({*before, *after}):
            yield from _differences((*titled, name), before.get(name), after.get(name))


def _asks(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in CONFIRMED}


def _name(path: tuple[str, ...]) -> Phrase:
    """«Plan, “All users”, steps»"""
    section = PARTS.get(path[0]) or f"{path[0][:1].upper()}{path[0][1:]}"
    if len(path) == 1:
        return say("{name}", name=section)
    part = PARTS.get(path[1]) or path[1].replace("_", " ")
    if len(path) == 2:
        return say("{name}, “{part}”", name=section, part=part)
    more = joined([PARTS.get(one) or one.replace("_", " ") for one in path[2:]], ", ")
    return say("{name}, “{part}”, {more}", name=section, part=part, more=more)


def _words(path: tuple[str, ...], value: Any) -> str:
    name = path[-1]
    if value is None or value in ("", [], {}):
        return say("nothing")
    match value:
        case bool():
            return say("yes") if value else say("no")
        case dict() if (len(path), name) in POLICIES and (policy := approval_policy.told(value)):
            return policy
        case dict() if path[0] == "checklist" and len(path) == 2:
            return _item_in_words(value)
        case dict() if path[0] == "guard_metrics" and len(path) == 2:
            return Bound(name, **value).rule_words
        case dict() if "soak" in value and "percentage" in value:
            return _step_in_words(value)
        case dict():
            parts = [(PARTS.get(key) or key.replace("_", " "), _words((*path, key), one)) for key, one in value.items()]
            return joined([joined(part) for part in parts], ", ")
        case list():
            return joined([_words(path, one) for one in value], ", ")
        case int() if name in SPANS:
            return short(timedelta(seconds=value))
        case str() if name in MOMENTS:
            return say("{at} UTC", at=day_and_clock(datetime.fromisoformat(value)))
        case str() if name == "percentage":
            return say("{percentage} %", percentage=value)
        case str() if name in CODES:
            return CODES[name].get(value, value)
    return str(value)


def _item_in_words(item: Mapping[str, Any]) -> Phrase:
    if "done" not in item:
        return say("not needed for this")
    if waiver := item.get("waiver"):
        until = day_and_clock(datetime.fromisoformat(waiver["until"]))
        return say("open, waived by {who} until {until} UTC", who=waiver["by"], until=until)
    if not item["done"]:
        return say("open")
    if not item.get("by"):
        return say("done")
    evidence = item["evidence"][:200]
    if compared := Comparison.from_dict(item.get("comparison", {})):
        evidence = joined([compared.words, evidence], ". ")
    done = say("done, by {who}: {evidence}", who=item["by"], evidence=evidence)
    if item.get("owner"):
        done = joined([done, say("{owner} sees to it", owner=item["owner"])], ", ")
    return joined([done, say("in {channel}", channel=item["channel"])], ", ") if item.get("channel") else done


def _step_in_words(step: Mapping[str, Any]) -> Phrase:
    """«25 % for 15m, planned 1 Dec 09:00 UTC, by itself»"""
    words = [
        say("{percentage} % for {soak}", percentage=step["percentage"], soak=short(timedelta(seconds=step["soak"])))
    ]
    if step["planned_at"]:
        words.append(say("planned {at} UTC", at=day_and_clock(datetime.fromisoformat(step["planned_at"]))))
    if step["auto"]:
        words.append(say("by itself"))
    return joined(words, " ")
