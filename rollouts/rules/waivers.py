"""Waivers: going on without what the template lets go, because somebody asked and somebody else said yes, for a while.

Of three kinds: a phase that is optional is skipped, a checklist item that is waivable is gone without, drift that was
found is let stand, or taken over by the plan for good. Sources: DESIGN section 1 (G6: phase 1 is optional but
recommended); Cortex' waivers (requester, reason, days, approver, expired).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .approval_policy import Circle
from .blockers import Blocker, in_words
from .datetimes import day_and_clock
from .machine import Role
from .people import Person
from .phrases import Phrase, say

#: So long a waiver may last where the template says nothing else.
LONGEST = timedelta(days=90)


class WaiverState(StrEnum):
    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"
    EXPIRED = "expired"
    ADOPTED = "adopted"


W = WaiverState
WAIVER_WORDS: dict[WaiverState, Phrase] = {
    W.ASKED: say("asked for"),
    W.GRANTED: say("granted"),
    W.REFUSED: say("refused"),
    W.WITHDRAWN: say("withdrawn"),
    W.ENDED: say("ended early"),
    W.EXPIRED: say("run out"),
    W.ADOPTED: say("taken over by the plan"),
}
#: What a person does to one that is there, from which state, to which, and what a button is called.
VERBS: dict[str, tuple[W, W]] = {
    "grant": (W.ASKED, W.GRANTED),
    "refuse": (W.ASKED, W.REFUSED),
    "withdraw": (W.ASKED, W.WITHDRAWN),
    "end": (W.GRANTED, W.ENDED),
}
VERB_LABELS: dict[str, Phrase] = {
    "ask": say("Ask for a waiver"),
    "grant": say("Grant the waiver"),
    "refuse": say("Refuse the waiver"),
    "withdraw": say("Withdraw the waiver"),
    "end": say("End the waiver"),
}
#: Of one that adopts drift.
ADOPT_LABEL = say("Let the plan take it over")
#: Who decides is somebody else than who asked.
DECISIONS = frozenset({"grant", "refuse"})


@dataclass(frozen=True, slots=True)
class Waivable:
    """Who may grant a waiver, with one of these roles or in one of these groups, and for how long at most."""

    roles: frozenset[Role] = frozenset({Role.APPROVER})
    groups: frozenset[str] = frozenset()
    longest: timedelta = LONGEST

    def admits(self, person: Person) -> bool:
        """An admin always may."""
        return person.has(Role.ADMIN) or bool(person.roles & self.roles or person.groups & self.groups)

    @property
    def who(self) -> Phrase:
        return Circle(self.roles, self.groups).words

    def as_json(self) -> dict[str, Any]:
        return {
            "roles": sorted(role.value for role in self.roles),
            "groups": sorted(self.groups),
            "longest_seconds": int(self.longest.total_seconds()),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Waivable:
        """The inverse of ``as_json``."""
        roles = frozenset(Role(role) for role in kept["roles"])
        return cls(roles, frozenset(kept["groups"]), timedelta(seconds=kept["longest_seconds"]))


@dataclass(frozen=True, slots=True)
class WaiverFacts:
    """The newest waiver of a phase or an item that was ever granted; ``ends_at`` is until when."""

    pk: int
    state: str
    asked_by: str
    granted_by: str
    reason: str
    ends_at: datetime

    def stands(self, now: datetime) -> bool:
        return self.state == W.GRANTED and now < self.ends_at

    @property
    def where(self) -> str:
        return f"#waiver-{self.pk}"

    @property
    def words(self) -> Phrase:
        """«waived until 1 Dec 09:00 UTC: asked for by mia, granted by alice»"""
        return say(
            "waived until {at} UTC: asked for by {who}, granted by {other}",
            at=day_and_clock(self.ends_at),
            who=self.asked_by,
            other=self.granted_by,
        )

    @property
    def over_words(self) -> Phrase:
        return say("its waiver ended {at} UTC", at=day_and_clock(self.ends_at))


@dataclass(frozen=True, slots=True)
class Asked:
    """A waiver as somebody who would decide sees it. ``hand`` typed the command that asked."""

    state: str
    asked_by: str
    hand: str
    ends_at: datetime
    by_whom: Waivable


def blockers_of_asking(
    rule: Waivable | None, title: str, person: Person, now: datetime, *, reason: str, ends_at: datetime | None
) -> list[Blocker]:
    """Why this can't be asked for now; ``rule`` is None where the template lets nobody waive it."""
    blockers = []
    if not person.has(Role.MANAGER):
        message = say("Asking for a waiver takes the role manager; {by} has not got it.", by=person.name)
        blockers.append(Blocker("role", message))
    if rule is None:
        message = say("{title} can't be waived: the template says so.", title=title)
        return [*blockers, Blocker("not_waivable", message)]
    if not reason.strip():
        blockers.append(Blocker("reason_missing", say("A waiver needs a reason.")))
    if ends_at is None:
        blockers.append(Blocker("waiver_end", say("Say until when the waiver shall hold, as in 2026-12-31.")))
    elif ends_at <= now:
        message = say("The waiver would end {at} UTC: that is over.", at=day_and_clock(ends_at, with_year=True))
        blockers.append(Blocker("waiver_end", message))
    elif ends_at > now + rule.longest:
        message = say(
            "The template lets it be waived for {length} at most: until {at} UTC.",
            length=in_words(rule.longest),
            at=day_and_clock(now + rule.longest, with_year=True),
        )
        blockers.append(Blocker("waiver_end", message))
    return blockers


