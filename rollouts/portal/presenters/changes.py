"""What an event changed, field by field, as a difference that is read: which words, which items of a list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...models import AuditEvent, verbose_names
from ...rules.phrases import Phrase, joined, spoken

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+[+-]\d\d:\d\d$")
#: So many characters of a value are shown, and compared.
LONGEST = 600

#: What events note besides fields.
NOTES = {
    "gitlab": "GitLab",
    "plan": gettext_lazy("plan"),
    "read": gettext_lazy("read"),
    "password": gettext_lazy("password"),
    "periods": gettext_lazy("periods"),
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
    """One field as it was and as it became; empty texts where there was nothing.

    ``gone`` and ``come`` are the same in parts (words of a text, items of a list), each with whether it changed.
    """

    what: str
    before: str
    after: str
    is_confidential: bool = False
    gone: tuple[tuple[str, bool], ...] = ()
    come: tuple[tuple[str, bool], ...] = ()


def changes(event: AuditEvent, *, sees_confidential: bool) -> tuple[Changed, ...]:
    """Before and after, field by field; of other objects that changed with it under their names."""
    found = list(_fields(event, "", event.in_words("before"), event.in_words("after"), event.object_type))
    if sees_confidential:
        for name, sides in event.confidential.items():
            found += _fields(event, name, sides.get("before", {}), sides.get("after", {}), "", is_confidential=True)
    return tuple(found)


def _fields(
    event: AuditEvent,
    name: str,
    before: dict[str, Any],
    after: dict[str, Any],
    kind: str,
    *,
    is_confidential: bool = False,
) -> Any:
    """A nested mapping is another object: «Phase 3: Owning team»."""
    for key in sorted({*before, *after}):
        was, now = before.get(key), after.get(key)
        choices = _choices(kind, key)
        if not name and any(isinstance(side, dict) and ": " in key for side in (was, now)):
            kind_of = key.partition(" ")[0]
            yield from _fields(event, key, was or {}, now or {}, kind_of, is_confidential=is_confidential)
            continue
        words = str(verbose_names.FIELDS.get(key) or NOTES.get(key) or key.replace("_", " "))
        if name:
            words = joined([event.name_in_words(name), words], ", ")
        was, now = (choices.get(side, side) if isinstance(side, str) else side for side in (was, now))
        yield Changed(words, _plain(was), _plain(now), is_confidential, *_apart(_parts(was), _parts(now)))


def _choices(kind: str, key: str) -> dict[Any, Any]:
    """What a field's values are called, where it is one that is chosen."""
    try:
        field = apps.get_model("rollouts", kind)._meta.get_field(key)
    except (LookupError, ValueError, FieldDoesNotExist):
        return {}
    return dict(getattr(field, "flatchoices", ()))


def _parts(value: Any) -> list[str]:
    """The items of a list, each but the first behind a comma; the words of anything else, each with what follows it."""
    if isinstance(value, list):
        return [f"{', ' if place else ''}{_plain(item)}" for place, item in enumerate(value)]
    return re.findall(r"\S+\s*", _plain(value)[:LONGEST])


def _apart(was: list[str], now: list[str]) -> tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]:
    """Both sides in parts, each with whether it changed; nothing is marked where one side is empty, or all differs."""
    if not was or not now:
        return (("".join(was), False),) if was else (), (("".join(now), False),) if now else ()
    gone, come = [], []
    one, other = ([part.strip(" ,") for part in side] for side in (was, now))
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    is_alike = matcher.ratio() > 0
    for kind, a, b, c, d in matcher.get_opcodes():
        differs = kind != "equal" and is_alike
        gone += [("".join(was[a:b]), differs)] if b > a else []
        come += [("".join(now[c:d]), differs)] if d > c else []
    return tuple(gone), tuple(come)


def _plain(value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return ""
        case True:
            return _("yes")
        case False:
            return _("no")
        case list():
            return ", ".join(map(_plain, value))
        case dict():
            return ", ".join(f"{key}: {_plain(each)}" for key, each in value.items())
        case Phrase() | Promise():
            return spoken(value) if isinstance(value, Phrase) else str(value)
        case str() if TIME.match(value) and (moment := parse_datetime(value)):
            there = localtime(moment)
            return f"{date_format(there, _('j M Y H:i:s'))} {there:%Z}"
    return str(value)
