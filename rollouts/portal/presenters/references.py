"""What events hold by number, by its name of today, and where it is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse

from ...models import AuditEvent

#: What the name of an object rests on besides.
RESTS_ON = {
    "ApprovalRequest": ("phase__rollout",),
    "FeatureFlag": ("project",),
    "FlagReading": ("flag__project",),
    "Phase": ("rollout",),
    "TrackedIssue": ("project__instance",),
}
#: Where one finds objects that have no page of their own.
LISTS = {
    "ChangeLock": "portal:locks",
    "LockCalendar": "portal:locks",
    "IncidentSource": "portal:locks",
    "GitLabInstance": "portal:sync",
    "AIModel": "portal:models",
}


class Reference(NamedTuple):
    """``url`` is empty where there is no page."""

    name: str
    url: str


class References:
    """Of some events at once: a query for each kind of object that they refer to."""

    def __init__(self, events: Iterable[AuditEvent], *, sees_confidential: bool) -> None:
        wanted: defaultdict[type[models.Model], set[int]] = defaultdict(set)
        for event in events:
            for kind, values in _mappings(event, sees_confidential=sees_confidential):
                for key, model in _keys(kind).items():
                    if type(number := values.get(key)) is int:
                        wanted[model].add(number)
        self._known = {
            (model, one.pk): Reference(str(one), _url(one))
            for model, numbers in wanted.items()
            for one in model._base_manager.filter(pk__in=numbers).select_related(*RESTS_ON.get(model.__name__, ()))
        }

    def of(self, kind: str, key: str, value: Any) -> Reference | None:
        """What this field of such an object refers to; None where it refers to nothing that is still there."""
        model = _keys(kind).get(key)
        return self._known.get((model, value)) if model and type(value) is int else None


def _mappings(event: AuditEvent, *, sees_confidential: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each object that an event tells of, by its kind, with values of its fields."""
    sides = [event.before, event.after]
    yield from ((event.object_type, side) for side in sides)
    if sees_confidential:
        sides += [{name: one.get(side, {}) for name, one in event.confidential.items()} for side in ("before", "after")]
    for values in sides:
        for name, one in values.items():
            if ": " in name and isinstance(one, Mapping):
                yield name.partition(" ")[0], one


@cache
def _keys(kind: str) -> dict[str, type[models.Model]]:
    """The fields of such an object that hold another one's number."""
    try:
        fields = apps.get_model("rollouts", kind)._meta.concrete_fields
    except (LookupError, ValueError):
        return {}
    return {field.attname: field.related_model for field in fields if isinstance(field, models.ForeignKey)}


def _url(thing: Any) -> str:
    match type(thing).__name__:
        case "Rollout":
            return str(thing.get_absolute_url())
        case "Phase":
            return str(thing.rollout.get_absolute_url())
        case "ApprovalRequest":
            return str(thing.phase.rollout.get_absolute_url())
        case "FeatureFlag":
            return reverse("portal:flag", args=[thing.pk])
        case "FlagReading":
            return reverse("portal:flag", args=[thing.flag_id])
        case "TrackedIssue":
            return str(thing.url)
        case "AIModel":
            return reverse("portal:model", args=[thing.slug])
        case kind if kind in LISTS:
            return reverse(LISTS[kind])
    return reverse("portal:person", args=[thing.username]) if isinstance(thing, User) else ""
