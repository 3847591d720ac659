"""Approval policies: what a start or a step would do, and how many of whom must agree to it.

Sources: DESIGN section 4; GitLab's deployment approvals; the peers' side doors (a quorum of nobody, an approver who is
the requester).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from .blockers import in_words
from .expected import Audience, Opening
from .exposure import Exposure
from .machine import ROLES_WORDS, Role
from .percentages import FULL, NOTHING, plain_number
from .phrases import Phrase, any_of, invalid, joined, say, say_n

LIVES = timedelta(days=14)
#: A step that raises the share of people by more points than this needs a second approver.
JUMP_POINTS = Decimal(25)
HALF = Decimal(50)


@dataclass(frozen=True, slots=True)
class Circle:
    """People with one of these roles, or in one of these groups."""

    roles: frozenset[Role]
    groups: frozenset[str]

    @property
    def words(self) -> Phrase:
        roles = [ROLES_WORDS[role] for role in sorted(self.roles)]
        return any_of([*roles, *(say("the group {name}", name=name) for name in sorted(self.groups))])

    def as_json(self) -> dict[str, Any]:
        return {"roles": sorted(role.value for role in self.roles), "groups": sorted(self.groups)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Circle:
        """The inverse of ``as_json``."""
        return cls(frozenset(Role(role) for role in kept["roles"]), frozenset(kept["groups"]))


@dataclass(frozen=True, slots=True)
class Policy:
    """Who must agree. ``needed`` is at least 1; a person counts with one of the roles or named groups.

    ``reauthenticate``: who approves has shown within this time who they are, by a sign-in.
    ``decide_within``: the working time in which it should be decided; approvers are reminded at half of it and at its
    end. ``also`` are further roles and groups of which the person must have one too: of a policy that was edited, the
    stricter of before and now counts.
    """

    needed: int = 1
    roles: frozenset[Role] = frozenset({Role.APPROVER})
    groups: frozenset[str] = frozenset()
    requester_may: bool = False
    author_may: bool = False
    lives: timedelta = LIVES
    reauthenticate: timedelta | None = None
    decide_within: timedelta | None = None
    also: tuple[Circle, ...] = ()

    def __post_init__(self) -> None:
        if self.needed < 1:
            raise invalid("a policy needs at least one approval")

    def admits(self, roles: frozenset[Role], groups: frozenset[str]) -> bool:
        """Whether somebody with these roles and groups may approve; an admin always may."""
        if Role.ADMIN in roles:
            return True
        return all(roles & circle.roles or groups & circle.groups for circle in self._circles)

    @property
    def _circles(self) -> tuple[Circle, ...]:
        return (Circle(self.roles, self.groups), *self.also)

    def stricter(self, other: Policy) -> Policy:
        """What satisfies both, in everything that a policy says."""
        _, *more = dict.fromkeys((*self._circles, *other._circles))
        return replace(
            self,
            needed=max(self.needed, other.needed),
            requester_may=self.requester_may and other.requester_may,
            author_may=self.author_may and other.author_may,
            lives=min(self.lives, other.lives),
            reauthenticate=min(filter(None, (self.reauthenticate, other.reauthenticate)), default=None),
            decide_within=min(filter(None, (self.decide_within, other.decide_within)), default=None),
            also=tuple(sorted(more, key=lambda circle: str(circle.as_json()))),
        )

    @property
    def who(self) -> str:
        own, *more = self._circles
        words = own.words
        for circle in more:
            words = say("{these} who are also {others}", these=words, others=circle.words)
        return words

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
        message = say_n(
            "{n} approval by {who}, within {length}",
            "{n} approvals by {who}, within {length}",
            self.needed,
            who=self.who,
            length=in_words(self.lives),
        )
        if self.reauthenticate:
            extra.append(say("each with a sign-in of the last {length}", length=in_words(self.reauthenticate)))
        if self.decide_within:
            extra.append(say("to be decided within {length} of working time", length=in_words(self.decide_within)))
        return joined([message, *extra], "; ") if extra else message

    def as_json(self) -> dict[str, Any]:
        return {
            "needed": self.needed,
            **self._circles[0].as_json(),
            "requester_may": self.requester_may,
            "author_may": self.author_may,
            "lives_seconds": int(self.lives.total_seconds()),
            **({"reauthenticate_seconds": int(self.reauthenticate.total_seconds())} if self.reauthenticate else {}),
            **({"decide_within_seconds": int(self.decide_within.total_seconds())} if self.decide_within else {}),
            **({"also": [circle.as_json() for circle in self.also]} if self.also else {}),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Policy:
        """The inverse of ``as_json``."""
        return cls(
            needed=kept["needed"],
            roles=Circle.from_json(kept).roles,
            groups=Circle.from_json(kept).groups,
            requester_may=kept["requester_may"],
            author_may=kept["author_may"],
            lives=timedelta(seconds=kept["lives_seconds"]),
            reauthenticate=timedelta(seconds=kept["reauthenticate_seconds"])
            if "reauthenticate_seconds" in kept
            else None,
            decide_within=timedelta(seconds=kept["decide_within_seconds"]) if "decide_within_seconds" in kept else None,
            also=tuple(Circle.from_json(one) for one in kept.get("also", ())),
        )


@dataclass(frozen=True, slots=True)
class StepRule:
    """Steps of at least so many per cent need a request of their own, with this many approvals."""

    at_least: Decimal
    needed: int


@dataclass(frozen=True, slots=True)
class PhasePolicy:
    """The approvals of one phase: its start, its later steps, and jumps."""

    start: Policy = Policy()
    steps: tuple[StepRule, ...] = (StepRule(HALF, 2),)
    jump_points: Decimal = JUMP_POINTS
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

    def stricter(self, other: PhasePolicy) -> PhasePolicy:
        """What satisfies both, for the start and for every step."""
        return PhasePolicy(
            start=self.start.stricter(other.start),
            steps=tuple(dict.fromkeys((*self.steps, *other.steps))),
            jump_points=min(self.jump_points, other.jump_points),
            jump_needed=max(self.jump_needed, other.jump_needed),
        )

    def as_json(self) -> dict[str, Any]:
        steps = sorted(self.steps, key=lambda rule: (rule.at_least, rule.needed))
        return {
            "start": self.start.as_json(),
            "steps": [{"at_least": plain_number(rule.at_least), "needed": rule.needed} for rule in steps],
            "jump": {"points": plain_number(self.jump_points), "needed": self.jump_needed},
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> PhasePolicy:
        """The inverse of ``as_json``."""
        return cls(
            start=Policy.from_json(kept["start"]),
            steps=tuple(StepRule(Decimal(str(rule["at_least"])), rule["needed"]) for rule in kept["steps"]),
            jump_points=Decimal(str(kept["jump"]["points"])),
            jump_needed=kept["jump"]["needed"],
        )

    def words(self, *, has_ramp: bool) -> str:
        """«The start: 1 approval by approvers, within 14 d. Each step of at least 50 %: 2 approvals. …»"""
        messages = [say("The start: {start}.", start=self.start.words)]
        if not has_ramp:
            return messages[0]
        messages += [
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
        return joined([*messages, jump])


def told(kept: Any) -> str:
    """Who must approve, of what ``as_json`` of either made; empty of anything else."""
    try:
        return PhasePolicy.from_json(kept).words(has_ramp=True) if "start" in kept else Policy.from_json(kept).words
    except (KeyError, TypeError, ValueError):
        return ""


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
    percentage: Decimal | None
    before: Exposure
    after: Exposure
    passes_over: tuple[Decimal, ...] = ()

    @property
    def points(self) -> Decimal:
        return max(NOTHING, (self.after.least_reach - self.before.least_reach) * 100)

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


def target(opening: Opening, before: Exposure, *, is_start: bool, to: Decimal | None = None) -> Target | None:
    """The next start or step of a phase that opens so; ``to`` names a later step. None where there is no such step.

    ``before`` is what is expected now, of all phases.
    """
    if opening.audience is not Audience.PERCENTAGE or opening.ramp is None:
        if not is_start or to is not None:
            return None
        percentage = FULL if opening.audience is Audience.ALL_AT_ONCE else None
        return Target(True, percentage, before, before.plus(opening.at(None)))
    stands_at = None if is_start else opening.step
    following = opening.ramp.after(stands_at)
    wanted = following.percentage if following and to is None else to
    left = [step.percentage for step in opening.ramp.steps if stands_at is None or step.percentage > stands_at]
    if wanted is None or wanted not in left:
        return None
    passed = tuple(percentage for percentage in left if percentage < wanted)
    return Target(is_start, wanted, before, before.plus(opening.at(wanted)), passed)
