"""Is one actor in, by which gate, and from which percentage on: for flags of an instance and of a project.

Sources: DESIGN section 3; the flipper gem's percentage-of-actors gate and GitLab lib/feature.rb (an opt-out counts even
where the flag is on for everyone); for project flags the Unleash clients' strategies (``unleash``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from . import exposure as rule
from . import unleash
from .expected import FlagReading
from .exposure import OPT_OUT, Exposure, scope_matches
from .percentages import NOTHING, as_percentage, plain_number
from .phrases import invalid, say

#: As GitLab's gates name an actor: a type and its number or name.
AS_GITLAB_NAMES = re.compile(r"[A-Z][A-Za-z]{0,59}(?:::[A-Z][A-Za-z]{0,59})*:[A-Za-z0-9_.@-]{1,100}")
#: As plans name one.
AS_PLANS_NAME = re.compile(r"(?:user|group|project):[A-Za-z0-9_./-]{1,255}")
NUMBER = re.compile(r"[1-9][0-9]{0,18}")
USER_NAME = re.compile(r"@?((?![0-9]+\Z)[A-Za-z0-9_.][A-Za-z0-9_.-]{0,254})")
LONGEST_PROJECT_ID = 256


class Gate(StrEnum):
    """What decides about an actor."""

    UNREAD = "unread"
    EVERYONE = "everyone"
    OPTED_OUT = "opted_out"
    NAMED = "named"
    PERCENTAGE = "percentage"
    ONLY_GITLAB_KNOWS = "only_gitlab_knows"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Inclusion:
    """``inside`` is None where only GitLab knows, or nothing was read.

    ``enters_at`` is None where a percentage does not decide by this id. Of an instance's flag the actor is in *above*
    it, of a project's flag *from* it on (``from_on``). ``stands_at`` is the percentage that was read.
    """

    actor: str
    inside: bool | None
    gate: Gate
    enters_at: Decimal | None
    stands_at: Decimal | None
    from_on: bool = False

    @property
    def enters(self) -> str:
        """«above 37.214 %» of an instance's flag, «from 37 % on» of a project's."""
        if self.enters_at is None:
            return ""
        bound = plain_number(self.enters_at)
        return say("from {bound} % on", bound=bound) if self.from_on else say("above {bound} %", bound=bound)

    @property
    def now(self) -> str:
        """At which percentage the flag stands."""
        return "" if self.stands_at is None else say("{n} %", n=plain_number(self.stands_at))


def wanted_actor(text: str, *, in_project: bool) -> str:
    """What a person typed as an actor: GitLab's (``User:42``), or a name to look up (``user:alice``).

    A project's flag takes any text as an id, as the application passes it. Raises ``ValueError`` for what is none.
    """
    text = text.strip()
    if in_project:
        named = text.partition(":")[2] if AS_PLANS_NAME.fullmatch(text) else text
        if not named or "," in named or len(named) > LONGEST_PROJECT_ID or not named.isprintable():
            raise invalid("an id has 1 to {most} printable characters and no comma", most=LONGEST_PROJECT_ID)
        return named
    if NUMBER.fullmatch(text):
        return f"User:{text}"
    if AS_GITLAB_NAMES.fullmatch(text) or AS_PLANS_NAME.fullmatch(text):
        return text
    if match := USER_NAME.fullmatch(text):
        return f"user:{match[1]}"
    raise invalid("write a user's number, a type and a number (User:42), or a name from a plan (user:alice)")


def in_instance(actor: str, *, flag: str, exposure: Exposure | None) -> Inclusion:
    """By the gates of an instance's flag; ``exposure`` is None where nothing is known."""
    bound = rule.enters_at(actor, flag=flag)
    if exposure is None:
        return Inclusion(actor, None, Gate.UNREAD, bound, None)
    inside = exposure.includes(actor, flag=flag)
    if f"{actor}{OPT_OUT}" in exposure.actors:
        gate = Gate.OPTED_OUT
    elif exposure.boolean:
        gate = Gate.EVERYONE
    elif actor in exposure.actors:
        gate = Gate.NAMED
    elif inside:
        gate = Gate.PERCENTAGE
    else:
        gate = Gate.NONE if inside is False else Gate.ONLY_GITLAB_KNOWS
    return Inclusion(actor, inside, gate, bound, exposure.percentage_of_actors)


