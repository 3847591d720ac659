"""Somebody is away, and somebody else is asked instead. It gives no right: who stands in needs the role themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .blockers import Blocker
from .datetimes import day_and_clock
from .machine import ROLE_WORDS, Role
from .phrases import listed, say

LONGEST = timedelta(days=366)
#: Roles by which somebody is asked to do something.
ASKED = frozenset({Role.MANAGER, Role.APPROVER, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Away:
    """``person`` is away from ``begins_at`` until just before ``ends_at``, and ``instead`` is asked; names."""

    person: str
    instead: str
    begins_at: datetime
    ends_at: datetime

    def holds(self, at: datetime) -> bool:
        return self.begins_at <= at < self.ends_at

    def overlaps(self, other: Away) -> bool:
        return self.begins_at < other.ends_at and other.begins_at < self.ends_at


def stand_ins(absences: Iterable[Away], now: datetime) -> dict[str, str]:
    """Whoever is away now, with who is asked instead: where that one is away too, the next. Nobody who is away is asked
    instead of anybody; where all are away, each is asked themselves."""
    first = {each.person: each.instead for each in absences if each.holds(now)}
    found = {}
    for person in first:
        instead, seen = first[person], {person}
        while instead in first and instead not in seen:
            seen.add(instead)
            instead = first[instead]
        if instead not in first:
            found[person] = instead
    return found


def blockers_of_away(
    wanted: Away, known: Collection[Away], roles: frozenset[Role], instead_roles: frozenset[Role], now: datetime
) -> list[Blocker]:
    """Why somebody can't be asked instead then. ``known`` are all absences that are not over."""
    blockers = []
    who, instead = wanted.person, wanted.instead
    if wanted.ends_at <= wanted.begins_at or wanted.ends_at <= now:
        blockers.append(Blocker("time", say("It ends before it begins, or is over already. Write later days.")))
    elif wanted.ends_at - max(wanted.begins_at, now) > LONGEST:
        blockers.append(Blocker("time", say("Nobody is away for longer than a year. Write an earlier last day.")))
    if who == instead:
        blockers.append(Blocker("name", say("Nobody stands in for themselves. Name somebody else.")))
    needed = roles & ASKED
    if not needed:
        blockers.append(Blocker("not_asked", say("{who} is asked for nothing: nobody need stand in.", who=who)))
    lacking = frozenset() if Role.ADMIN in instead_roles else needed - instead_roles
    if lacking:
        words = listed([ROLE_WORDS[role] for role in sorted(lacking)])
        message = say("{instead} has not the role of {who}: {roles}. Name somebody who has.", instead=instead, who=who,
                       roles=words)  # fmt: skip
        blockers.append(Blocker("name", message))
    for other in known:
        if other.person == who and other.overlaps(wanted):
            message = say(
                "{who} is away then already, until {until} UTC. End that first, or choose other days.",
                who=who,
                until=day_and_clock(other.ends_at),
            )
            blockers.append(Blocker("away_already", message))
            break
    if who != instead and (through := _circle(wanted, known)):
        message = say("{instead} is away then too, and in the end {who} would be asked again, by way of {names}. Name "
                       "somebody else.", instead=instead, who=who, names=listed(through))  # fmt: skip
        blockers.append(Blocker("circle", message))
    return blockers


def _circle(wanted: Away, known: Collection[Away]) -> list[str]:
    """By whom it would come back to who is away, at some moment of it; empty where it does not."""
    ways: list[tuple[str, list[str]]] = [(wanted.instead, [wanted.instead])]
    seen = {wanted.instead}
    while ways:
        at, through = ways.pop()
        for each in known:
            if each.person != at or not each.overlaps(wanted):
                continue
            if each.instead == wanted.person:
                return through
            if each.instead not in seen:
                seen.add(each.instead)
                ways.append((each.instead, [*through, each.instead]))
    return []
