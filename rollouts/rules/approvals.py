"""Approvals: how many must approve what, who may, and whether what was approved is still what would be done.

Sources: DESIGN section 4; GitLab's deployment approvals (one approval per person, approving runs nothing); the peers'
side doors (an approval that survives an edit, a quorum of nobody, an approver who is the requester).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .blockers import Blocker, in_words
from .expected import Audience, Opening
from .exposure import Exposure
from .machine import ROLES_WORDS, Role
from .people import Person
from .words import Phrase, any_of, joined, listed, say, say_n

LIVES = timedelta(days=14)
#: A step that raises the share of people by more points than this needs a second approver.
JUMP_POINTS = 25
HALF = 50


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
STANDING = frozenset({RequestState.OPEN, RequestState.GRANTED})


@dataclass(frozen=True, slots=True)
class Policy:
    """Who must agree. ``needed`` is at least 1; a person counts with one of the roles or named groups."""

    needed: int = 1
    roles: frozenset[Role] = frozenset({Role.APPROVER})
    groups: frozenset[str] = frozenset()
    requester_may: bool = False
    author_may: bool = False
    lives: timedelta = LIVES

    def __post_init__(self) -> None:
        if self.needed < 1:
            raise ValueError("a policy needs at least one approval")

    def admits(self, roles: frozenset[Role], groups: frozenset[str]) -> bool:
        """Whether somebody with these roles and groups may approve; an admin always may."""
        return bool(Role.ADMIN in roles or roles & self.roles or groups & self.groups)

    @property
    def who(self) -> str:
        roles = [ROLES_WORDS[role] for role in sorted(self.roles)]
        return any_of([*roles, *(say("the group {name}", name=name) for name in sorted(self.groups))])

    @property
    def words(self) -> str:
        """«2 approvals by approvers, within 14 d»."""
        extra = [
            words
            for words, may in (
                (say("who asks may approve too"), self.requester_may),
                (say("who wrote the plan may approve too"), self.author_may),
            )
            if may
        ]
        said = say_n(
            "{n} approval by {who}, within {length}",
            "{n} approvals by {who}, within {length}",
            self.needed,
            who=self.who,
            length=in_words(self.lives),
        )
        return joined([said, *extra], "; ") if extra else said

    def as_json(self) -> dict[str, object]:
        return {
            "needed": self.needed,
            "roles": sorted(self.roles),
            "groups": sorted(self.groups),
            "requester_may": self.requester_may,
            "author_may": self.author_may,
            "lives_seconds": int(self.lives.total_seconds()),
        }


@dataclass(frozen=True, slots=True)
class StepRule:
    """Steps of at least so many per cent need a request of their own, with this many approvals."""

    at_least: int
    needed: int


@dataclass(frozen=True, slots=True)
class PhasePolicy:
    """The approvals of one phase: its start, its later steps, and jumps."""

    start: Policy = Policy()
    steps: tuple[StepRule, ...] = (StepRule(HALF, 2),)
    jump_points: int = JUMP_POINTS
    jump_needed: int = 2

    def for_target(self, target: Target) -> Policy | None:
        """What a start or a step needs; None where the phase's own approval covers it."""
        rules = [rule.needed for rule in self.steps if (target.percentage or 0) >= rule.at_least]
        needed = max(rules, default=0)
        if target.points > self.jump_points or target.passes_over:
            needed = max(needed, self.jump_needed)
        if target.is_start:
            needed = max(needed, self.start.needed)
        return replace(self.start, needed=needed) if needed else None

    def words(self, *, has_ramp: bool) -> str:
        """«The start: 1 approval by approvers, within 14 d. Each step of at least 50 %: 2 approvals. …»"""
        said = [say("The start: {start}.", start=self.start.words)]
        if not has_ramp:
            return said[0]
        said += [
            say_n(
                "Each step of at least {at_least} %: {n} approval.",
                "Each step of at least {at_least} %: {n} approvals.",
                rule.needed,
                at_least=rule.at_least,
            )
            for rule in self.steps
        ]
        jump = say(
            "A step of more than {points} points, or past planned steps: {needed}.",
            points=self.jump_points,
            needed=self.jump_needed,
        )
        return joined([*said, jump])


#: Where nothing else is said: one approver, two for each step from 50 %.
USUAL = PhasePolicy()


def default_for(audience: str) -> PhasePolicy:
    """Where a template says nothing: one for named people; two for groups and for each step from 50 %."""
    return PhasePolicy(Policy(needed=2 if audience == Audience.GROUPS else 1))


