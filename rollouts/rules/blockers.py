"""One reason why a transition may not happen now, in words, with the place that clears it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from .phrases import Phrase, joined, later, say

#: In an address that clears a blocker: the page that somebody comes from.
HERE = "{here}"


@dataclass(frozen=True, slots=True)
class Blocker:
    """``where`` is the part of the rollout's page that clears it (``#checklist``) or a path of the portal."""

    code: str
    message: str
    where: str = ""

    def url(self, page: str, here: str = "") -> str:
        """The address that clears it: a page of its own, or a place on the rollout's ``page`` where there is one.

        ``here`` is where to come back to, if that is another page than the rollout's.
        """
        if HERE in self.where:
            return self.where.replace(HERE, here or page or "/")
        return self.where if self.where.startswith("/") else f"{page}{self.where}" if page else ""

    def as_json(self, page: str) -> dict[str, str]:
        """As the API and commands tell it."""
        return {"code": self.code, "message": self.message, "url": self.url(page)}


#: Blockers that an admin may override at start and advance, with a reason. Never four eyes and
#: approvals, never the role.
OVERRIDABLE = frozenset(
    {
        "item_open",
        "earlier_phase_open",
        "flag_missing",
        "flag_ahead",
        "flag_shared",
        "reading_stale",
        "not_confirmed",
        "soak",
        "capacity_short",
        "capacity_unknown",
        "actors_unresolved",
        "change_lock",
        "locks_unknown",
        "waiver_over",
        "after",
        "not_with",
    }
)
#: Blockers of what was written, which no time or person clears: it has to be written anew.
WRITTEN = frozenset(
    {
        "title_missing",
        "name_missing",
        "name_long",
        "name",
        "time",
        "zone",
        "instance",
        "calendar",
        "host",
        "query",
        "expired",
        "kind",
        "when",
        "language",
        "hour",
        "quiet",
        "how",
        "not_written",
        "waiver_end",
    }
)


UNITS = ((later("{n} d"), 86_400), (later("{n} h"), 3_600), (later("{n} min"), 60), (later("{n} s"), 1))


def in_words(span: timedelta, units: int = 2) -> Phrase:
    """A duration as people say it, two units at most: «1 d 4 h», «12 min», «40 s»."""
    left, parts = max(0, int(span.total_seconds())), []
    for template, length in UNITS:
        count, left = divmod(left, length)
        parts.append((template, count))
    first = next((place for place, (_, count) in enumerate(parts) if count), len(parts) - 1)
    shown = parts[first : first + units]
    messages = [say(template, n=count) for place, (template, count) in enumerate(shown) if count or not place]
    return messages[0] if len(messages) == 1 else joined(messages)
