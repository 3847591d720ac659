"""Requests for approval: who has approved, whose word counts, and whether what was approved is what would be done now.

Sources: DESIGN section 4; GitLab's deployment approvals (one approval per person, approving runs nothing); the peers'
side door of an approval that survives an edit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from . import ways
from .approval_policy import Policy, Target
from .blockers import Blocker, in_words
from .machine import Role
from .people import Person
from .phrases import Phrase, joined, listed, say, say_n


class RequestState(StrEnum):
    """A request is open, granted, or over in one of five ways."""

    OPEN = "open"
    GRANTED = "granted"
    USED = "used"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    DROPPED = "dropped"


REQUEST_WORDS: dict[RequestState, Phrase] = {
    RequestState.OPEN: say("open"),
    RequestState.GRANTED: say("granted"),
    RequestState.USED: say("used"),
    RequestState.REJECTED: say("rejected"),
    RequestState.WITHDRAWN: say("withdrawn"),
    RequestState.EXPIRED: say("expired"),
    RequestState.DROPPED: say("dropped"),
}
#: Codes of blockers that looking at the request clears.
UNSEEN = frozenset({"not_looked_at", "void"})
STANDING = frozenset({RequestState.OPEN, RequestState.GRANTED})


@dataclass(frozen=True, slots=True)
class Given:
    """One approval: by whom, for which content, and with which roles and groups that person stands today.

    ``twins`` are other names of that person. ``source`` and ``way`` say how it came; ``hand`` is who typed it, where it
    came by a command.
    """

    by: str
    at: datetime
    digest: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    twins: frozenset[str] = frozenset()
    source: str = ""
    way: Mapping[str, Any] = field(default_factory=dict, hash=False)
    hand: str = ""

    @property
    def came(self) -> Phrase:
        """«on a page, session 3f9a1c, signed in 28 Nov 14:02 UTC»"""
        return ways.in_words(self.source, self.way)


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A standing request. ``digest`` is what was asked for; ``stands`` is the digest of ``content``: what would be
    done now. ``policy`` is the stricter of the one at asking and the one now; ``hand`` typed the command that asked.

    ``waited`` is the working time that it waited for an answer before ``waiting_since`` (None: it is back with who
    asked), ``reminders`` how often its approvers were reminded.
    """

    pk: int
    state: str
    target: Target | None
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    digest: str
    stands: str
    policy: Policy
    authors: frozenset[str] = frozenset()
    given: tuple[Given, ...] = ()
    changed: tuple[str, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict, hash=False)
    hand: str = ""
    came: str = ""
    waiting_since: datetime | None = None
    waited: timedelta = timedelta(0)
    reminders: int = 0
    first_answer_after: timedelta | None = None
    decided_after: timedelta | None = None

    def is_expired(self, now: datetime) -> bool:
        return now >= self.expires_at

    def counts(self, one: Given) -> bool:
        """Whether an approval is for what would be done now, by somebody who still may."""
        return one.digest == self.stands and not self.why_not(one.by, one.roles, one.groups, one.hand, one.twins)

    def counting(self) -> tuple[Given, ...]:
        """The approvals that count now, one for each person."""
        counted: dict[str, Given] = {}
        for one in self.given:
            if self.counts(one) and not one.twins.intersection(counted):
                counted.setdefault(one.by, one)
        return tuple(counted.values())

    def is_granted(self, now: datetime) -> bool:
        return not self.is_expired(now) and len(self.counting()) >= self.policy.needed

    def missing(self) -> int:
        return max(0, self.policy.needed - len(self.counting()))

    def why_not(
        self,
        who: str,
        roles: frozenset[Role],
        groups: frozenset[str],
        hand: str = "",
        twins: Collection[str] = frozenset(),
    ) -> list[Blocker]:
        """Why this person's approval does not count: the role, or one of the four eyes.

        ``twins`` are other names of the same human. ``hand`` is who types the command that names the person: who asked
        can't approve by naming somebody else, nor who named somebody else when they asked.
        """
        blockers = []
        if not self.policy.admits(roles, groups):
            blockers.append(
                Blocker(
                    "role", say("Only {these} may approve it; {who} is not among them.", these=self.policy.who, who=who)
                )
            )
        if who == self.requested_by and not self.policy.requester_may:
            blockers.append(Blocker("four_eyes", say("{who} asked for it: somebody else must approve.", who=who)))
        elif not self.policy.requester_may and self.requested_by == hand:
            blockers.append(
                Blocker("four_eyes", say("{hand} asked for it and types this: somebody else must approve.", hand=hand))
            )
        elif not self.policy.requester_may and who == self.hand:
            message = say("{who} asked for it in the name of {other}: somebody else must approve.", who=who,
                       other=self.requested_by)  # fmt: skip
            blockers.append(Blocker("four_eyes", message))
        elif who in self.authors and not self.policy.author_may:
            blockers.append(Blocker("four_eyes", say("{who} wrote the plan: somebody else must approve.", who=who)))
        elif twin := self._same_human(twins):
            message = say(
                "{who} is {other} too, and had a hand in it: somebody else must approve.", who=who, other=twin
            )
            blockers.append(Blocker("four_eyes", message))
        return blockers

    def _same_human(self, twins: Collection[str]) -> str:
        """Which of these asked for it or wrote the plan, where that counts; empty where none did."""
        hands = set() if self.policy.requester_may else {self.requested_by, self.hand}
        hands |= set() if self.policy.author_may else self.authors
        return min(hands.intersection(twins), default="")


