"""Events as marks of the exposure picture; those too near to each other are one that says how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import ngettext

from ...models import AuditEvent
from ...rules.phrases import spoken
from ..presenters import history
from ..presenters.datetimes import with_zone
from .lanes import EVENTS, WIDTH
from .scale import Scale, number

#: A letter of the words above a mark takes about so much.
BOLD = 7.6
#: So many letters fit into the picture.
FULL = int((WIDTH - 8) / BOLD)
#: Marks nearer than this are drawn as one.
MARK = 15.0
ON = frozenset({"start", "advance", "resume", "complete", "ended", "freed"})
BACK = frozenset({"roll_back", "pause", "reject", "began", "held", "unconfirmed", "abandon"})


@dataclass(frozen=True, slots=True)
class EventMark:
    """One event, or several so near to each other that they are drawn as one. ``href`` is its row in the table."""

    x: str
    y: str
    points: str
    count: int
    look: str
    href: str
    words: str
    shown: str
    shown_x: str


def marks_of(events: Sequence[AuditEvent], axis: Scale, since: datetime) -> tuple[EventMark, ...]:
    """Events as marks, oldest first; those too near to each other as one that says how many."""
    groups: list[list[AuditEvent]] = []
    for event in sorted((event for event in events if event.at >= since), key=lambda event: (event.at, event.pk)):
        if groups and axis(event.at) - axis(groups[-1][0].at) < MARK:
            groups[-1].append(event)
        else:
            groups.append([event])
    return tuple(_mark(group, axis) for group in groups)


def _mark(group: list[AuditEvent], axis: Scale) -> EventMark:
    x = (axis(group[0].at) + axis(group[-1].at)) / 2
    sentences = [f"{spoken(history.who(event))} {spoken(history.sentence(event))}" for event in group]
    looks = {_look(event) for event in group}
    look = next((each for each in ("back", "on") if each in looks), "talk")
    when = with_zone(group[-1].at)
    shown = f"{when} · {sentences[-1]}"
    if len(group) > 1:
        more = ngettext("and %(count)s more", "and %(count)s more", len(group) - 1) % {"count": len(group) - 1}
        shown = f"{_cut(shown, FULL - len(more) - 3)} · {more}"
    shown = _cut(shown, FULL)
    shown_width = len(shown) * BOLD
    return EventMark(
        x=number(x),
        y=number(EVENTS + 4),
        points=_glyph(x, look),
        count=len(group) if len(group) > 1 else 0,
        look=look,
        href=f"#event-{group[-1].pk}",
        words=f"{when}: {_whole(sentences[::-1], 300)}",
        shown=shown,
        shown_x=number(min(max(x - shown_width / 2, 4.0), max(4.0, WIDTH - shown_width - 4))),
    )


def _look(event: AuditEvent) -> str:
    verb = event.verb.partition(".")[2]
    return "back" if verb in BACK else "on" if verb in ON else "talk"


def _glyph(x: float, look: str) -> str:
    """A triangle up for what went on, down for what went back, a diamond for what was sentences."""
    shapes = {
        "on": ((-7, 6), (0, -7), (7, 6)),
        "back": ((-7, -6), (0, 7), (7, -6)),
        "talk": ((-6, 0), (0, -6), (6, 0), (0, 6)),
    }
    return " ".join(f"{number(x + dx)},{number(EVENTS + dy)}" for dx, dy in shapes[look])


def _whole(sentences: Sequence[str], most: int) -> str:
    """As many sentences as there is room for, none of them cut but a single one that is too long."""
    shown = _cut(sentences[0], most)
    for sentence in sentences[1:]:
        if len(shown) + len(sentence) + 2 > most:
            return f"{shown}; …"
        shown = f"{shown}; {sentence}"
    return shown


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"
