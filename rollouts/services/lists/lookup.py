"""How the history is looked up: whatever is asked, along an index that is in the order of time.

Where one part of a question alone leaves few events, it is those that are looked at. Otherwise each condition is read
by itself, newest first: a group of verbs verb by verb, a rollout's own events and those that concern it, and the newest
of all are taken. So no question reads on and on through events that do not fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, reduce
from itertools import product
from operator import or_
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from ...audit.word_index import INDEX, trigrams
from ...models import AuditEvent, EventWords
from ...models.event_words import BY_WAY, key_of, pattern
from ...models.keyset import BACK, Keyset, Page
from .reading_events import WALKED, as_listed, count_of, first_of, loaded, walk

#: Hits are counted exactly up to here; where a part of a question leaves no more, it is those that are looked at.
MOST_COUNTED = 1_000
NEWEST_FIRST = Keyset("audit", {"-at": datetime, "-pk": int})
#: The time and the number of an event.
Place = tuple[datetime, int]


@dataclass(frozen=True)
class LookUp:
    """All of it must be so. Each condition holds where one of its ways does; each of those has an index by time.

    ``words`` are ``event_words.normal``; ``sees`` is whether words that need a role are looked for too. ``said`` are
    texts that the words of all fitting events hold because of the conditions: with them the index of words leaves less.
    """

    conditions: Sequence[Sequence[Q]] = ()
    since: datetime | None = None
    until: datetime | None = None
    words: Sequence[str] = ()
    way: str = ""
    sees: bool = False
    said: Sequence[str] = ()

    def page(self, cursor: str, limit: int) -> Page:
        """Events, newest first, from where the cursor leads. Raises ``WrongCursor``."""
        place: Any = NEWEST_FIRST.key(cursor)
        back = cursor.startswith(BACK)
        events = self._from(place, limit + 1, back=back)
        if back and len(events) <= limit:  # less than a page is never before another
            cursor, back = "", False
            events = self._from(None, limit + 1, back=False)
        is_more, events = len(events) > limit, events[:limit]
        if back:
            events.reverse()
        previous = f"{BACK}{NEWEST_FIRST.cursor(events[0]) if events else ''}" if cursor else ""
        return Page(events, previous, NEWEST_FIRST.cursor(events[-1]) if events and (back or is_more) else "")

    @cached_property
    def count(self) -> int:
        """How many there are, and ``MOST_COUNTED + 1`` for more than can be counted at once."""
        most = MOST_COUNTED + 1
        if self._few is not None:
            return len(self._few)
        if self._alone:
            return most  # or they were few
        parts = list(self._parts())
        if self._has_entries:
            return self._entries().order_by()[:most].count() if self._along is None else len(self._along)
        return parts[0][:most].count() if len(parts) == 1 else count_of(parts, most)

    @property
    def events(self) -> QuerySet[AuditEvent]:
        """All of them as one selection."""
        fitting = self._where(self._in_time)
        if not self._has_entries:
            return fitting
        entries = self._matching(EventWords.objects.order_by())
        if self.words and connection.vendor == "sqlite":
            matched = f"SELECT rowid FROM {INDEX} WHERE {INDEX} MATCH %s"  # noqa: S608
            entries = entries.filter(pk__in=RawSQL(matched, (self._match,)))  # noqa: S611
        return fitting.filter(pk__in=entries.values("event_id"))

    @property
    def _has_entries(self) -> bool:
        return bool(self.words or self.way)

    @cached_property
    def _alone(self) -> list[int] | None:
        """Numbers of what words alone, or the way alone, leave, and one too many where there are more.

        None where more is asked for. Newest first, but for words on PostgreSQL, whose index of them knows no order.
        """
        if self.conditions or bool(self.words) == bool(self.way):
            return None
        entries = self._entries() if self._is_in_order else self._entries().order_by()
        return list(entries.values_list("event_id", flat=True)[: MOST_COUNTED + 1])

    @property
    def _is_in_order(self) -> bool:
        return not self.words or connection.vendor != "postgresql"

    def _from(self, place: Place | None, limit: int, *, back: bool) -> list[AuditEvent]:
        """The next ones after a place, or ``back`` from it."""
        if self._few is not None:
            inside = (one for one in self._few if place is None or (one > place if back else one < place))
            return loaded(pk for _, pk in sorted(inside, reverse=not back)[:limit])
        cursor = NEWEST_FIRST.cursor({"at": place[0], "pk": place[1]}) if place else ""
        if self._has_entries:
            newest = self._along if self._along is not None else self._alone if self._is_in_order else None
            if newest and place is None and limit <= MOST_COUNTED + 1:
                return loaded(newest[:limit])
            if self._along is not None:  # pages of one question are in one order
                return loaded(self._walk(cursor, limit, back=back))
            entries = self._entries(key_of(*place) if place else None, back)
            return loaded(entries.values_list("event_id", flat=True)[:limit])
        parts = [NEWEST_FIRST.beyond(part, cursor, back=back) for part in self._parts()]
        if len(parts) == 1:
            return list(as_listed(parts[0])[:limit])
        return loaded(first_of(parts, limit, "ASC" if back else "DESC"))

    @cached_property
    def _along(self) -> list[int] | None:
        """The newest, one too many to be counted, where going along the events of a condition and looking at the words
        of each is quicker; None where not. On SQLite the index of words is in the order of time itself.
        """
        if self._is_in_order or self.way or not self.conditions or len(list(self._parts())) > 1:
            return None
        found = self._walk("", MOST_COUNTED + 1, WALKED)
        (events,) = self._parts()
        return found if len(found) > MOST_COUNTED or events[: WALKED + 1].count() <= WALKED else None

    def _walk(self, cursor: str, limit: int, most: int | None = None, *, back: bool = False) -> list[int]:
        (events,) = (NEWEST_FIRST.beyond(part, cursor, back=back) for part in self._parts())
        return walk(events[:most], self._texts(EventWords.objects.order_by()), limit, "ASC" if back else "DESC")

    @property
    def _in_time(self) -> QuerySet[AuditEvent]:
        events: QuerySet[AuditEvent] = AuditEvent.objects.order_by()
        if self.since:
            events = events.filter(at__gte=self.since)
        return events.filter(at__lt=self.until) if self.until else events

    def _where(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        for ways in self.conditions:
            events = events.filter(reduce(or_, ways))
        return events

    def _parts(self) -> list[QuerySet[AuditEvent]]:
        """Selections that have nothing in common and make the whole."""
        return [self._in_time.filter(*ways) for ways in product(*self.conditions)]

    @cached_property
    def _few(self) -> list[Place] | None:
        """Time and number of all that fit, where one part of the question leaves few; None where none does."""
        if len(self.conditions) < 2 and not self._has_entries:
            return None
        for candidates, left in self._narrow():
            if len(candidates) > MOST_COUNTED:
                continue
            fitting = self._in_time.filter(pk__in=candidates)
            if left.conditions:  # apart, so that no index is walked for them: each candidate is looked at
                fitting = fitting.filter(Exists(left._where(AuditEvent.objects.order_by().filter(pk=OuterRef("pk")))))
            if left.words:
                fitting = fitting.filter(Exists(self._texts(EventWords.objects.filter(event_id=OuterRef("pk")))))
            if left.way:
                fitting = fitting.filter(Exists(EventWords.objects.filter(event_id=OuterRef("pk"), way=left.way)))
            return list(fitting.values_list("at", "pk"))
        return None

    def _narrow(self) -> Iterator[tuple[list[int], LookUp]]:
        """Numbers of the events that each part of the question leaves, one too many where there are more; and the rest
        of the question.
        """
        most = MOST_COUNTED + 1
        if self.way:
            alone = self if self._alone is not None else replace(self, conditions=(), words=())
            yield alone._alone or [], replace(self, way="")
        if self.words:
            alone = self if self._alone is not None else replace(self, conditions=(), way="")
            yield alone._alone or [], replace(self, words=())
        for place, ways in enumerate(self.conditions):
            found: list[int] = []
            for way in ways:
                found += self._in_time.filter(way).values_list("pk", flat=True)[: most - len(found)]
                if len(found) == most:
                    break
            yield found, replace(self, conditions=[*self.conditions[:place], *self.conditions[place + 1 :]])

    def _entries(self, after: int | None = None, back: bool = False) -> QuerySet[EventWords]:
        """Words of the events that fit, newest first or oldest first, after a key."""
        entries, key = self._matching(EventWords.objects.all()), "key"
        if self.words and connection.vendor == "sqlite":
            key = f"{INDEX}.rowid"  # in whose order the index is read
            entries = entries.extra(  # noqa: S610 - names of our own
                tables=[INDEX], where=[f"{key} = {EventWords._meta.db_table}.key", f"{INDEX} MATCH %s"],
                params=[self._match],
            )  # fmt: skip
        bounds = []
        if self.since:  # a key knows seconds
            bounds.append((">=", key_of(self.since, 0)))
            entries = entries.filter(event__at__gte=self.since)
        if self.until:
            bounds.append(("<", key_of(self.until, -1) + 2))
            entries = entries.filter(event__at__lt=self.until)
        if after is not None:
            bounds.append((">", after + 1) if back else ("<", after))
        for side, value in bounds:
            entries = entries.extra(where=[f"{key} {side} %s"], params=[value])  # noqa: S610
        if self.conditions:
            fitting = self._where(AuditEvent.objects.order_by().filter(pk=OuterRef("event_id")))
            entries = entries.filter(Exists(fitting))
        order = RawSQL(key, ())  # noqa: S611 - a name of our own
        return entries.order_by(order.asc() if back else order.desc())

    @property
    def _match(self) -> str:
        return trigrams([*map(pattern, self.words), *self.said])

    def _matching(self, entries: QuerySet[EventWords]) -> QuerySet[EventWords]:
        """By words and way."""
        if self.words:
            entries = self._texts(entries)
        if not self.way:
            return entries
        if not self.words:
            return entries.filter(BY_WAY, way=self.way)
        return entries.filter(Exists(EventWords.objects.filter(event_id=OuterRef("event_id"), way=self.way)))

    def _texts(self, entries: QuerySet[EventWords]) -> QuerySet[EventWords]:
        entries = entries.filter(for_roles=True) if self.sees else entries.filter(for_all=True)
        for word in self.words:
            entries = entries.filter(text__contains=pattern(word))
        return entries
