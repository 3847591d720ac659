"""The history of one object, in pages, with what changed as before and after of each field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import AuditEvent, Rollout, verbose_names
from ..rules.phrases import Phrase, joined, spoken
from ..services.lists.history import NEWEST_FIRST

PER_PAGE = 30
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+[+-]\d\d:\d\d$")

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
    """One field as it was and as it became; empty texts where there was nothing."""

    what: str
    before: str
    after: str
    is_confidential: bool = False


@dataclass(frozen=True, slots=True)
class EventShown:
    """One event and what it changed."""

    event: AuditEvent
    changes: tuple[Changed, ...]
    #: Whether something changed that this person may not see.
    hides: bool = False


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Newest first; ``next`` is the ``before`` of the page with older ones, ``previous`` of that with newer ones."""

    told: tuple[EventShown, ...]
    previous: str
    next: str


def of(obj: Any, *, sees_confidential: bool, before: str = "") -> HistoryPage:
    """What happened to an object; to a rollout also what happened to all that belongs to it. Raises ``WrongCursor``."""
    about = Q(object_type=obj._meta.object_name, object_id=str(obj.pk))
    if isinstance(obj, Rollout):
        about = Q(rollout=obj)
    events = AuditEvent.objects.newest_first().filter(about)
    page = NEWEST_FIRST.page(events, before, PER_PAGE)
    told = tuple(
        EventShown(
            event, changes(event, sees_confidential=sees_confidential), bool(event.confidential) > sees_confidential
        )
        for event in page.rows
    )
    return HistoryPage(told, page.previous, page.next)


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
        yield Changed(words, _plain(was), _plain(now), is_confidential)


def _choices(kind: str, key: str) -> dict[Any, Any]:
    """What a field's values are called, where it is one that is chosen."""
    try:
        field = apps.get_model("rollouts", kind)._meta.get_field(key)
    except (LookupError, ValueError, FieldDoesNotExist):
        return {}
    return dict(getattr(field, "flatchoices", ()))


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