def blockers_of_deciding(verb: str, waiver: Asked, person: Person, now: datetime, *, note: str) -> list[Blocker]:
    """Every reason why this person can't ``grant``, ``refuse``, ``withdraw`` or ``end`` it now."""
    source, _ = VERBS[verb]
    if verb in DECISIONS:
        blockers = blockers_of_granter(waiver, person)
    else:
        manages = person.has(Role.MANAGER) or waiver.by_whom.admits(person)
        message = say("{label} takes the role manager; {by} has not got it.", label=VERB_LABELS[verb], by=person.name)
        blockers = [] if manages else [Blocker("role", message)]
    if waiver.state != source:
        message = say("The waiver is {state} by now.", state=WAIVER_WORDS[WaiverState(waiver.state)])
        return [*blockers, Blocker("state", message)]
    if verb == "grant" and waiver.ends_at <= now:
        message = say("The waiver was asked for until {at} UTC: that is over. It must be asked for again.",
                      at=day_and_clock(waiver.ends_at))  # fmt: skip
        blockers.append(Blocker("waiver_end", message))
    if verb in ("refuse", "end") and not note.strip():
        blockers.append(Blocker("reason_missing", say("{label} needs a reason.", label=VERB_LABELS[verb])))
    return blockers


def blockers_of_granter(waiver: Asked, person: Person) -> list[Blocker]:
    """The four eyes, as of approvals: neither who asked, nor whose hand typed it, nor whose account it could be."""
    blockers = []
    if not waiver.by_whom.admits(person):
        message = say("Only {these} may grant it; {who} is not among them.", these=waiver.by_whom.who, who=person.name)
        blockers.append(Blocker("role", message))
    asked = {waiver.asked_by, waiver.hand} - {""}
    if person.identity in asked or waiver.asked_by == person.hand:
        message = say("{who} asked for it: somebody else must decide.", who=waiver.asked_by)
        blockers.append(Blocker("four_eyes", message))
    elif twin := min(asked.intersection(person.twins), default=""):
        message = say("{who} is {other} too, and asked for it: somebody else must decide.", who=person.name, other=twin)
        blockers.append(Blocker("four_eyes", message))
    return [*blockers, *person.own_voice(), *person.hands_of(asked)]