def blockers_of_approver(request: RequestFacts, person: Person) -> list[Blocker]:
    """Why this person is none of those who may decide it, whatever they have looked at and however they came."""
    return [
        *request.why_not(person.identity, person.roles, person.groups, person.hand, person.twins),
        *person.own_voice(),
        *person.hands_of({request.requested_by, request.hand, *request.authors}),
    ]


def blockers_of_approval(
    request: RequestFacts, person: Person, now: datetime, *, seen: str, where: str
) -> list[Blocker]:
    """Every reason why this person can't approve the request now; ``seen`` is the digest that they looked at."""
    blockers = [Blocker(blocker.code, blocker.message, where) for blocker in blockers_of_approver(request, person)]
    blockers += person.shown_within(request.policy.reauthenticate, now)
    if request.state == RequestState.GRANTED:
        blockers.append(Blocker("granted", say("It has all approvals that it needs."), where))
    if request.is_expired(now):
        ago = in_words(now - request.expires_at)
        blockers.append(
            Blocker("expired", say("The request expired {ago} ago. It must be asked for again.", ago=ago), where)
        )
    blockers += unseen(request, seen, where)
    if any(one.by in (person.identity, *person.twins) and one.digest == request.stands for one in request.given):
        more = request.missing()
        messages = [say("{person} has approved it already.", person=person.name)]
        messages += [say_n("{n} more must approve.", "{n} more must approve.", more)] if more else []
        blockers.append(Blocker("decided", joined(messages), where))
    return blockers


def unseen(request: RequestFacts, seen: str, where: str) -> list[Blocker]:
    """Who decides has looked: ``seen`` is the digest of what they saw, and that is what stands."""
    if not seen:
        message = say("Say what you looked at: the digest of the request, as the request tells it ({digest}).",
                   digest=request.stands)  # fmt: skip
        return [Blocker("not_looked_at", message, where)]
    if seen != request.stands:
        words = joined(request.changed) or say("Look at it again.")
        return [Blocker("void", say("It has changed since you looked at it. {changes}", changes=words), where)]
    return []


def blockers_of_use(request: RequestFacts | None, wanted: Target | None, policy: Policy | None, now: datetime,
                    title: str, where: str) -> list[Blocker]:  # fmt: skip
    """Why a start or a step is not approved as it would be done now; an empty list means it is."""
    if policy is None:
        return []
    what = wanted.words(title) if wanted else title
    if request is None or request.target is None or not _same(request.target, wanted):
        return [
            Blocker(
                "approval_missing", say("{what} needs {policy}. Ask for it.", what=what, policy=policy.words), where
            )
        ]
    if request.is_expired(now):
        return [
            Blocker(
                "approval_expired", say("The approval of «{what}» has expired. Ask for it again.", what=what), where
            )
        ]
    if request.is_granted(now):
        return []
    void = [one.by for one in request.given if one.digest != request.stands]
    left = [one.by for one in request.given if one.digest == request.stands and one not in request.counting()]
    if void:
        words = joined(request.changed)
        message = say(
            "What {names} approved has changed. {changes} Approvers are asked again.", names=_names(void), changes=words
        )
        return [Blocker("approval_void", message, where)]
    if left:
        return [
            Blocker(
                "approval_lost", say("{names} may no longer approve it: somebody else must.", names=_names(left)), where
            )
        ]
    stand = len(request.counting())
    return [
        Blocker(
            "approval_missing",
            say("«{what}» has {stand} of {needed} approvals.", what=what, stand=stand, needed=policy.needed),
            where,
        )
    ]


def _same(one: Target, two: Target | None) -> bool:
    return two is not None and (one.is_start, one.percentage) == (two.is_start, two.percentage)


def _names(people: Iterable[str]) -> str:
    return listed(sorted(set(people)))