@dataclass(frozen=True, slots=True)
class Target:
    """What a start or a step would do: from which exposure to which.

    ``percentage`` is the step's, 100 where everyone is let in at once, None for named people and groups; ``points``
    is by how many per cent points the share of people rises.
    """

    is_start: bool
    percentage: int | None
    before: Exposure
    after: Exposure
    passes_over: tuple[int, ...] = ()

    @property
    def points(self) -> float:
        return max(0.0, (self.after.least_reach - self.before.least_reach) * 100)

    def words(self, title: str) -> str:
        """«Start All users at 1 %», «All users to 50 %»."""
        if not self.is_start:
            return say("{title} to {percentage} %", title=title, percentage=self.percentage)
        if self.percentage:
            return say("Start {title} at {percentage} %", title=title, percentage=self.percentage)
        return say("Start {title}", title=title)

    def words_to_approve(self, title: str) -> str:
        """«Approve the start of All users at 1 %»: what an approver's button and the portfolio say."""
        if not self.is_start:
            return say("Approve {title} to {percentage} %", title=title, percentage=self.percentage)
        if self.percentage:
            return say("Approve the start of {title} at {percentage} %", title=title, percentage=self.percentage)
        return say("Approve the start of {title}", title=title)


def target(opening: Opening, before: Exposure, *, is_start: bool, to: int | None = None) -> Target | None:
    """The next start or step of a phase that opens so; ``to`` names a later step. None where there is no such step.

    ``before`` is what is expected now, of all phases.
    """
    if opening.audience is not Audience.PERCENTAGE or opening.ramp is None:
        if not is_start or to is not None:
            return None
        percentage = 100 if opening.audience is Audience.ALL_AT_ONCE else None
        return Target(True, percentage, before, before.plus(opening.at(None)))
    stands_at = None if is_start else opening.step
    following = opening.ramp.after(stands_at)
    wanted = following.percentage if following and to is None else to
    left = [step.percentage for step in opening.ramp.steps if stands_at is None or step.percentage > stands_at]
    if wanted is None or wanted not in left:
        return None
    passed = tuple(percentage for percentage in left if percentage < wanted)
    return Target(is_start, wanted, before, before.plus(opening.at(wanted)), passed)


@dataclass(frozen=True, slots=True)
class Given:
    """One approval: by whom, for which content, and with which roles and groups that person stands today."""

    by: str
    at: datetime
    digest: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A standing request. ``digest`` is what was asked for; ``stands`` is the digest of ``content``: what would be
    done now."""

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

    def is_expired(self, now: datetime) -> bool:
        return now >= self.expires_at

    def counts(self, one: Given) -> bool:
        """Whether an approval is for what would be done now, by somebody who still may."""
        return one.digest == self.stands and not self.why_not(one.by, one.roles, one.groups)

    def counting(self) -> tuple[Given, ...]:
        """The approvals that count now, one for each person."""
        counted: dict[str, Given] = {}
        for one in self.given:
            if self.counts(one):
                counted.setdefault(one.by, one)
        return tuple(counted.values())

    def is_granted(self, now: datetime) -> bool:
        return not self.is_expired(now) and len(self.counting()) >= self.policy.needed

    def missing(self) -> int:
        return max(0, self.policy.needed - len(self.counting()))

    def why_not(self, who: str, roles: frozenset[Role], groups: frozenset[str]) -> list[Blocker]:
        """Why this person's approval does not count: the role, or one of the four eyes."""
        found = []
        if not self.policy.admits(roles, groups):
            found.append(
                Blocker(
                    "role", say("Only {these} may approve it; {who} is not among them.", these=self.policy.who, who=who)
                )
            )
        if who == self.requested_by and not self.policy.requester_may:
            found.append(Blocker("four_eyes", say("{who} asked for it: somebody else must approve.", who=who)))
        elif who in self.authors and not self.policy.author_may:
            found.append(Blocker("four_eyes", say("{who} wrote the plan: somebody else must approve.", who=who)))
        return found


def blockers_of_approval(
    request: RequestFacts, person: Person, now: datetime, *, seen: str, where: str
) -> list[Blocker]:
    """Every reason why this person can't approve the request now; ``seen`` is the digest that they looked at."""
    found = [
        Blocker(blocker.code, blocker.message, where)
        for blocker in request.why_not(person.identity, person.roles, person.groups)
    ]
    if request.state == RequestState.GRANTED:
        found.append(Blocker("granted", say("It has all approvals that it needs."), where))
    if request.is_expired(now):
        ago = in_words(now - request.expires_at)
        found.append(
            Blocker("expired", say("The request expired {ago} ago. It must be asked for again.", ago=ago), where)
        )
    if (seen or request.digest) != request.stands:
        words = joined(request.changed) or say("Look at it again.")
        found.append(Blocker("void", say("It has changed since you looked at it. {changes}", changes=words), where))
    if any(one.by == person.identity and one.digest == request.stands for one in request.given):
        more = request.missing()
        said = [say("{person} has approved it already.", person=person.name)]
        said += [say_n("{n} more must approve.", "{n} more must approve.", more)] if more else []
        found.append(Blocker("decided", joined(said), where))
    return found


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
        said = say(
            "What {names} approved has changed. {changes} Approvers are asked again.", names=_names(void), changes=words
        )
        return [Blocker("approval_void", said, where)]
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
