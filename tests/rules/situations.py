"""Rollouts as facts, for the tests of rules that judge them: who is who, what stands open, what was read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from rollouts.rules import approval_policy, guards
from rollouts.rules.approval_policy import Policy, Target
from rollouts.rules.approvals import Given, RequestFacts
from rollouts.rules.capacity import Capacity
from rollouts.rules.expected import Audience, FlagReading, Opening, Presence
from rollouts.rules.exposure import NOBODY, Exposure
from rollouts.rules.facts import PhaseFacts, RolloutFacts
from rollouts.rules.guards import Wish
from rollouts.rules.machine import Role
from rollouts.rules.people import Person
from rollouts.rules.ramp import Ramp, Step

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MIA = Person("mia", "mia", frozenset({Role.MANAGER}))
ALICE = Person("alice", "alice", frozenset({Role.APPROVER}))
ROOT = Person("root", "root", frozenset({Role.ADMIN}))
VIC = Person("vic", "vic", frozenset({Role.VIEWER}))
RAMP = Ramp(
    (Step(1, timedelta(minutes=15)), Step(25, timedelta(hours=24)), Step(45, timedelta(0)), Step(100, timedelta(0)))
)


def phase(name, state, opening, **more):
    return PhaseFacts(
        name=name,
        title=name.capitalize(),
        state=state,
        opening=replace(opening, state=state),
        **{"optional": False, **more},
    )


TEAM = Opening("planned", Audience.ACTORS, actors=frozenset({"User:1"}))
COMPANY = Opening("planned", Audience.GROUPS, groups=frozenset({"staff"}))
EVERYONE = Opening("planned", Audience.PERCENTAGE, ramp=RAMP)


def reading(exposure=NOBODY, *, age=timedelta(seconds=40), presence=Presence.SET):
    return FlagReading(presence, exposure, NOW - timedelta(days=2), NOW - age)


def facts(*phases, **more):
    return RolloutFacts(
        **{
            "slug": "haiku",
            "state": "underway",
            "phases": phases,
            "items": (),
            "flag": "use_haiku",
            "reading": reading(),
            "capacity": Capacity(60_000, 42_000),
            "freshness": timedelta(minutes=5),
            "now": NOW,
            **more,
        }
    )


def codes(verb, found, name, person, **wish):
    return {blocker.code for blocker in guards.blockers(verb, found, name, person, Wish(**{"seen": "a", **wish}))}


def asked(**more):
    """A request of mia's for the start of a phase, with what would be done still the same."""
    target = Target(True, None, NOBODY, Exposure(actors=frozenset({"User:1"})))
    return RequestFacts(
        **{
            "pk": 1,
            "state": "open",
            "target": target,
            "requested_by": "mia",
            "requested_at": NOW - timedelta(days=1),
            "expires_at": NOW + timedelta(days=13),
            "digest": "a",
            "stands": "a",
            "policy": Policy(),
            **more,
        }
    )


def given(*people, digest="a"):
    return tuple(Given(person.name, NOW, digest, person.roles) for person in people)


def approved(name, opening, **more):
    """A phase that alice has approved as it would be done now."""
    target = approval_policy.target(opening, NOBODY, is_start=True)
    return phase(name, "approved", opening, request=asked(target=target, given=given(ALICE)), **more)


def at_25(confirmed_at=NOW - timedelta(hours=26), **more):
    everyone = phase("everyone", "active", replace(EVERYONE, step=25), confirmed_at=confirmed_at)
    return facts(everyone, reading=reading(Exposure(percentage_of_actors=Decimal(25))), **more)
