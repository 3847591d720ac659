"""The arithmetic of flags beside the parts that do it in truth: the Flipper gem, and the engine of Unleash's clients.

Flipper is Debian's ``ruby-flipper``; the engine is ``yggdrasil-engine``. Neither is needed by the portal.
"""

from __future__ import annotations

import json
import random
import subprocess
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from yggdrasil_engine.engine import UnleashEngine

from gitlab_simulator import Refused, State
from rollouts.rules import inclusion
from rollouts.rules.exposure import OPT_OUT, Exposure

pytestmark = [pytest.mark.drill, pytest.mark.timeout(600)]
GROUP = "acme_team_members"
# 2.007 and 8.2 times 1,000 are no whole numbers to a computer: the first lies above, the second below.
PERCENTAGES = ["0.001", "0.1", "1", "1.001", "2.007", "8.2", "10", "12.345", "25", "32.3", "50", "75", "99", "99.999"]
IDS = [*(f"User:{number}" for number in range(1, 301)), *(f"Project:{number}" for number in range(278_900, 279_000))]


def flipper(stories: list[dict[str, Any]]) -> list[dict[str, Any]]:
    script = Path(__file__).with_name("flipper.rb")
    ran = subprocess.run(["ruby", script], input=json.dumps(stories), capture_output=True, text=True, check=True)
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers


def at_the_edge(flag: str, percentage: str) -> list[str]:
    """Actors that are the last in, and the first out, by one part in 100,000."""
    edge, found = int(Decimal(percentage) * 1_000), {}
    for number in range(1, 1_000_000):
        place = zlib.crc32(f"{flag}User:{number}".encode()) % 100_000
        if abs(place - edge) <= 1:
            found.setdefault(place, f"User:{number}")
            if len(found) == 3:
                break
    return list(found.values())


def exposure_of(state: State, flag: str) -> Exposure:
    return Exposure.from_gates((gate["key"], gate["value"]) for gate in state.feature(flag)["gates"])


def test_a_percentage_of_actors_lets_in_whom_flipper_lets_in() -> None:
    flags = ["use_haiku", "code_completion_model", "x"]
    stories = [
        {
            "flag": flag,
            "calls": [["percentage_of_actors", float(percentage), True], ["actor", "User:7", True]],
            "actors": [*IDS, *at_the_edge(flag, percentage)],
        }
        for flag in flags
        for percentage in PERCENTAGES
    ]
    compared = 0
    for story, answer in zip(stories, flipper(stories), strict=True):
        state = State()
        while state.user_named("u7") is None:
            state.add_user("u7", id=7)
        state.set_feature(story["flag"], story["calls"][0][1], key="percentage_of_actors")
        state.set_feature(story["flag"], True, user="u7")
        exposure = exposure_of(state, story["flag"])
        ours = [inclusion.in_instance(actor, flag=story["flag"], exposure=exposure).inside for actor in story["actors"]]
        differ = [
            actor for actor, one, other in zip(story["actors"], ours, answer["inside"], strict=True) if one != other
        ]
        assert differ == [], (story["flag"], story["calls"])
        compared += len(ours)
    print(f"\nFlipper and the portal: {compared:,} of {compared:,} answers equal")
    assert compared > len(flags) * len(PERCENTAGES) * len(IDS)


def test_an_actor_enters_where_flipper_lets_it_in() -> None:
    """``enters_at`` is the edge itself: at that percentage it is out, one thousandth above it is in."""
    stories = []
    for actor in IDS[:150]:
        bound = inclusion.in_instance(actor, flag="use_haiku", exposure=None).enters_at
        assert bound is not None
        for percentage in (bound, bound + Decimal("0.001")):
            calls = [["percentage_of_actors", float(percentage), True]] if percentage else []
            stories.append({"flag": "use_haiku", "calls": calls, "actors": [actor]})
    answers = [answer["inside"][0] for answer in flipper(stories)]
    assert answers[1::2] == [True] * 150
    wrong = [story for story, inside in zip(stories[::2], answers[::2], strict=True) if inside]
    # Where the computer's product lies above the whole number, Flipper lets one more in.
    assert all(story["calls"][0][1] * 1_000 > round(story["calls"][0][1] * 1_000) for story in wrong), wrong


def calls_at_random(dice: random.Random) -> Iterator[tuple[str, Any, bool]]:
    for _ in range(dice.randrange(1, 9)):
        kind = dice.choice(["boolean", "actor", "actor", "group", "percentage_of_actors", "percentage_of_time"])
        given = {"actor": f"User:{dice.randrange(10, 14)}", "group": GROUP}.get(kind, dice.choice([1, 12.5, 50, 99]))
        yield kind, given, kind.startswith("percentage") or dice.random() < 0.7


