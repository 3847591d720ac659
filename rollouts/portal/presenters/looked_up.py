"""One event of a look-up: what it changed, and where its links lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.timezone import localtime

from ...models import AuditEvent
from ...models.event_words import way_of
from ...rules.phrases import say
from .changes import Changed, changes

#: What links and scripts look for, beside what the form offers; how the page calls each.
NAMED = {
    "object": say("object"),
    "token": say("token"),
    "session": say("session"),
    "os_user": say("operating system's user"),
    "gitlab_user": say("GitLab user"),
    "request": say("request"),
}
#: Objects that have a page: by their number, or one of all of them.
PAGES = {"FeatureFlag": "portal:flag"}
LISTS = {
    "ChangeLock": "portal:locks",
    "LockCalendar": "portal:locks",
    "IncidentSource": "portal:locks",
    "GitLabInstance": "portal:sync",
    "SyncRun": "portal:sync",
    "HookDelivery": "portal:sync",
    "AIModel": "portal:models",
    "ApprovalRequest": "portal:approvals",
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
    is_of_sync: bool


def row(event: AuditEvent, *, sees: bool) -> Row:
    kind, _, value = way_of(event).partition(":")
    return Row(
        event,
        localtime(event.at).date(),
        changes(event, sees_confidential=sees),
        bool(event.confidential) > sees,
        _url(event),
        urlencode({"object": f"{event.object_type}:{event.object_id}"}) if event.object_id else "",
        urlencode({"request": event.request_id}) if event.request_id else "",
        urlencode({kind: value}) if value else "",
        event.source in ("sync", "webhook"),
    )


def named(asked: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What is asked for that the form has no field for: name, words, value."""
    return [(name, words, asked[name]) for name, words in NAMED.items() if asked[name]]


def _url(event: AuditEvent) -> str:
    if event.object_type in PAGES and event.object_id.isdigit():
        return reverse(PAGES[event.object_type], args=[int(event.object_id)])
    if event.object_type in LISTS:
        return reverse(LISTS[event.object_type])
    return event.rollout.get_absolute_url() if event.rollout else ""
