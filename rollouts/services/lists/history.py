"""History: for its page, the API and ``audit find``. What needs a role is neither found nor counted without it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from ...audit.source import SOURCES
from ...models import ApiToken, AuditEvent, EventWords, Rollout
from ...models.event_words import BY_WAY, WAYS, actor_in, normal
from ...models.keyset import Page
from ...rules.datetimes import asked_since, asked_until
from ...rules.phrases import Phrase, later, say, say_n, shorten
from .asked import LONGEST, Asked, Filter, Known, Moment, OneOf, Text
from .lookup import MOST_COUNTED, NEWEST_FIRST, LookUp

__all__ = ["NEWEST_FIRST", "Found", "HistoryFilter"]
#: So many words are looked for together.
MOST_WORDS = 20
_OBJECT = re.compile(r"(\w+)[ :]\s*(\S+)")
_VERB = re.compile(r"[a-z_]+(\.[a-z_]+)?")


@dataclass(frozen=True, slots=True)
class Found:
    """A page, newest first, and how many there are in all, exact up to ``MOST_COUNTED``."""

    page: Page
    count: int = 0

    @property
    def is_more(self) -> bool:
        """Whether there are more than were counted."""
        return self.count > MOST_COUNTED

    def as_json(self, items: list[Any]) -> dict[str, Any]:
        """As the API and ``audit find --json`` give it, with the events as they may be told."""
        return {
            "items": items,
            "next": self.page.next or None,
            "previous": self.page.previous or None,
            "count": min(self.count, MOST_COUNTED),
            "is_more": self.is_more,
        }

    @property
    def counted(self) -> Phrase:
        if self.is_more:
            return say("More than {most} events", most=MOST_COUNTED)
        return say_n("{n} event", "{n} events", self.count)


class Words(Filter):
    """Words that all must be there, as plain text."""

    longest = None

    def read(self, text: str) -> Any:
        if len(text) > LONGEST:
            raise ValueError(
                say("What is looked for has {most} characters at most, this has {n}.", most=LONGEST, n=len(text))
            )
        words = list(dict.fromkeys(normal(text).split()))
        if len(words) > MOST_WORDS:
            raise ValueError(say("At most {most} words are looked for at once.", most=MOST_WORDS))
        if not any(one.isalnum() for one in normal(text)):
            raise ValueError(say("«{written}» has no letter or digit: look for a word.", written=shorten(text)))
        return words


def _rollout(slug: str) -> Any:
    return Rollout.objects.filter(slug=slug).first()


def _actor(name: str) -> str:
    is_known = AuditEvent.objects.order_by().filter(actor=name).exists()
    return name if is_known or get_user_model().objects.filter(username=name).exists() else ""


def _object(text: str) -> tuple[str, str] | None:
    found = _OBJECT.fullmatch(text)
    if not found or found[1] not in {model.__name__ for model in apps.get_models()}:
        return None
    return found[1], found[2]


def _verbs(text: str) -> list[str]:
    """Each verb that is meant: those of a group too."""
    named = [part.strip() for part in text.split(",")]
    if not all(map(_VERB.fullmatch, named)):
        return []
    known = AuditEvent.objects.known("verb") if any("." not in name for name in named) else []
    found = [
        verb for name in named for verb in (name, *(each for each in known if each.startswith(f"{name}.")))
    ]  # fmt: skip
    return list(dict.fromkeys(found))


def _came(kind: str) -> Callable[[str], str]:
    def known(text: str) -> str:
        return text if EventWords.objects.filter(BY_WAY, way=f"{kind}:{text}"[:200]).exists() else ""

    return known


def _token(text: str) -> str:
    is_number = text.isascii() and text.isdigit() and len(text) < 19
    return text if is_number and ApiToken.objects.filter(pk=text).exists() else _came("token")(text)


class HistoryFilter(Asked):
    rollout = Known(_rollout, later("There is no rollout «{written}»."), help_text="The rollout's slug.")
    object = Known(
        _object,
        later("«{written}» names no object. Write its kind and its number: Phase:12."),
        help_text="What it was done to: kind and number (Phase:12).",
    )
    actor = Known(
        _actor,
        later("Nobody called «{written}» is in the history, or has an account."),
        help_text="Who did it: the user name.",
    )
    verb = Known(
        _verbs,
        later("«{written}» is no verb. Write phase.start, phase for all of its kind, or several with commas."),
        help_text="A verb (phase.start), its first part (phase), or several with commas.",
    )
    source = OneOf(SOURCES, help_text="Where it was done.")
    token = Known(
        _token,
        later("There is no API token «{written}»: it is a number."),
        help_text="The number of the API token that it came by.",
    )
    session = Known(
        _came("session"),
        later("Nothing came by a session «{written}»."),
        help_text="The session that it came by, as events name it.",
    )
    os_user = Known(
        _came("os_user"),
        later("Nothing came by a command of the operating system's user «{written}»."),
        help_text="The operating system's user who typed the command.",
    )
    gitlab_user = Known(
        _came("gitlab_user"),
        later("No webhook named the GitLab user «{written}»."),
        help_text="Whom GitLab's webhook named.",
    )
    request = Text(help_text="The number of the request, as the log and X-Request-Id have it.")
    since = Moment(asked_since, help_text="A day or a time; without zone UTC.")
    until = Moment(asked_until, lookup_expr="lt", help_text="A time, or a day, which is then included.")
    q = Words(help_text="Words in names, people, reasons and values; all of them.")

    def __init__(self, query: Any, *, sees: bool = False, **kwargs: Any) -> None:
        super().__init__(query, AuditEvent.objects.all(), **kwargs)
        self.sees = sees

    def filter_queryset(self, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return self.look_up.events

    @cached_property
    def look_up(self) -> LookUp:
        conditions: list[list[Q]] = []
        if self["request"]:
            conditions.append([Q(request_id=self["request"])])
        if self["object"]:
            kind, pk = self["object"]
            conditions.append([Q(object_type=kind, object_id=pk)])
        if rollout := self["rollout"]:
            conditions.append([Q(rollout=rollout), Q(concerns=rollout)])
        said: list[str] = []
        if self["actor"]:
            conditions.append([Q(actor=self["actor"])])
            said += actor_in(self["actor"])
        if self["verb"]:
            conditions.append([Q(verb=verb) for verb in self["verb"]])
        if self["source"]:
            conditions.append([Q(source=self["source"])])
        ways = [f"{kind}:{self[kind]}" for kind in WAYS if self[kind]]
        if len(ways) > 1:  # each event came by one
            conditions.append([Q(pk=None)])
        return LookUp(
            conditions, self["since"] or None, self["until"] or None, self["q"] or (), "".join(ways[:1]), self.sees,
            said,
        )  # fmt: skip

    def find(self, limit: int, cursor: str = "after") -> Found:
        """A page of what fits; nothing where a filter was not understood, the first page where the cursor was not."""
        if any(self.filters[name].narrows for name in self.errors):
            return Found(Page([], "", ""))

        def page(at: str) -> Found:
            return Found(self.look_up.page(at, limit), self.look_up.count)

        return self.paged(page, cursor)
