"""One reason why a transition may not happen now, in words, with the place that clears it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


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


def in_words(span: timedelta) -> str:
    """A duration as people say it, two units at most: «1 d 4 h», «12 min», «40 s»."""
    left = max(0, int(span.total_seconds()))
    parts: list[str] = []
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {name}")
            left %= size
        elif parts:
            break
    return " ".join(parts) or "0 s"
