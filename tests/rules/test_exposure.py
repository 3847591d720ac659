"""Exposure: gates add up, percentages nest, comparisons tell who is let in or left out."""

import zlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules.exposure import (
    EVERYONE,
    NOBODY,
    Comparison,
    Exposure,
    compare,
    enters_at,
    leaves_actorless_code_off,
    scope_matches,
    widens,
)

percentages = st.decimals(min_value=0, max_value=100, places=3)
names = st.frozensets(st.sampled_from(["User:1", "User:2", "Group:9", "Project:3"]), max_size=3)
exposures = st.builds(
    Exposure,
    boolean=st.booleans(),
    percentage_of_actors=percentages,
    percentage_of_time=st.sampled_from([Decimal(0), Decimal(30)]),
    groups=st.frozensets(st.sampled_from(["company", "partners"]), max_size=2),
    actors=names,
)


def gates(**values):
    return Exposure.from_gates(values.items())


def test_the_gates_of_gitlabs_specs_are_read():
    exposure = gates(
        boolean=False,
        expression=None,
        actors=["User:1", "Project:278964"],
        groups=["gitlab_team_members"],
        percentage_of_actors=25,
    )
    assert exposure.as_json() == {
        "boolean": False,
        "percentage_of_actors": 25,
        "percentage_of_time": 0,
        "groups": ["gitlab_team_members"],
        "actors": ["Project:278964", "User:1"],
    }
    assert exposure.words == "25 % of actors, group gitlab_team_members and 2 named actors"


def test_an_unknown_gate_with_a_value_is_kept_and_told():
    exposure = gates(boolean=False, expression={"Any": []})
    assert exposure.unknown_gates == {"expression"}
    assert not exposure.is_nobody
    assert "expression" in exposure.words


@pytest.mark.parametrize(
    "bad",
    [{"boolean": "perhaps"}, {"percentage_of_actors": 101}, {"percentage_of_actors": True}, {"groups": "company"}],
)
def test_a_gate_that_makes_no_sense_is_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        gates(**bad)


def test_reach_is_known_only_where_gitlab_tells_it():
    assert gates(percentage_of_actors=25).reach == 0.25
    assert gates(boolean=True).reach == 1.0
    assert gates(groups=["company"]).reach is None
    assert NOBODY.reach == 0.0


def test_full_percentage_and_boolean_let_the_same_people_in_but_say_so():
    full = gates(percentage_of_actors=100)
    assert compare(full, EVERYONE) is Comparison.SAME
    assert leaves_actorless_code_off(full)
    assert not leaves_actorless_code_off(EVERYONE)


@pytest.mark.parametrize(
    ("plan", "read", "stands"),
    [
        ({"percentage_of_actors": 25}, {"percentage_of_actors": 50}, Comparison.WIDER),
        ({"percentage_of_actors": 25}, {"percentage_of_actors": 10}, Comparison.NARROWER),
        ({"groups": ["company"]}, {"groups": ["company"], "actors": ["User:9"]}, Comparison.WIDER),
        ({"percentage_of_actors": 25, "groups": ["company"]}, {"percentage_of_actors": 50}, Comparison.DIFFERENT),
        ({"actors": ["User:1"]}, {"actors": ["User:2"]}, Comparison.DIFFERENT),
        ({"percentage_of_actors": 25}, {"percentage_of_actors": 25, "actors": ["User:1:opt_out"]}, Comparison.NARROWER),
        ({"percentage_of_actors": 25}, {"percentage_of_actors": 25, "percentage_of_time": 5}, Comparison.WIDER),
        ({}, {"boolean": True}, Comparison.WIDER),
    ],
)
def test_how_a_reading_stands_to_the_plan(plan, read, stands):
    assert compare(gates(**plan), gates(**read)) is stands


@given(exposures, exposures)
def test_comparing_the_other_way_round_is_the_mirror(one, two):
    mirror = {Comparison.WIDER: Comparison.NARROWER, Comparison.NARROWER: Comparison.WIDER}
    there = compare(one, two)
    assert compare(two, one) is mirror.get(there, there)


@given(exposures, exposures)
def test_adding_gates_never_takes_anybody_out(one, two):
    assert compare(one, one.plus(two)) in (Comparison.SAME, Comparison.WIDER) or one.opt_outs != one.plus(two).opt_outs


@given(exposures)
def test_json_holds_all_of_it(exposure):
    assert Exposure.from_json(exposure.as_json()) == exposure


