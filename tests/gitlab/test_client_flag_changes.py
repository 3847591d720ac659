"""Flags changed through the door: each gate, whole strategies, and what is not even sent."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from gitlab_simulator import Simulator
from rollouts.gitlab import GateRecord, GitLab, Gone, Rejected

APP = "acme/app"


def verbs(simulator: Simulator) -> list[str]:
    return [request.method for request in simulator.requests]


def strategy(name: str, environment: str, **parameters: str) -> dict[str, Any]:
    return {"name": name, "parameters": parameters, "scopes": [{"environment_scope": environment}]}


def test_each_gate_of_a_feature_is_set(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.state.add_user("alice", id=42)
    group, project = simulator.state.add_group("acme/code"), simulator.state.add_project(APP)
    gitlab.set_feature("model", "true", parameter="feature_group", target="acme_team_members")
    gitlab.set_feature("model", "true", parameter="user", target="alice")
    gitlab.set_feature("model", "true", parameter="group", target="acme/code")
    gitlab.set_feature("model", "true", parameter="project", target=APP)
    gitlab.set_feature("model", "true", parameter="namespace", target="acme/code")
    gitlab.set_feature("model", "opt_out", parameter="group", target="acme/code")
    feature = gitlab.set_feature("model", "12.5", parameter="key", target="percentage_of_actors")
    assert (feature.name, feature.state) == ("model", "conditional")
    actors = ("User:42", f"Group:{group}", f"Project:{project}", f"Namespace:{group}", f"Group:{group}:opt_out")
    assert {gate.key: gate.value for gate in feature.gates} == {
        "boolean": False,
        "expression": None,
        "actors": actors,
        "percentage_of_actors": 12.5,
        "groups": ("acme_team_members",),
    }
    assert gitlab.features() == [feature]
    assert verbs(simulator) == ["POST"] * 7 + ["GET"]


def test_a_feature_is_switched_on_and_off_for_everyone(gitlab: GitLab) -> None:
    gitlab.set_feature("model", "25", parameter="key", target="percentage_of_actors")
    on = gitlab.set_feature("model", "true")
    assert (on.state, on.gates[0], len(on.gates)) == ("on", GateRecord("boolean", True), 2)
    off = gitlab.set_feature("model", "false")
    assert (off.state, off.gates[0]) == ("off", GateRecord("boolean", False))


def test_gitlabs_reason_is_told(gitlab: GitLab) -> None:
    gitlab.set_feature("model", "true")
    with pytest.raises(Rejected, match="Cannot enable percentage of actors for a fully-enabled flag") as problem:
        gitlab.set_feature("model", "25", parameter="key", target="percentage_of_actors")
    assert (problem.value.kind, problem.value.unsure) == ("rejected", False)
    assert "400" not in problem.value.words
    with pytest.raises(Rejected, match="nobody is not found!"):
        gitlab.set_feature("model", "true", parameter="user", target="nobody")


@pytest.mark.parametrize(
    ("value", "parameter", "target"),
    [
        ("", "", ""),
        ("yes", "", ""),
        ("25", "", ""),  # GitLab would make it a percentage of time
        ("0", "", ""),
        ("opt_out", "", ""),
        ("true", "", "alice"),  # GitLab would set it for everyone
        ("true", "user", ""),
        ("false", "user", " "),
        ("false", "user", "alice,,bob"),
        ("50", "user", "alice"),
        ("true", "key", "percentage_of_actors"),
        ("101", "key", "percentage_of_actors"),
        ("-1", "key", "percentage_of_actors"),
        ("1e1", "key", "percentage_of_actors"),
        ("٣", "key", "percentage_of_actors"),
        ("25", "key", "percentage_of_time"),
        ("25", "key", ""),
        ("true", "runner", "1"),
        ("true", "force", "true"),
    ],
)
def test_what_would_hit_more_than_it_says_is_not_sent(
    simulator: Simulator, gitlab: GitLab, value: str, parameter: str, target: str
) -> None:
    with pytest.raises(Rejected) as problem:
        gitlab.set_feature("model", value, parameter=parameter, target=target)
    assert problem.value.words.endswith(".")
    assert not problem.value.unsure
    assert simulator.requests == []


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb"])
def test_what_cannot_be_a_flag_is_gone_without_a_call(simulator: Simulator, gitlab: GitLab, name: str) -> None:
    with pytest.raises(Gone, match="flag of that name"):
        gitlab.set_feature(name, "true")
    assert simulator.requests == []


def test_a_flags_name_is_taken_to_the_letter(simulator: Simulator, gitlab: GitLab) -> None:
    assert gitlab.set_feature("a/../b ?x=1#y/", "true").name == "a/../b ?x=1#y/"
    assert simulator.requests[0].path == "/api/v4/features/a/../b ?x=1#y/"


def test_a_project_flag_gets_other_strategies(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    before = simulator.state.add_project_flag(
        APP,
        "model",
        active=False,
        strategies=[strategy("default", "staging"), strategy("userWithId", "production", userIds="ann")],
    )
    staging, production = before["strategies"]
    rollout = strategy("flexibleRollout", "production", groupId="default", rollout="25", stickiness="default")
    flag = gitlab.set_project_flag(
        APP, "model", active=True, strategies=[{"id": production["id"], "_destroy": True}, MappingProxyType(rollout)]
    )
    assert (flag.name, flag.active) == ("model", True)
    kept, new = flag.strategies
    assert (kept.id, kept.name, kept.scopes) == (staging["id"], "default", ("staging",))
    assert (new.name, new.parameters["rollout"], new.scopes) == ("flexibleRollout", "25", ("production",))
    assert gitlab.project_flags(app) == [flag]
    wider = {"id": new.id, "name": new.name, "parameters": {**new.parameters, "rollout": "50"}}
    flag = gitlab.set_project_flag(app, "model", active=True, strategies=[wider])
    assert [one.parameters.get("rollout") for one in flag.strategies] == [None, "50"]
    off = gitlab.set_project_flag(app, "model", active=False, strategies=[])
    assert (off.active, off.strategies) == (False, flag.strategies)
    assert verbs(simulator) == ["PUT", "GET", "PUT", "PUT"]


def test_a_wrong_strategy_is_rejected_whole(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    flag = simulator.state.add_project_flag(APP, "model", strategies=[strategy("default", "*")])
    remove = {"id": flag["strategies"][0]["id"], "_destroy": True}
    with pytest.raises(Rejected, match="Strategies parameters are invalid"):
        gitlab.set_project_flag(APP, "model", active=False, strategies=[remove, strategy("default", "*", a="b")])
    (untouched,) = gitlab.project_flags(APP)
    assert untouched.active
    assert [one.name for one in untouched.strategies] == ["default"]


@pytest.mark.parametrize("strategies", [[{}], [{"name": object()}], [{"parameters": {"x": float("nan")}}], ["default"]])
def test_strategies_that_are_none_are_not_sent(
    simulator: Simulator, gitlab: GitLab, app: int, strategies: list[Any]
) -> None:
    with pytest.raises(Rejected, match="plain JSON"):
        gitlab.set_project_flag(APP, "model", active=True, strategies=strategies)
    assert simulator.requests == []


def test_a_project_flag_that_is_not_there_is_gone(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    for project, name in ((APP, "model"), ("acme/none", "model")):
        with pytest.raises(Gone):
            gitlab.set_project_flag(project, name, active=True, strategies=[])
    simulator.state.add_project_flag(APP, "model")
    with pytest.raises(Gone):
        gitlab.set_project_flag(APP, "model", active=True, strategies=[{"id": 99, "_destroy": True}])