def test_gates_add_up_and_wipe_each_other_as_in_flipper() -> None:
    """Whatever is set one after another by GitLab's API, the simulator's gates and state are Flipper's."""
    dice, stories, shown = random.Random(10), [], []
    for _ in range(2_000):
        state, made = State(), []
        for number in range(10, 14):
            state.add_user(f"u{number}", id=number)
        for kind, given, present in calls_at_random(dice):
            try:
                match kind:
                    case "boolean":
                        state.set_feature("f", present)
                    case "actor":
                        state.set_feature("f", present, user=f"u{given.removeprefix('User:')}")
                    case "group":
                        state.set_feature("f", present, feature_group=given)
                    case _:
                        state.set_feature("f", given, key=kind)
            except Refused:  # GitLab's own rule before Flipper: no percentage for what is on
                continue
            made.append([kind, given, present])
        stories.append({"flag": "f", "calls": made, "actors": IDS[:20]})
        gates = state.table("features").get("f")
        shown.append((state, gates))
    for story, (state, gates), answer in zip(stories, shown, flipper(stories), strict=True):
        if gates is None:
            assert story["calls"] == []
            continue
        names = ("boolean", "percentage_of_actors", "percentage_of_time")
        lists = {name: sorted(gates[name]) for name in ("actors", "groups")}
        ours = {name: gates[name] for name in names} | lists | {"state": state.feature("f")["state"]}
        assert ours == {name: answer[name] for name in ours}, story["calls"]
        exposure = exposure_of(state, "f")
        for actor, inside in zip(story["actors"], answer["inside"], strict=True):
            said = inclusion.in_instance(actor, flag="f", exposure=exposure).inside
            assert said in (inside, None), (story["calls"], actor)
            assert said is not None or gates["groups"] or gates["percentage_of_time"], (story["calls"], actor)


def test_an_opt_out_is_an_actor_that_flipper_does_not_know_of() -> None:
    """GitLab asks Flipper first, and then whether ``User:10:opt_out`` is among the actors (lib/feature.rb)."""
    state = State()
    state.add_user("u10", id=10)
    state.set_feature("f", True)
    state.set_feature("f", "opt_out", user="u10")
    calls = [["boolean", None, True], ["actor", f"User:10{OPT_OUT}", True]]
    (answer,) = flipper([{"flag": "f", "calls": calls, "actors": ["User:10", "User:11"]}])
    assert answer["inside"] == [True, True]
    assert sorted(state.table("features")["f"]["actors"]) == answer["actors"]
    exposure = exposure_of(state, "f")
    assert [inclusion.in_instance(f"User:{one}", flag="f", exposure=exposure).inside for one in (10, 11)] == [
        False,
        True,
    ]


STRATEGIES = [
    *(
        {"name": "flexibleRollout", "parameters": {"groupId": group, "rollout": share, "stickiness": stickiness}}
        for group in ("default", "haiku")
        for share in ("0", "1", "10", "33", "50", "99", "100")
        for stickiness in ("default", "userId")
    ),
    *(
        {"name": "gradualRolloutUserId", "parameters": {"groupId": group, "percentage": share}}
        for group in ("default", "haiku")
        for share in ("0", "1", "25", "67", "100")
    ),
    {"name": "userWithId", "parameters": {"userIds": "7,alice,42"}},
    {"name": "userWithId", "parameters": {"userIds": " 7 , alice ,grüße,"}},
    {"name": "userWithId", "parameters": {"userIds": ""}},
    {"name": "default", "parameters": {}},
]
PEOPLE = ["7", "42", "alice", "Alice", "grüße", "", *(str(number) for number in range(1_000, 1_200))]


def test_strategies_of_project_flags_let_in_whom_the_unleash_engine_lets_in() -> None:
    """Each strategy alone, each two together, of a flag that is on or off, as GitLab takes and gives them back."""
    state, compared, open_ended = State(), 0, 0
    state.add_project("acme/app")
    combinations = [[one] for one in STRATEGIES]
    combinations += [random.Random(number).sample(STRATEGIES, 2) for number in range(150)]
    for number, strategies in enumerate(combinations):
        active = number % 10 != 9
        flag = state.add_project_flag(
            "acme/app",
            f"flag{number}",
            active=active,
            strategies=[one | {"scopes": ["production"]} for one in strategies],
        )
        engine = UnleashEngine()
        given = [{"name": one["name"], "parameters": one["parameters"]} for one in flag["strategies"]]
        engine.take_state(
            json.dumps({"version": 1, "features": [{"name": "f", "enabled": active, "strategies": given}]})
        )
        read = [
            one | {"scopes": [scope["environment_scope"] for scope in one["scopes"]], "user_xids": []}
            for one in flag["strategies"]
        ]
        exposure = Exposure.from_strategies(active=active, strategies=read, environment="production")
        for person in filter(None, PEOPLE):
            ours = inclusion.in_project(person, exposure=exposure, strategies=read, environment="production").inside
            if ours is None:
                open_ended += 1
                continue
            theirs = bool(engine.check_enabled("f", {"userId": person}).is_enabled)
            assert ours == theirs, (person, active, strategies)
            compared += 1
    print(f"\nThe Unleash engine and the portal: {compared:,} of {compared:,} answers equal")
    assert open_ended == 0
    assert compared > 30_000