def in_project(
    user_id: str, *, exposure: Exposure | None, strategies: Iterable[Mapping[str, Any]], environment: str
) -> Inclusion:
    """By the strategies of a project's flag in one environment, as GitLab sent them.

    Sticky by session or at random, a percentage says nothing of an id: then only the application knows.
    """
    if exposure is None:
        return Inclusion(user_id, None, Gate.UNREAD, None, None, from_on=True)
    if exposure.boolean:
        return Inclusion(user_id, True, Gate.EVERYONE, None, exposure.percentage_of_actors, from_on=True)
    if user_id in exposure.actors:
        return Inclusion(user_id, True, Gate.NAMED, None, exposure.percentage_of_actors, from_on=True)
    entries: list[tuple[int, Decimal]] = []
    open_ended = bool(exposure.unknown_gates)
    for strategy in strategies if exposure.percentage_of_actors else ():
        if not any(scope_matches(scope, environment) for scope in strategy.get("scopes", ())):
            continue
        percentage, group = _by_percentage(strategy)
        if percentage and group:
            entries.append((unleash.enters_at(user_id, group_id=group), percentage))
        elif percentage:
            open_ended = True
    if not entries and exposure.percentage_of_actors:
        open_ended = True  # entered by hand: how GitLab spreads it was not said
    inside = any(bound <= percentage for bound, percentage in entries)
    bounds = {bound for bound, _ in entries}
    bound = Decimal(bounds.pop()) if len(bounds) == 1 else None
    gate = Gate.PERCENTAGE if inside else Gate.ONLY_GITLAB_KNOWS if open_ended else Gate.NONE
    answer = True if inside else None if open_ended else False
    return Inclusion(user_id, answer, gate, bound, exposure.percentage_of_actors, from_on=True)


def why(inclusion: Inclusion, read: FlagReading) -> str:
    """The gate that decides, in a sentence. ``read`` is what the flag was judged by."""
    actor, now = inclusion.actor, plain_number(inclusion.stands_at or NOTHING)
    groups = ", ".join(sorted(read.exposure.groups)) if read.exposure else ""
    match inclusion.gate:
        case Gate.UNREAD:
            return say("The flag is {presence}: nothing is known of who is in.", presence=read.presence.words)
        case Gate.EVERYONE:
            return say("The flag is on for everyone.")
        case Gate.OPTED_OUT:
            return say("{actor} is opted out, whatever the other gates say.", actor=actor)
        case Gate.NAMED:
            return say("{actor} is named as an actor, whatever the percentage.", actor=actor)
        case Gate.PERCENTAGE:
            return say("The flag is on for {now} % of actors.", now=now)
        case Gate.ONLY_GITLAB_KNOWS if groups:
            return say(
                "Not in by the percentage. A member of {groups} is in whatever the percentage; "
                "only GitLab knows who that is.",
                groups=groups,
            )
        case Gate.ONLY_GITLAB_KNOWS if inclusion.from_on:
            return say(
                "GitLab spreads this flag by session or at random, or the portal does not know how: an id says "
                "nothing of who is in."
            )
        case Gate.ONLY_GITLAB_KNOWS:
            return say("Not in by the percentage, but perhaps by a gate that only GitLab can answer for.")
    if inclusion.stands_at:
        return say(
            "The flag is on for {now} % of actors only, and no other gate lets {actor} in.", now=now, actor=actor
        )
    return say("No gate lets {actor} in.", actor=actor)


def verdict(inclusion: Inclusion, read: FlagReading) -> str:
    """In a word or a few."""
    if inclusion.inside is None and read.exposure is not None and read.exposure.groups:
        return say("in only as a member of a group")
    return {True: say("in"), False: say("not in"), None: say("not known")}[inclusion.inside]


def _by_percentage(strategy: Mapping[str, Any]) -> tuple[Decimal, str]:
    """A strategy's percentage and the group that it is spread by; no group where the id does not decide."""
    parameters = strategy.get("parameters", {})
    group = str(parameters.get("groupId", ""))
    match strategy.get("name"):
        case "flexibleRollout":
            percentage = as_percentage(parameters.get("rollout", 0), "rollout")
            return percentage, group if parameters.get("stickiness", "default") in ("default", "userId") else ""
        case "gradualRolloutUserId":
            return as_percentage(parameters.get("percentage", 0), "percentage"), group
    return NOTHING, ""
