"""Who a feature flag is on for: gates, reach, inclusion, and how two exposures compare.

Sources: DESIGN section 3; GitLab doc/api/features.md and lib/feature.rb (instance flags),
doc/operations/feature_flags.md (project flags).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from .percentages import FULL, NOTHING, as_percentage, plain_number, share_of
from .phrases import invalid, joined, listed, say, say_n

OPT_OUT = ":opt_out"


class Comparison(StrEnum):
    """How a second exposure stands to a first one, as sets of people."""

    SAME = "same"
    WIDER = "wider"
    NARROWER = "narrower"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Exposure:
    """All gates of a flag together: it is on for an actor if any gate lets it in.

    Percentages are 0 to 100 with up to three decimals; actors are GitLab's own ids (``User:42``),
    opt-outs among them as ``User:42:opt_out``; ``unknown_gates`` names the gates that this portal does
    not know but GitLab sent with a value.
    """

    boolean: bool = False
    percentage_of_actors: Decimal = NOTHING
    percentage_of_time: Decimal = NOTHING
    groups: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()
    unknown_gates: frozenset[str] = frozenset()

    @classmethod
    def from_gates(cls, gates: Iterable[tuple[str, Any]]) -> Exposure:
        """Read the gates of one entry of ``GET /features`` (pairs of key and value).

        Raises ``ValueError`` naming the gate whose value makes no sense.
        """
        fields: dict[str, Any] = {}
        unknown: set[str] = set()
        for key, value in gates:
            match key:
                case "boolean":
                    fields["boolean"] = _as_bool(value)
                case "percentage_of_actors" | "percentage_of_time":
                    fields[key] = as_percentage(value, key)
                case "groups" | "actors":
                    fields[key] = _as_names(value, key)
                case _:
                    if value not in (None, [], {}, "", 0, False):
                        unknown.add(str(key))
        return cls(**fields, unknown_gates=frozenset(unknown))

    @classmethod
    def from_strategies(cls, *, active: bool, strategies: Iterable[Mapping[str, Any]], environment: str) -> Exposure:
        """Map the strategies of a project flag onto gates, for one environment.

        Each strategy is ``{"name", "parameters", "scopes": [environment_scope, …], "user_xids": […]}``.
        Scopes may hold ``*``. An inactive flag, or one with no strategy for the environment, is off.
        Raises ``ValueError`` for a percentage that is none.
        """
        exposure = cls()
        if not active:
            return exposure
        for strategy in strategies:
            if not any(scope_matches(scope, environment) for scope in strategy["scopes"]):
                continue
            parameters = strategy["parameters"]
            match strategy["name"]:
                case "default":
                    exposure = replace(exposure, boolean=True)
                case "flexibleRollout":
                    exposure = exposure.with_percentage(as_percentage(parameters.get("rollout", 0), "rollout"))
                case "gradualRolloutUserId":
                    exposure = exposure.with_percentage(as_percentage(parameters.get("percentage", 0), "percentage"))
                case "userWithId":
                    names = (name.strip() for name in str(parameters.get("userIds", "")).split(","))
                    exposure = replace(exposure, actors=exposure.actors | {name for name in names if name})
                case "gitlabUserList":
                    exposure = replace(exposure, actors=exposure.actors | frozenset(strategy["user_xids"]))
                case other:
                    exposure = replace(exposure, unknown_gates=exposure.unknown_gates | {str(other)})
        return exposure

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Exposure:
        """The inverse of ``as_json``."""
        return cls(
            boolean=bool(stored.get("boolean", False)),
            percentage_of_actors=as_percentage(stored.get("percentage_of_actors", 0), "percentage_of_actors"),
            percentage_of_time=as_percentage(stored.get("percentage_of_time", 0), "percentage_of_time"),
            groups=frozenset(stored.get("groups", ())),
            actors=frozenset(stored.get("actors", ())),
            unknown_gates=frozenset(stored.get("unknown_gates", ())),
        )

    def as_json(self) -> dict[str, Any]:
        """``{"boolean", "percentage_of_actors", "percentage_of_time", "groups", "actors"}``, lists sorted."""
        stored: dict[str, Any] = {
            "boolean": self.boolean,
            "percentage_of_actors": plain_number(self.percentage_of_actors),
            "percentage_of_time": plain_number(self.percentage_of_time),
            "groups": sorted(self.groups),
            "actors": sorted(self.actors),
        }
        if self.unknown_gates:
            stored["unknown_gates"] = sorted(self.unknown_gates)
        return stored

    def with_percentage(self, percentage: Decimal) -> Exposure:
        """The same exposure with at least this percentage of actors."""
        return replace(self, percentage_of_actors=max(self.percentage_of_actors, percentage))

    def plus(self, other: Exposure) -> Exposure:
        """Both together: gates add up."""
        return Exposure(
            boolean=self.boolean or other.boolean,
            percentage_of_actors=max(self.percentage_of_actors, other.percentage_of_actors),
            percentage_of_time=max(self.percentage_of_time, other.percentage_of_time),
            groups=self.groups | other.groups,
            actors=self.actors | other.actors,
            unknown_gates=self.unknown_gates | other.unknown_gates,
        )

    @property
    def opt_outs(self) -> frozenset[str]:
        return frozenset(actor for actor in self.actors if actor.endswith(OPT_OUT))

    @property
    def named_actors(self) -> frozenset[str]:
        return self.actors - self.opt_outs

    @property
    def lets_all_in(self) -> bool:
        """Boolean on, or 100 % of actors: all but who is opted out."""
        return self.boolean or self.percentage_of_actors >= FULL

    @property
    def is_everyone(self) -> bool:
        """Boolean on, or 100 % of actors with nobody opted out."""
        return self.boolean or (self.percentage_of_actors >= FULL and not self.opt_outs)

    @property
    def is_nobody(self) -> bool:
        return not (
            self.boolean
            or self.percentage_of_actors
            or self.percentage_of_time
            or self.groups
            or self.named_actors
            or self.unknown_gates
        )

    @property
    def reach(self) -> Decimal | None:
        """Share of all actors that the flag is on for, 0 to 1; None where it can't be known.

        Groups and actors are people whose number GitLab does not tell, so they leave it unknown
        unless everybody is in anyway.
        """
        if self.is_everyone or self.percentage_of_time >= FULL:
            return Decimal(1)
        if self.groups or self.named_actors or self.unknown_gates or self.opt_outs or self.percentage_of_time:
            return None
        return share_of(self.percentage_of_actors)

    @property
    def least_reach(self) -> Decimal:
        """The share of all actors that is surely in, 0 to 1."""
        return Decimal(1) if self.boolean else share_of(self.percentage_of_actors)

    def includes(self, actor: str, *, flag: str) -> bool | None:
        """Whether the flag is on for this actor; None where only GitLab knows (a feature group, a share of time).

        An opt-out counts even where the flag is on for everyone. Sources: GitLab lib/feature.rb; the flipper gem's
        gate for percentage of actors.
        """
        if f"{actor}{OPT_OUT}" in self.actors:
            return False
        if self.boolean:
            return True
        # In floats, as Flipper multiplies: 2.007 * 1,000 is a little more than 2,007, and lets in one place more.
        if actor in self.actors or _place(actor, flag) < float(self.percentage_of_actors) * 1_000:
            return True
        return None if self.groups or self.percentage_of_time or self.unknown_gates else False

    def is_exactly(self, other: Exposure) -> bool:
        return compare(self, other) is Comparison.SAME

    @property
    def words(self) -> str:
        """Who sees it, in plain words: «25 % of actors, group acme_team_members and 3 actors»."""
        if self.boolean:
            return self._without_opted_out(say("everyone"))
        parts: list[str] = []
        if self.percentage_of_actors:
            parts.append(say("{n} % of actors", n=plain_number(self.percentage_of_actors)))
        if self.percentage_of_time:
            n = plain_number(self.percentage_of_time)
            parts.append(say("{n} % of the time (deprecated by GitLab)", n=n))
        if self.groups:
            names = joined(sorted(self.groups), ", ")
            parts.append(
                say("group {names}", names=names) if len(self.groups) == 1 else say("groups {names}", names=names)
            )
        if self.named_actors:
            parts.append(say_n("{n} named actor", "{n} named actors", len(self.named_actors)))
        if self.unknown_gates:
            names = joined(sorted(self.unknown_gates), ", ")
            parts.append(say("gates that the portal does not know: {names}", names=names))
        return self._without_opted_out(listed(parts) or say("nobody"))

    def _without_opted_out(self, message: str) -> str:
        return say("{who}, without {n} opted out", who=message, n=len(self.opt_outs)) if self.opt_outs else message


NOBODY = Exposure()
EVERYONE = Exposure(boolean=True)


def enters_at(actor: str, *, flag: str) -> Decimal:
    """The percentage of actors above which this actor is in: 0 to 99.999.

    ``crc32(flag name + actor id) % 100,000 < percentage * 1,000`` (flipper, percentage-of-actors gate): an
    actor is in when the flag's percentage is greater than the value returned.
    """
    return Decimal(_place(actor, flag)) / 1000


def _place(actor: str, flag: str) -> int:
    """Where a flag's percentage of actors meets this actor: 0 to 99,999."""
    return zlib.crc32(f"{flag}{actor}".encode()) % 100_000