@given(st.integers(1, 10**9), st.text("abcdef_", min_size=1, max_size=30), percentages, percentages)
def test_a_higher_percentage_never_drops_an_actor(number, flag, one, two):
    low, high = sorted((one, two))
    actor = f"User:{number}"
    if Exposure(percentage_of_actors=low).includes(actor, flag=flag):
        assert Exposure(percentage_of_actors=high).includes(actor, flag=flag)


@given(st.integers(1, 10**9), st.text("abcdef_", min_size=1, max_size=30), percentages)
def test_who_is_in_follows_gitlabs_rule(number, flag, percentage):
    actor = f"User:{number}"
    place = zlib.crc32(f"{flag}{actor}".encode()) % 100_000
    assert Exposure(percentage_of_actors=percentage).includes(actor, flag=flag) is (place < float(percentage) * 1000)
    assert enters_at(actor, flag=flag) == Decimal(place) / 1000


def test_the_last_place_is_decided_as_flippers_floats_decide():
    """2.007 * 1,000 is 2,007.0000000000002 to Flipper, and 8.2 * 1,000 is 8,199.999999999999."""
    assert enters_at("User:35655", flag="use_haiku") == Decimal("2.007")
    assert Exposure(percentage_of_actors=Decimal("2.007")).includes("User:35655", flag="use_haiku")
    assert not Exposure(percentage_of_actors=Decimal("2.006")).includes("User:35655", flag="use_haiku")


def test_an_opted_out_actor_is_out_and_a_group_leaves_it_open():
    on_for_all_but_one = gates(boolean=True, actors=["User:1:opt_out"])
    assert on_for_all_but_one.includes("User:1", flag="f") is False
    assert on_for_all_but_one.words == "everyone, without 1 opted out"
    assert gates(percentage_of_actors=100, actors=["User:1:opt_out"]).includes("User:1", flag="f") is False
    assert gates(groups=["company"]).includes("User:1", flag="f") is None


def strategy(name, scopes=("production",), user_xids=(), **parameters):
    return {"name": name, "parameters": parameters, "scopes": scopes, "user_xids": user_xids}


@pytest.mark.parametrize(
    ("strategies", "words"),
    [
        ([strategy("default")], "everyone"),
        ([strategy("flexibleRollout", rollout="25", stickiness="default")], "25 % of actors"),
        ([strategy("gradualRolloutUserId", percentage="10")], "10 % of actors"),
        ([strategy("userWithId", userIds="ann, ben")], "2 named actors"),
        ([strategy("gitlabUserList", user_xids=("ann", "ben", "cy"))], "3 named actors"),
        ([strategy("default", scopes=("staging",))], "nobody"),
        ([strategy("default", scopes=("*",))], "everyone"),
        (
            [strategy("flexibleRollout", rollout="5"), strategy("userWithId", userIds="ann")],
            "5 % of actors and 1 named actor",
        ),
        ([strategy("newKind")], "gates that the portal does not know: newKind"),
        ([], "nobody"),
    ],
)
def test_strategies_of_a_project_flag_map_onto_gates(strategies, words):
    assert Exposure.from_strategies(active=True, strategies=strategies, environment="production").words == words


def test_an_inactive_project_flag_is_off():
    assert Exposure.from_strategies(active=False, strategies=[strategy("default")], environment="production") == NOBODY


@pytest.mark.parametrize(
    ("scope", "environment", "matches"),
    [
        ("*", "production", True),
        ("review/*", "review/feature-1", True),
        ("review/*", "production", False),
        ("*/eu/*", "prod/eu/west", True),
        ("a*a", "a", False),
        ("production", "production", True),
    ],
)
def test_environment_scopes(scope, environment, matches):
    assert scope_matches(scope, environment) is matches


def test_widening_is_anybody_more():
    assert widens(NOBODY, gates(percentage_of_actors=1))
    assert not widens(EVERYONE, gates(percentage_of_actors=99))
    assert widens(gates(actors=["User:1"]), gates(actors=["User:2"]))


@pytest.mark.parametrize(
    ("exposure", "least"),
    [
        (Exposure(boolean=True), 1),
        (Exposure(percentage_of_actors=Decimal(25)), Decimal("0.25")),
        (Exposure(groups=frozenset({"company"})), 0),
        (NOBODY, 0),
    ],
)
def test_what_is_surely_in_is_everybody_or_the_share_of_actors(exposure, least):
    assert exposure.least_reach == least
