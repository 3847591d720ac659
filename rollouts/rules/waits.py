"""What a phase's time was spent on, out of how it stood from moment to moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from .locks import Window
from .machine import PhaseState
from .phrases import Phrase, say


class Spent(StrEnum):
    """What time was spent on, in the order in which a phase meets it."""

    CHECKLIST = "checklist"
    APPROVAL = "approval"
    LOCK = "lock"
    GITLAB = "gitlab"
    SOAK = "soak"
    HELD = "held"


SPENT_WORDS: dict[Spent, Phrase] = {
    Spent.CHECKLIST: say("checklist, until it was asked for"),
    Spent.APPROVAL: say("waiting for approval"),
    Spent.LOCK: say("change lock"),
    Spent.GITLAB: say("waiting for GitLab"),
    Spent.SOAK: say("soak"),
    Spent.HELD: say("held, or waiting for a hand"),
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """How one phase stood for a while, while it was its turn. ``soaked_at``: when its soak is over, if it is confirmed;
    ``is_asked``: somebody was asked to approve."""

    phase: str
    since: datetime
    until: datetime
    state: str
    soaked_at: datetime | None = None
    is_asked: bool = False


def spent(stretches: Iterable[Stretch], locks: Sequence[Window]) -> dict[tuple[str, Spent], timedelta]:
    """By phase and what it was spent on; the parts are the whole. ``locks`` are in order and do not overlap."""
    total: defaultdict[tuple[str, Spent], timedelta] = defaultdict(timedelta)
    for each in stretches:
        for what, since, until in _parts(each):
            locked = timedelta(0)
            if what is Spent.HELD:
                inside = (min(until, lock.ends_at) - max(since, lock.starts_at) for lock in locks)
                locked = sum((part for part in inside if part > timedelta(0)), timedelta(0))
                total[each.phase, Spent.LOCK] += locked
            total[each.phase, what] += until - since - locked
    return {key: length for key, length in total.items() if length}


def _parts(each: Stretch) -> Iterable[tuple[Spent, datetime, datetime]]:
    since, until = each.since, each.until
    if each.is_asked or each.state == PhaseState.REQUESTED:
        yield Spent.APPROVAL, since, until
    elif each.state == PhaseState.PLANNED:
        yield Spent.CHECKLIST, since, until
    elif each.state != PhaseState.ACTIVE:
        yield Spent.HELD, since, until
    elif each.soaked_at is None:
        yield Spent.GITLAB, since, until
    else:
        soaked = min(max(each.soaked_at, since), until)
        yield Spent.SOAK, since, soaked
        yield Spent.HELD, soaked, until


def usual(histories: Sequence[Mapping[tuple[str, Spent], timedelta]]) -> dict[tuple[str, Spent], timedelta]:
    """The median of each part over rollouts; one that spent nothing on it counts with nothing."""
    keys = {key for history in histories for key in history}
    zero = timedelta(0)
    return {
        key: timedelta(seconds=median(history.get(key, zero).total_seconds() for history in histories)) for key in keys
    }
