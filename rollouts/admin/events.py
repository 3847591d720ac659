"""The history of one object, in pages, with what changed as before and after of each field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from ..models import AuditEvent, Rollout
from ..portal.presenters.changes import Changed, changes
from ..portal.presenters.references import References
from ..services.lists.history import NEWEST_FIRST

PER_PAGE = 30


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
    known = References(page.rows, sees_confidential=sees_confidential)
    told = tuple(
        EventShown(
            event,
            changes(event, sees_confidential=sees_confidential, references=known),
            bool(event.confidential) > sees_confidential,
        )
        for event in page.rows
    )
    return HistoryPage(told, page.previous, page.next)