def compare(first: Exposure, second: Exposure) -> Comparison:
    """How ``second`` stands to ``first``: does it let in more, fewer, the same or other people?

    Two exposures that both let everyone in are the same whatever other gates stand beside, but for who is opted
    out: boolean on and 100 % of actors differ only for code that passes no actor (``leaves_actorless_code_off``).
    """
    more = bool(first.opt_outs - second.opt_outs)  # an opt-out less is a person more
    fewer = bool(second.opt_outs - first.opt_outs)
    if first.lets_all_in or second.lets_all_in:
        more |= not first.lets_all_in
        fewer |= not second.lets_all_in
    else:
        for one, two in _sizes(first, second):
            more |= two > one
            fewer |= two < one
        for mine, yours in (
            (first.groups, second.groups),
            (first.named_actors, second.named_actors),
            (first.unknown_gates, second.unknown_gates),
        ):
            more |= bool(yours - mine)
            fewer |= bool(mine - yours)
    if more and fewer:
        return Comparison.DIFFERENT
    return Comparison.WIDER if more else Comparison.NARROWER if fewer else Comparison.SAME


def apart(one: Exposure, two: Exposure) -> tuple[Exposure, Exposure]:
    """Both without what they have in common: what is left is what differs, to say in words."""

    def without(mine: Exposure, yours: Exposure) -> Exposure:
        return replace(
            mine,
            percentage_of_actors=NOTHING
            if mine.percentage_of_actors == yours.percentage_of_actors
            else mine.percentage_of_actors,
            groups=mine.groups - yours.groups,
            actors=mine.actors - yours.actors,
        )

    return without(one, two), without(two, one)


