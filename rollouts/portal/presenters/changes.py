"""What an event changed, field by field, as a difference that is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...models import AuditEvent, verbose_names
from ...rules import digest, word_difference
from ...rules.approval_policy import told
from ...rules.durations import short
from ...rules.exposure import Exposure
from ...rules.phrases import Phrase, spoken
from ...rules.word_difference import Part
from .references import References

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+[+-]\d\d:\d\d$")
#: What says that a mapping is an exposure, as ``Exposure.as_json`` makes it.
GATES = {"boolean", "percentage_of_actors", "groups", "actors"}
#: What other fields tell better: GitLab's own answer stands as ``gates``, an object's number in its link.
TOLD_OTHERWISE = {"id", "raw"}
#: Fields that say who must approve.
POLICIES = {"policy", "approvals"}

#: What events note besides fields.
NOTES = {
    "gitlab": "GitLab",
    "gitlab_user": gettext_lazy("GitLab user"),
    "plan": gettext_lazy("plan"),
    "read": gettext_lazy("read"),
    "password": gettext_lazy("password"),
    "periods": gettext_lazy("periods"),
    "delivery": gettext_lazy("delivery"),
    "digest": gettext_lazy("digest"),
    "overridden": gettext_lazy("overridden"),
    "groups": gettext_lazy("roles"),
    "way": gettext_lazy("by"),
    "address": gettext_lazy("address"),
    "name": gettext_lazy("name"),
    "signed_in": gettext_lazy("signed in"),
    **{field.name: field.verbose_name for field in User._meta.concrete_fields},
}


@dataclass(frozen=True, slots=True)
class Changed:
    """One field, and what of it stayed, went and came; ``thing`` where it is another object's than the event's.

    ``url``: where what it refers to now is found. ``is_code``: it holds names that nobody has words for.
    """

    what: str
    parts: tuple[Part, ...]
    thing: str = ""
    is_confidential: bool = False
    is_code: bool = False
    url: str = ""


def changes(event: AuditEvent, *, sees_confidential: bool, references: References | None = None) -> tuple[Changed, ...]:
    """Before and after, field by field; of other objects that changed with it under their names.

    ``references`` are those of this event, and of others that are told beside it.
    """
    known = references or References([event], sees_confidential=sees_confidential)
    found = list(_fields(event, "", event.in_words("before"), event.in_words("after"), event.object_type, known))
    if sees_confidential:
        for name, sides in event.confidential.items():
            kind = name.partition(" ")[0]
            before, after = sides.get("before", {}), sides.get("after", {})
            found += _fields(event, name, before, after, kind, known, is_confidential=True)
    return tuple(sorted(found, key=lambda change: bool(change.thing)))  # its own first


def _fields(
    event: AuditEvent,
    name: str,
    before: dict[str, Any],
    after: dict[str, Any],
    kind: str,
    known: References,
    *,
    is_confidential: bool = False,
) -> Any:
    """A nested mapping is another object: «Phase 3: Owning team»."""
    for key in sorted({*before, *after}):
        was, now = before.get(key), after.get(key)
        field = _field(kind, key)
        choices = dict(getattr(field, "flatchoices", ()))
        if not name and any(isinstance(side, dict) and ": " in key for side in (was, now)):
            kind_of = key.partition(" ")[0]
            yield from _fields(event, key, was or {}, now or {}, kind_of, known, is_confidential=is_confidential)
            continue
        words = _named(key)
        was, now = (choices.get(side, side) if isinstance(side, str) else side for side in (was, now))
        if key == "content":
            was, now = _sentences(was), _sentences(now)
        if isinstance(field, models.DurationField):
            was, now = (
                short(timedelta(seconds=side)) if isinstance(side, int | float) else side for side in (was, now)
            )
        if key in POLICIES:
            was, now = (told(side) or side if isinstance(side, dict) else side for side in (was, now))
        referred = [known.of(kind, key, side) for side in (was, now)]
        was, now = ([one.name] if one else side for one, side in zip(referred, (was, now), strict=True))  # as a whole
        is_code = _is_mapping(was) or _is_mapping(now)
        was, now = (_lines(side) if _is_mapping(side) else side for side in (was, now))
        if key not in TOLD_OTHERWISE and (parts := _parts(was, now, "\n" if is_code or key == "content" else ", ")):
            thing = event.name_in_words(name) if name else ""
            yield Changed(words, parts, thing, is_confidential, is_code, referred[1].url if referred[1] else "")


def _field(kind: str, key: str) -> models.Field[Any, Any] | None:
    """The field of such an object; None of what is a note, or of a kind that there is no more."""
    try:
        found = apps.get_model("rollouts", kind)._meta.get_field(key)
    except (LookupError, ValueError, FieldDoesNotExist):
        return None
    return found if isinstance(found, models.Field) else None


def _is_mapping(value: Any) -> bool:
    """Whether it is, or holds, a mapping that is no exposure."""
    if isinstance(value, dict):
        return bool(value) and not value.keys() >= GATES
    return isinstance(value, list) and any(map(_is_mapping, value))


def _lines(value: Any, path: str = "") -> list[str]:
    """What a mapping holds, a line for each value with the way there: «p95 · bound: 400»."""
    if not _is_mapping(value):
        plain = _plain(value)
        return [f"{path}: {plain}" if path else plain] if plain else []
    if isinstance(value, list):
        named = ((str(one.get("name", "")) if isinstance(one, dict) else "", one) for one in value)
        return [line for name, one in named for line in _lines(one, f"{path} · {name}".strip(" ·"))]
    return [
        line for key, one in value.items() for line in _lines(one, f"{path} · {_named(key)}" if path else _named(key))
    ]


def _named(key: str) -> str:
    return str(verbose_names.FIELDS.get(key) or NOTES.get(key) or key.replace("_", " "))


def _parts(was: Any, now: Any, between: str) -> tuple[Part, ...]:
    if isinstance(was or now, list) and all(isinstance(side or [], list) for side in (was, now)):
        before, after = ([_plain(item) for item in side or []] for side in (was, now))
        return word_difference.items(before, after, between)
    return word_difference.words(_plain(was), _plain(now))


def _plain(value: Any) -> str:
    match value:
        case None | "" | []:
            return ""
        case True:
            return _("yes")
        case False:
            return _("no")
        case dict() if value.keys() >= GATES:
            return _exposure(Exposure.from_json(value))
        case dict():
            return "; ".join(_lines(value)) if value else ""
        case list():
            return ", ".join(map(_plain, value))
        case Phrase() | Promise():
            return spoken(value) if isinstance(value, Phrase) else str(value)
        case str() if TIME.match(value) and (moment := parse_datetime(value)):
            there = localtime(moment)
            return f"{date_format(there, _('j M Y H:i:s'))} {there:%Z}"
    return str(value)


def _sentences(content: Any) -> Any:
    """What a request is for, as a list of sentences; other contents as they are."""
    return digest.sentences(content) if isinstance(content, dict) and "form" in content else content


def _exposure(exposure: Exposure) -> str:
    """Who sees it in words, and who they are that the words only count."""
    who, named = spoken(exposure.words), sorted(exposure.actors)
    return f"{who}: {', '.join(named)}" if named else who
