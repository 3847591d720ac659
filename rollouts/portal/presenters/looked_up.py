"""Events of a look-up: what each changed, and where its links lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.urls import reverse
from django.utils.timezone import localtime

from ...models import AuditEvent, HookDelivery, SyncRun
from ...models.event_words import way_of
from ...rules.phrases import say
from .changes import Changed, changes
from .references import LISTS, References

#: What links and scripts look for, beside what the form offers; how the page calls each.
NAMED = {
    "object": say("object"),
    "token": say("token"),
    "session": say("session"),
    "os_user": say("operating system's user"),
    "gitlab_user": say("GitLab user"),
    "request": say("request"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """``hides`` is whether something changed that this person may not see; ``day`` is of the reader's zone."""

    event: AuditEvent
    day: date
    changes: tuple[Changed, ...]
    hides: bool
    object_url: str
    #: Parts of an address behind the ``?`` of this page.
    of_object: str
    of_request: str
    of_way: str
    #: Numbers of what GitLab was read by, if it is still kept.
    sync_pass: int | None
    delivery: int | None


def rows(events: Sequence[AuditEvent], *, sees: bool) -> list[Row]:
    passes, deliveries = [_pass(event) for event in events], [_delivery(event, sees) for event in events]
    kept_passes, kept_deliveries = _kept(SyncRun, passes), _kept(HookDelivery, deliveries)
    known = References(events, sees_confidential=sees)
    return [
        _row(event, sees, known, kept_passes.get(passed), kept_deliveries.get(delivered))
        for event, passed, delivered in zip(events, passes, deliveries, strict=True)
    ]


def named(asked: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What is asked for that the form has no field for: name, words, value."""
    return [(name, words, asked[name]) for name, words in NAMED.items() if asked[name]]


def _row(event: AuditEvent, sees: bool, known: References, sync_pass: int | None, delivery: int | None) -> Row:
    kind, _, value = way_of(event).partition(":")
    return Row(
        event,
        localtime(event.at).date(),
        changes(event, sees_confidential=sees, references=known),
        bool(event.confidential) > sees,
        _url(event),
        urlencode({"object": f"{event.object_type}:{event.object_id}"}) if event.object_id else "",
        urlencode({"request": event.request_id}) if event.request_id else "",
        urlencode({kind: value}) if value else "",
        sync_pass,
        delivery,
    )


def _pass(event: AuditEvent) -> Any:
    return (event.way or {}).get("pass")


def _delivery(event: AuditEvent, sees: bool) -> Any:
    """It is a note of the event; of a confidential issue one that needs a role."""
    hidden = [sides.get("after", {}) for sides in event.confidential.values()] if sees else []
    return next((side["delivery"] for side in (event.after, *hidden) if "delivery" in side), None)


def _kept(model: type[models.Model], numbers: Sequence[Any]) -> dict[Any, int]:
    wanted = {number for number in numbers if isinstance(number, int)}
    return {pk: pk for pk in model._default_manager.filter(pk__in=wanted).values_list("pk", flat=True)}


def _url(event: AuditEvent) -> str:
    """Where the object is found, if not on the page of the rollout, to which the row leads anyway."""
    if event.object_type == "FeatureFlag" and event.object_id.isdigit():
        return reverse("portal:flag", args=[int(event.object_id)])
    return reverse(LISTS[event.object_type]) if event.object_type in LISTS else ""