def widens(before: Exposure, after: Exposure) -> bool:
    """Whether anybody could be in afterwards who was not before."""
    return compare(before, after) in (Comparison.WIDER, Comparison.DIFFERENT)


def leaves_actorless_code_off(exposure: Exposure) -> bool:
    """100 % of actors without boolean on: code that asks the flag without an actor stays switched off (FACTS 1)."""
    return exposure.percentage_of_actors >= FULL and not exposure.boolean


def scope_matches(scope: str, environment: str) -> bool:
    """Whether an environment scope of a project flag (``*``, ``review/*``, ``production``) covers an environment."""
    if "*" not in scope:
        return scope == environment
    head, *middles, tail = scope.split("*")
    if not environment.startswith(head) or len(environment) < len(head) + len(tail) or not environment.endswith(tail):
        return False
    at = len(head)
    for middle in middles:
        at = environment.find(middle, at, len(environment) - len(tail))
        if at < 0:
            return False
        at += len(middle)
    return True


def _sizes(first: Exposure, second: Exposure) -> tuple[tuple[Decimal, Decimal], ...]:
    return (
        (first.percentage_of_actors, second.percentage_of_actors),
        (first.percentage_of_time, second.percentage_of_time),
    )


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise invalid("boolean is {value}, not true or false", value=repr(value))


def _as_names(value: Any, name: str) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise invalid("{name} is {value}, not a list of names", name=name, value=repr(value))
    return frozenset(value)
