"""One reason why a transition may not happen now, in words, with the place that clears it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from .words import Phrase, joined, say


@dataclass(frozen=True, slots=True)
class Blocker:
    """``where`` is the part of the rollout's page that clears it (``#checklist``) or a path of the portal."""

    code: str
    message: str
    where: str = ""


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
    }
)


def in_words(span: timedelta, units: int = 2) -> Phrase:
    """A duration as people say it, two units at most: «1 d 4 h», «12 min», «40 s»."""
    days, left = divmod(max(0, int(span.total_seconds())), 86_400)
    hours, left = divmod(left, 3_600)
    minutes, seconds = divmod(left, 60)
    parts = [
        (days, say("{n} d", n=days)),
        (hours, say("{n} h", n=hours)),
        (minutes, say("{n} min", n=minutes)),
        (seconds, say("{n} s", n=seconds)),
    ]
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    said = [words for place, (count, words) in enumerate(parts[first : first + units]) if count or not place]
    return said[0] if len(said) == 1 else joined(said)
