"""The simulator's answers and events against ``contract.yaml``: no field that GitLab has not, none of its own missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gitlab_simulator import Simulator
from gitlab_simulator.hooks import EVENTS

CONTRACT: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("contract.yaml").read_text())
TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "number": (int, float),
    "yes_no": bool,
    "list": list,
    "object": dict,
    "any": object,
}
CHANGES: dict[str, dict[str, Any]] = {
    "POST /features/flag": {"value": "true"},
    "POST /projects/acme%2Fapp/issues": {"title": "x", "labels": "a"},
    "PUT /projects/acme%2Fapp/issues/1": {"title": "y"},
    "POST /projects/acme%2Fapp/issues/1/notes": {"body": "x"},
    "PUT /projects/acme%2Fapp/feature_flags/flag": {
        "active": False,
        "strategies": [{"name": "default", "scopes": [{"environment_scope": "*"}]}],
    },
}


def check(kind: str, value: Any, place: str = "") -> list[str]:
    """What in ``value`` is none of GitLab's, is missing, or has another type."""
    if kind.startswith("list of "):
        if not isinstance(value, list):
            return [f"{place} is no list"]
        return [wrong for number, row in enumerate(value) for wrong in check(kind[8:], row, f"{place}[{number}]")]
    if value is None:
        return []
    if kind in TYPES:
        right = isinstance(value, TYPES[kind]) and (kind != "number" or not isinstance(value, bool))
        return [] if right else [f"{place} is {value!r}, no {kind}"]
    fields = {name: of for of, names in CONTRACT["shapes"][kind].items() for name in names.split()}
    kinds = {name.rstrip("!"): of for name, of in fields.items()}
    wrong = [f"{place}.{name} is no field of {kind}" for name in value if name not in kinds]
    wrong += [f"{place}.{name[:-1]} is missing" for name in fields if name.endswith("!") and name[:-1] not in value]
    return wrong + [
        one for name in value if name in kinds for one in check(kinds[name], value[name], f"{place}.{name}")
    ]


@pytest.fixture
def filled(simulator: Simulator) -> Simulator:
    state = simulator.state
    state.add_user("alice", id=42)
    state.add_group("acme/code")
    state.add_project("acme/app")
    state.add_hook("acme/app", "http://127.0.0.1:9/", issues_events=True)
    state.add_issue("acme/app", "One", description="- [x] a", labels=["x"], assignees=["alice"], due_date="2026-12-01")
    state.set_issue("acme/app", 1, state="closed")
    state.add_issue("acme/app", "Two")
    state.add_note("acme/app", 1, "Hello")
    state.add_flag_definition(
        "flag", group="group::x", milestone="19.1", rollout_issue_url="https://x.example/a/-/issues/1"
    )
    state.set_feature("flag", 12.5, key="percentage_of_actors")
    state.set_feature("flag", True, user="alice")
    state.set_feature("flag", True, feature_group="team")
    friends = state.add_user_list("acme/app", "friends", "a,b")
    state.add_project_flag(
        "acme/app",
        "flag",
        strategies=[
            {"name": "default", "parameters": {}, "scopes": ["production"]},
            {"name": "gitlabUserList", "user_list_id": friends["id"], "scopes": ["*"]},
        ],
    )
    return simulator


@pytest.mark.parametrize(("question", "kind"), CONTRACT["answers"].items())
def test_answers_are_gitlabs(filled: Simulator, ask: Any, question: str, kind: str) -> None:
    verb, path = question.split()
    answer = ask(verb, path, json=CHANGES.get(question))
    assert answer.status_code == (201 if verb == "POST" else 200)
    assert answer.json()
    assert check(kind, answer.json()) == []


def test_one_issue_says_whether_it_is_subscribed(filled: Simulator, ask: Any) -> None:
    assert ask("GET", "/projects/acme%2Fapp/issues/1").json()["subscribed"] is False


def test_each_change_of_the_contract_is_made() -> None:
    assert set(CHANGES) == {question for question in CONTRACT["answers"] if not question.startswith("GET")}


@pytest.mark.parametrize("kind", CONTRACT["events"])
def test_events_are_gitlabs(simulator: Simulator, kind: str) -> None:
    simulator.stop()  # nobody listens: what is owed stays to be read
    state = simulator.state
    state.add_project("acme/app")
    state.add_hook("acme/app", "http://127.0.0.1:9/", **dict.fromkeys(EVENTS, True))
    state.add_issue("acme/app", "One", labels=["x"], assignees=["alice"], description="words")
    state.set_issue("acme/app", 1, state="closed", labels=["y"])
    state.add_note("acme/app", 1, "Hello")
    state.add_project_flag("acme/app", "flag", description="words")
    state.set_project_flag("acme/app", "flag", active=False)
    told = [state.outgoing.take() for _ in range(state.outgoing.qsize())]
    payloads = [sent.payload for sent in told if sent and sent.payload["object_kind"] == kind]
    assert payloads
    assert [wrong for payload in payloads for wrong in check(CONTRACT["events"][kind], payload)] == []


@pytest.mark.parametrize(
    ("kind", "value", "wrong"),
    [
        ("list of Gate", {"key": "boolean"}, " is no list"),
        ("Tasks", {"count": True}, ".count is True, no number"),
        ("Tasks", {"count": 1, "colour": 2}, ".colour is no field of Tasks"),
        ("Feature", {"name": "x", "gates": [], "definition": None}, ".state is missing"),
        (
            "Feature",
            {"name": "x", "state": "on", "gates": [{"key": 1}], "definition": None},
            ".gates[0].key is 1, no text",
        ),
    ],
)
def test_the_check_finds_what_is_wrong(kind: str, value: Any, wrong: str) -> None:
    assert check(kind, value) == [wrong]
