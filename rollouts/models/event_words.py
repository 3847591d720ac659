"""What events are looked for by besides their columns: their words, and the token, session or hand they came by.

A row of its own beside each event, which can be made anew: history itself is never changed. An index over ``text``
(``audit.word_index``) finds any part of a word of three characters or more, and shorter words as a whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from .history import AuditEvent, shown

#: So long is the least word of which parts are found.
WHOLE_BELOW = 3
#: Around each word that is found as a whole only; no text holds it, so nobody looks for it.
EDGE = "\x1f"
_SHORT = re.compile(r"\w+|[^\w\s]+")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\s]+")
#: A key orders events by the second, then by number; so many numbers of one second stand apart.
_NUMBERS = 2**14
#: As the index says, which holds those alone: databases use it only for questions that say the same.
BY_WAY = ~models.Q(way="")
WAYS = ("token", "session", "os_user", "gitlab_user")


def key_of(at: datetime, pk: int, *, for_roles: bool = False) -> int:
    """Where an event stands in the order of time."""
    return (int(at.astimezone(UTC).timestamp()) * _NUMBERS + pk % _NUMBERS) * 2 + for_roles


def normal(text: str) -> str:
    """Text as it is kept and looked for: any case, any white space."""
    return _UNSEEN.sub(" ", unicodedata.normalize("NFC", text).casefold()).strip()


def pattern(word: str) -> str:
    """What of a text says that it holds the word, which is ``normal``."""
    return word if len(word) >= WHOLE_BELOW else f"{EDGE}{word}{EDGE}"


def actor_in(name: str) -> list[str]:
    """What the words of each event of this actor hold, as far as the index finds it: the name, and then more words.

    No more words follow for sure where the name might be a verb, which is not said twice.
    """
    name = normal(name)
    return [] if len(name) < WHOLE_BELOW else [name if "." in name else f"{name} "]


def text_of(event: Any, *parts: str) -> str:
    """The words of an event: names, who, what, the reason, and each value that these parts of it show."""
    leaves = [event.object_name, event.actor, event.reason, event.verb]
    if event.rollout_id:
        leaves += [event.rollout.title, event.rollout.slug]
    for part in parts:
        values = getattr(event, part)
        leaves += _leaves(shown(event.object_type, values) if part in ("before", "after") else values)
    words = " ".join(filter(None, dict.fromkeys(normal(str(leaf)) for leaf in leaves)))
    short = dict.fromkeys(word for word in _SHORT.findall(words) if len(word) < WHOLE_BELOW)
    return f"{words}{EDGE}{EDGE.join(short)}{EDGE}" if short else words


def way_of(event: Any) -> str:
    """``token:12``, ``session:3f9a1c…``, ``os_user:root``, ``gitlab_user:jane``, or empty."""
    way = event.way or {}
    by = {
        "token": (way.get("token") or {}).get("id"),
        "session": (way.get("session") or {}).get("reference"),
        "os_user": way.get("os_user"),
        "gitlab_user": event.after.get("gitlab_user") if isinstance(event.after, dict) else None,
    }
    return next((f"{kind}:{value}"[:200] for kind, value in by.items() if value), "")


def _leaves(values: Any) -> Iterator[str]:
    if isinstance(values, dict):
        for key, value in values.items():
            if ": " in key:  # another object, by its name
                yield key
            yield from _leaves(value)
    elif isinstance(values, list | tuple):  # an event just written has them as they were given
        for value in values:
            yield from _leaves(value)
    elif values is not None and not isinstance(values, bool):
        yield str(values)


class EventWordsQuerySet(models.QuerySet[Any]):
    def keep(self, events: Iterable[Any]) -> None:
        """Rows for events that have none yet."""
        self.bulk_create([row for event in events for row in self._rows(event)], batch_size=200, ignore_conflicts=True)

    def renew(self, events: Iterable[Any]) -> None:
        """Rows anew for events of which something else is told now: a name that was forgotten."""
        events = list(events)
        with transaction.atomic():
            self.filter(event_id__in=[event.pk for event in events]).delete()
            self.keep(events)

    def _rows(self, event: Any) -> Iterator[Any]:
        text, way, hides = text_of(event, "before", "after"), way_of(event), bool(event.confidential)
        key = key_of(event.at, event.pk)
        yield self.model(key=key, event_id=event.pk, for_all=True, for_roles=not hides, text=text, way=way)
        if hides:
            all_of_it = text_of(event, "before", "after", "confidential")
            yield self.model(key=key + 1, event_id=event.pk, for_all=False, for_roles=True, text=all_of_it)


class EventWords(models.Model):
    """The words of an event for everybody; where some need a role, a second row has all words for those with it."""

    key = models.BigAutoField(primary_key=True, help_text=_("The order of time."))
    event = models.ForeignKey(AuditEvent, on_delete=models.CASCADE, related_name="words")
    for_all = models.BooleanField()
    for_roles = models.BooleanField()
    text = models.TextField()
    way = models.CharField(max_length=200, blank=True)

    objects = EventWordsQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("event words")
        indexes = [
            models.Index(fields=("way", "-key"), name="event_way", condition=BY_WAY),
        ]

    def __str__(self) -> str:
        return f"{self.key}"
