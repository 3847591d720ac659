"""Looking history up: filters and keyset pages. What needs a role to see is neither shown nor searched without it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from ..models import AuditEvent
from ..models.keyset import Keyset

NEWEST_FIRST = Keyset("audit", {"-at": datetime, "-pk": int})


@dataclass(frozen=True, slots=True)
class Question:
    """What to look for; empty means any. ``before`` is the ``next`` of the page before."""

    rollout: str = ""
    actor: str = ""
    verb: str = ""
    source: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, newest first; ``next`` is the ``before`` of the next page, empty on the last."""

    events: list[AuditEvent]
    next: str


def find(question: Question, *, limit: int = 50) -> EventPage:
    """One page of events, newest first. ``verb`` may be a whole verb or its first part (``phase``).

    Raises ``WrongCursor``.
    """
    events = AuditEvent.objects.newest_first()
    if question.rollout:
        events = events.of_rollout(question.rollout)
    if question.actor:
        events = events.filter(actor=question.actor)
    if question.verb:
        exact = Q(verb=question.verb)
        events = events.filter(exact if "." in question.verb else exact | Q(verb__startswith=f"{question.verb}."))
    if question.source:
        events = events.filter(source=question.source)
    if question.since:
        events = events.filter(at__gte=question.since)
    if question.until:
        events = events.filter(at__lt=question.until)
    if question.text:
        text = question.text
        events = events.filter(
            Q(object_name__icontains=text)
            | Q(reason__icontains=text)
            | Q(actor__icontains=text)
            | Q(rollout__title__icontains=text)
        )
    return EventPage(*NEWEST_FIRST.page(events, question.before, limit))
