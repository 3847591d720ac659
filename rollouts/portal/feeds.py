"""What feeds hold: calendars of starts, steps and ends with change locks (iCalendar), and events (Atom).

A feed leaves the portal for calendars and readers of others, so nothing from confidential issues is in any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.formats import localize
from django.utils.html import escape
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ..models import AuditEvent, Rollout
from ..models.keyset import Page
from ..rules.datetimes import FIRST, LAST
from ..rules.phrases import spoken
from ..rules.schedule import Certainty, Kind, Moment
from ..services import schedules
from ..services.lists.history import NEWEST_FIRST
from ..services.schedules import Lock, Scheduled
from .presenters import history
from .presenters.timeline import model_words

if TYPE_CHECKING:  # slow to load, and most processes write no feed
    from icalendar import Event

BEHIND, AHEAD = timedelta(days=90), timedelta(days=366)
#: So many rollouts and change locks at most; what lies further off comes into a calendar as time goes on.
MOST_ROLLOUTS, MOST_LOCKS = 300, 300
#: Events in one document of a feed; those before are in the next.
PER_DOCUMENT = 100
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def calendar(name: str, rollouts: QuerySet[Any], now: datetime) -> tuple[bytes, datetime | None]:
    """A calendar of these rollouts, and when it last changed."""
    since, until = now - BEHIND, now + AHEAD
    locks = schedules.locks_between(since, until)
    page = schedules.page(rollouts, since, until, now, locks=locks, limit=MOST_ROLLOUTS)
    return _written(name, page.rows, locks, now, is_whole=not page.next)


def calendar_of_one(rollout: Rollout, now: datetime) -> tuple[bytes, datetime | None]:
    """All of one rollout, however long ago it began."""
    locks = schedules.locks_between(now - BEHIND, now + AHEAD)
    page = schedules.page(Rollout.objects.filter(pk=rollout.pk), FIRST, LAST, now, locks=locks, limit=1)
    return _written(rollout.title, page.rows, locks, now)


def _written(
    name: str, scheduled: Sequence[Scheduled], locks: Iterable[Lock], now: datetime, *, is_whole: bool = True
) -> tuple[bytes, datetime | None]:
    from icalendar import Calendar

    changed = _changed([each.row["id"] for each in scheduled])
    written = Calendar()
    written.add("prodid", "-//Model Rollout Portal//EN")
    written.add("version", "2.0")
    written.add("x-wr-calname", _clean(name))
    if not is_whole:
        most = _("Only {most} rollouts: those that run or begin first.").format(most=MOST_ROLLOUTS)
        written.add("x-wr-caldesc", most)
    written.add("refresh-interval", timedelta(hours=1), parameters={"VALUE": "DURATION"})
    written.add("x-published-ttl", "PT1H")
    is_predicted = False
    for each in scheduled:
        for moment in each.schedule.moments:
            if moment.certainty is not Certainty.EARLIEST:
                is_predicted = is_predicted or moment.certainty is Certainty.DATED
                at = changed.get(each.row["id"]) or each.row["created_at"]
                written.add_component(_event(each, moment, at))
    instances = {None, *(each.row["flag__instance_id"] for each in scheduled)}
    for lock in [lock for lock in locks if lock.instance_id in instances][:MOST_LOCKS]:
        written.add_component(_lock(lock))
    moved = now.replace(minute=0, second=0, microsecond=0) if is_predicted else None  # predictions move with the clock
    last = max((at for at in (*changed.values(), moved) if at is not None), default=None)
    return written.to_ical(), last


def _changed(rollouts: list[int]) -> dict[int, datetime]:
    """When the newest event of each rollout was."""
    newest = AuditEvent.objects.filter(rollout=OuterRef("pk")).order_by("-at").values("at")[:1]
    rows = Rollout.objects.filter(pk__in=rollouts).annotate(changed_at=Subquery(newest)).order_by()
    return {pk: at for pk, at in rows.values_list("pk", "changed_at") if at is not None}


def _new() -> Event:
    from icalendar import Event

    return Event()


def _event(each: Scheduled, moment: Moment, changed: datetime) -> Event:
    phase = moment.phase
    named = (each.slug, *((phase.name, str(phase.attempt)) if phase else ()), moment.kind.value)
    event = _new()
    event.add("uid", _uid("-".join([*named, *([str(moment.percentage)] if moment.percentage else [])])))
    event.add("summary", _clean(f"{each.row['title']}: {_words(moment)}"))
    event.add("description", _clean(model_words(each.row)))
    event.add("dtstart", moment.at.replace(microsecond=0))
    event.add("status", "CONFIRMED" if moment.certainty is Certainty.DONE else "TENTATIVE")
    event.add("url", absolute(reverse("portal:rollout", args=[each.slug])))
    return _finished(event, changed)


def _words(moment: Moment) -> str:
    title = str(moment.phase.title) if moment.phase else ""
    said = {
        Kind.START: _("{phase} starts"),
        Kind.STEP: "{phase}",
        Kind.COMPLETE: _("{phase} is completed"),
        Kind.SKIP: _("{phase} is skipped"),
        Kind.ROLL_BACK: _("{phase} is rolled back"),
        Kind.ABANDON: _("abandoned"),
        Kind.CLOSE: _("the flag is cleaned up"),
    }[moment.kind].format(phase=title)
    if moment.percentage:
        said = _("{what} at {percentage} %").format(what=said, percentage=localize(moment.percentage))
    return said if moment.certainty is Certainty.DONE else _("{what} (planned)").format(what=said)


def _lock(lock: Lock) -> Event:
    event = _new()
    event.add("uid", _uid(lock.uid))
    event.add("summary", _clean(_("Change lock: {title}").format(title=lock.title)))
    event.add("dtstart", lock.window.starts_at.replace(microsecond=0))
    event.add("dtend", lock.window.ends_at.replace(microsecond=0))
    event.add("url", absolute(reverse("portal:locks")))
    return _finished(event, lock.changed_at)


def _finished(event: Event, changed: datetime) -> Event:
    event.add("transp", "TRANSPARENT")  # nobody is busy by it
    event.add("dtstamp", changed.replace(microsecond=0))
    event.add("last-modified", changed.replace(microsecond=0))
    return event


class PagedFeed(Atom1Feed):
    """A feed in several documents that lead to each other (RFC 5005, section 3)."""

    def add_root_elements(self, handler: Any) -> None:
        super().add_root_elements(handler)
        for relation, address in self.feed["documents"].items():
            handler.addQuickElement("link", "", {"rel": relation, "href": address})


def events(name: str, of: Q, address: str, before: str, slug: str = "") -> tuple[bytes, datetime | None]:
    """Events, newest first, as the history page tells them; and when the newest of them was.

    ``before`` is the cursor of a document: the first holds the newest, each next one older ones. ``slug`` is of the
    rollout that they are of: a title and a language change, the feed stays the same one to readers. Raises
    ``WrongCursor``.
    """
    page = NEWEST_FIRST.page(AuditEvent.objects.newest_first().filter(of), before, PER_DOCUMENT)
    feed = PagedFeed(
        title=_clean(name),
        link=absolute(reverse("portal:audit")),
        description=None,
        language=get_language(),
        feed_url=f"{address}?before={before}" if before else address,
        feed_guid=_uid(f"events-{slug}" if slug else "events", "tag:{host},2026:{what}"),
        documents=_documents(address, page),
    )
    last = None
    for event in page.rows:
        last = last or event.at
        place = event.rollout.get_absolute_url() if event.rollout else reverse("portal:audit")
        feed.add_item(
            title=_clean(spoken(history.event_line(event))),
            link=absolute(place),
            description=escape(_clean(spoken(event.in_words("reason")))),
            unique_id=_uid(f"event-{event.pk}", "tag:{host},2026:{what}"),
            pubdate=event.at,
            updateddate=event.at,
            author_name=_clean(event.actor),
        )
    return feed.writeString("utf-8").encode(), last


def _documents(address: str, page: Page) -> dict[str, str]:
    """By relation, from one document of a feed to the others."""
    ways = {"previous": page.previous, "next": page.next}
    return {"first": address, **{way: f"{address}?before={cursor}" for way, cursor in ways.items() if cursor}}


def absolute(path: str) -> str:
    return f"{settings.PORTAL_URL}{path}"


def _uid(what: str, form: str = "{what}@{host}") -> str:
    return form.format(what=what, host=urlsplit(settings.PORTAL_URL).hostname or "portal")


def _clean(text: str) -> str:
    """Without characters that neither XML nor calendars have."""
    return CONTROLS.sub(" ", text)
