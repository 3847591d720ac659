"""How GitLab's gates add up and wipe each other (GitLab doc/api/features.md; decision 0011), over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_simulator import Simulator

ALICE, BOB = "User:42", "User:43"


@pytest.fixture(autouse=True)
def people(simulator: Simulator) -> None:
    simulator.state.add_user("alice", id=42)
    simulator.state.add_user("bob", id=43)
    simulator.state.add_group("acme/code")
    simulator.state.add_project("acme/app")


def gates(answer: dict[str, Any]) -> dict[str, Any]:
    return {gate["key"]: gate["value"] for gate in answer["gates"] if gate["key"] != "expression"}


PERCENT = {"value": "25", "key": "percentage_of_actors"}
TEAM = {"value": "true", "user": "alice"}
COMPANY = {"value": "true", "feature_group": "acme_team_members"}

STORIES: list[tuple[str, list[dict[str, Any]], dict[str, Any], str]] = [
    ("true is everyone", [{"value": "true"}], {"boolean": True}, "on"),
    ("JSON true as well", [{"value": True}], {"boolean": True}, "on"),
    ("false is nobody", [{"value": "false"}], {"boolean": False}, "off"),
    ("100 is true", [{"value": 100}], {"boolean": True}, "on"),
    ("100.0 % of actors is true", [{"value": "100.0", "key": "percentage_of_actors"}], {"boolean": True}, "on"),
    ("percentage of actors", [PERCENT], {"boolean": False, "percentage_of_actors": 25}, "conditional"),
    (
        "decimals",
        [{"value": "0.1", "key": "percentage_of_actors"}],
        {"boolean": False, "percentage_of_actors": 0.1},
        "conditional",
    ),
    ("without a key, of time", [{"value": 30}], {"boolean": False, "percentage_of_time": 30}, "conditional"),
    ("a user", [TEAM], {"boolean": False, "actors": [ALICE]}, "conditional"),
    (
        "several users at once",
        [{"value": "true", "user": "alice,bob"}],
        {"boolean": False, "actors": [ALICE, BOB]},
        "conditional",
    ),
    ("the same user twice is once", [TEAM, TEAM], {"boolean": False, "actors": [ALICE]}, "conditional"),
    ("a feature group", [COMPANY], {"boolean": False, "groups": ["acme_team_members"]}, "conditional"),
    (
        "gates add up",
        [TEAM, COMPANY, PERCENT],
        {"boolean": False, "actors": [ALICE], "groups": ["acme_team_members"], "percentage_of_actors": 25},
        "conditional",
    ),
    ("true clears all others", [TEAM, COMPANY, PERCENT, {"value": "true"}], {"boolean": True}, "on"),
    ("false wipes all", [TEAM, COMPANY, PERCENT, {"value": "false"}], {"boolean": False}, "off"),
    ("0 wipes all", [TEAM, COMPANY, PERCENT, {"value": 0}], {"boolean": False}, "off"),
    (
        "0 % of actors wipes all",
        [TEAM, COMPANY, PERCENT, {"value": "0", "key": "percentage_of_actors"}],
        {"boolean": False},
        "off",
    ),
    (
        "a lower percentage keeps the others",
        [TEAM, PERCENT, {"value": "10", "key": "percentage_of_actors"}],
        {"boolean": False, "actors": [ALICE], "percentage_of_actors": 10},
        "conditional",
    ),
    (
        "a target and false takes that one away",
        [TEAM, COMPANY, PERCENT, {"value": "false", "user": "alice"}],
        {"boolean": False, "groups": ["acme_team_members"], "percentage_of_actors": 25},
        "conditional",
    ),
    ("a group and false takes that one away", [COMPANY, COMPANY | {"value": "false"}], {"boolean": False}, "off"),
    (
        "taking one away from everyone leaves everyone",
        [{"value": "true"}, {"value": "false", "user": "alice"}],
        {"boolean": True},
        "on",
    ),
    (
        "an opt-out is an actor of its own",
        [{"value": "opt_out", "user": "alice"}],
        {"boolean": False, "actors": [f"{ALICE}:opt_out"]},
        "conditional",
    ),
    (
        "an opt-out can be taken back",
        [{"value": "opt_out", "user": "alice"}, {"value": "remove_opt_out", "user": "alice"}, TEAM],
        {"boolean": False, "actors": [ALICE]},
        "conditional",
    ),
    (
        "a feature group is not opted out, and nobody is told",
        [COMPANY, COMPANY | {"value": "opt_out"}],
        {"boolean": False, "groups": ["acme_team_members"]},
        "conditional",
    ),
    (
        "nobody named is nothing done",
        [TEAM, {"value": "true", "user": ""}],
        {"boolean": False, "actors": [ALICE]},
        "conditional",
    ),
    (
        "off, then the gates again",
        [TEAM, PERCENT, {"value": "false"}, TEAM],
        {"boolean": False, "actors": [ALICE]},
        "conditional",
    ),
]


@pytest.mark.parametrize(("calls", "expected", "state"), [story[1:] for story in STORIES], ids=[s[0] for s in STORIES])
@pytest.mark.parametrize("body", ["json", "data", "params"])
def test_what_calls_make_of_a_flag(
    ask: Any, calls: list[dict[str, Any]], expected: dict[str, Any], state: str, body: str
) -> None:
    """GitLab takes the parameters as JSON, as a form and in the address alike."""
    for call in calls:
        sent = call if body == "json" else {key: str(value).lower() for key, value in call.items()}
        answer = ask("POST", "/features/some_flag", **{body: sent})
        assert answer.status_code == 201, answer.text
    assert gates(answer.json()) == expected
    assert answer.json()["state"] == state
    assert ask("GET", "/features").json() == [answer.json()]


@pytest.mark.parametrize(
    ("before", "call", "message"),
    [
        ([{"value": "true"}], PERCENT, "400 Bad request - Cannot enable percentage of actors for a fully-enabled flag"),
        (
            [{"value": "true"}],
            {"value": 30},
            "400 Bad request - Cannot enable percentage of time for a fully-enabled flag",
        ),
        ([], {"value": "true", "user": "nobody"}, "400 Bad request - nobody is not found!"),
        ([], {"value": "true", "user": "alice,nobody"}, "400 Bad request - nobody is not found!"),
        ([], {"value": "true", "project": "acme/none"}, "400 Bad request - acme/none is not found!"),
        (
            [{"value": "opt_out", "user": "alice"}],
            TEAM,
            "400 Bad request - Opt-out exists for @alice - remove opt-out before enabling",
        ),
        ([], {"value": "remove_opt_out", "user": "alice"}, "400 Bad request - No opt-out exists for @alice"),
        ([], {"value": "remove_opt_out", "feature_group": "x"}, "400 Bad request - No opt-out exists for x"),
        ([], {"value": "yes"}, "400 Bad request - Cannot set 'some_flag' to \"yes\""),
        ([], {"value": ""}, "400 Bad request - Cannot set 'some_flag' to \"\""),
        ([], {"value": "True"}, "400 Bad request - Cannot set 'some_flag' to \"True\""),
        ([], {"value": "-5"}, "400 Bad request - Cannot set 'some_flag' to \"-5\""),
        ([], {"value": "opt_out"}, "400 Bad request - Cannot set 'some_flag' to \"opt_out\""),
        ([], {"value": "nan", "key": "percentage_of_actors"}, "400 Bad request - Not a percentage"),
        ([], {"value": "25", "user": "alice"}, "400 Bad request - Cannot set 'some_flag' to \"25\" for @alice"),
        ([], {"value": "true", "user": "alice, bob"}, "400 Bad request -  bob is not found!"),
        ([PERCENT], {"value": "true", "user": "alice,nobody"}, "400 Bad request - nobody is not found!"),
    ],
)
def test_what_gitlab_refuses(ask: Any, before: list[dict[str, Any]], call: dict[str, Any], message: str) -> None:
    for earlier in before:
        ask("POST", "/features/some_flag", json=earlier)
    listed = ask("GET", "/features").json()
    answer = ask("POST", "/features/some_flag", json=call)
    assert (answer.status_code, answer.json()) == (400, {"message": message})
    assert ask("GET", "/features").json() == listed, "a refused call changed something"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ({}, "value is missing"),
        ({"value": ["25"]}, "value is invalid"),
        ({"value": "true", "user": ["alice", "bob"]}, "user is invalid"),
        ({"value": "25", "key": "moon"}, "key does not have a valid value"),
        ({"value": "25", "key": "percentage_of_actors", "user": "alice"}, "key, user are mutually exclusive"),
        ({"value": "25", "key": "percentage_of_time", "project": "a/b"}, "key, project are mutually exclusive"),
    ],
)
def test_what_grape_refuses(ask: Any, call: dict[str, Any], error: str) -> None:
    answer = ask("POST", "/features/some_flag", json=call)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_more_than_all_is_what_gitlab_does_not_catch(ask: Any) -> None:
    answer = ask("POST", "/features/some_flag", json={"value": "101", "key": "percentage_of_actors"})
    assert (answer.status_code, answer.json()) == (500, {"message": "500 Internal Server Error"})
    assert ask("GET", "/features").json() == []


@pytest.mark.parametrize(
    ("target", "actor"),
    [
        ({"user": "alice"}, "User"),
        ({"group": "acme/code"}, "Group"),
        ({"namespace": "acme/code"}, "Namespace"),
        ({"project": "acme/app"}, "Project"),
        ({"organization": "default"}, "Organizations::Organization"),
        ({"organization": "1"}, "Organizations::Organization"),
        ({"repository": "acme/app.git"}, "Repository"),
        ({"runner": "7"}, "Ci::Runner"),
        ({"endpoint": "GET /api/v4/x"}, "Endpoint"),
    ],
)
def test_targets_become_flipper_ids(ask: Any, target: dict[str, str], actor: str) -> None:
    answer = ask("POST", "/features/some_flag", json={"value": "true", **target}).json()
    assert gates(answer)["actors"][0].rsplit(":", 1)[0] == actor


def test_deleting_a_flag_unlists_it_and_its_definition_stays(simulator: Simulator, ask: Any) -> None:
    simulator.state.add_flag_definition("some_flag", type="ops", default_enabled=True)
    ask("POST", "/features/some_flag", json={"value": "false"})
    assert ask("GET", "/features").json()[0]["definition"]["default_enabled"] is True
    for _ in range(2):
        answer = ask("DELETE", "/features/some_flag")
        assert (answer.status_code, answer.content) == (204, b"")
    assert ask("GET", "/features").json() == []
    assert [row["name"] for row in ask("GET", "/features/definitions").json()] == ["some_flag"]


def test_a_strict_instance_wants_a_definition_or_force(simulator: Simulator, ask: Any) -> None:
    simulator.state.require_definitions = True
    assert ask("POST", "/features/unknown", json={"value": "true"}).status_code == 400
    assert ask("POST", "/features/unknown", json={"value": "true", "force": True}).status_code == 201


@pytest.mark.parametrize("verb_path", [("GET", ""), ("GET", "/definitions"), ("POST", "/x"), ("DELETE", "/x")])
def test_only_an_administrator_gets_in(simulator: Simulator, ask: Any, verb_path: tuple[str, str]) -> None:
    verb, path = verb_path[0], f"/features{verb_path[1]}"
    assert ask(verb, path, token=None).status_code == 401
    assert ask(verb, path, token="wrong").json() == {"message": "401 Unauthorized"}
    assert ask(verb, path, token=simulator.reader_token).json() == {"message": "403 Forbidden"}


@pytest.mark.parametrize("verb_path", [("GET", ""), ("GET", "/definitions"), ("POST", "/x"), ("DELETE", "/x")])
def test_with_admin_mode_on_an_administrators_token_wants_its_scope(
    simulator: Simulator, ask: Any, verb_path: tuple[str, str]
) -> None:
    verb, path = verb_path[0], f"/features{verb_path[1]}"
    simulator.state.add_token("plain", "root", scopes=("api",))
    body = {"value": "true"}
    assert ask(verb, path, token="plain", json=body).status_code < 300
    simulator.state.admin_mode = True
    assert ask(verb, path, token="plain", json=body).json() == {"message": "403 Forbidden"}
    assert "is_admin" not in ask("GET", "/user", token="plain").json()
    assert ask(verb, path, json=body).status_code < 300, "this one has the scope"


def test_a_read_only_administrator_may_read_but_not_set(simulator: Simulator, ask: Any) -> None:
    simulator.state.add_token("watcher", "root", scopes=("read_api",))
    assert ask("GET", "/features", token="watcher").status_code == 200
    refused = ask("POST", "/features/x", token="watcher", json={"value": True})
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
