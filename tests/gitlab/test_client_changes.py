"""What the client changes, how it finds its own issues and notes again, and what is refused."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from rollouts.gitlab import BadAnswer, Forbidden, GateRecord, GitLab, GitLabProblem, Gone, Rejected, Unauthorized
from rollouts.simulator import Simulator

APP = "acme/app"
WEB = "<!-- portal issue 7f3c -->"


@pytest.fixture
def app(simulator: Simulator) -> int:
    return simulator.state.add_project(APP)


@pytest.fixture
def developer(simulator: Simulator, app: int) -> GitLab:
    simulator.state.add_user("dev", access="developer")
    simulator.state.add_token("dev-token", "dev", scopes=("api",))
    return GitLab(simulator.url, "dev-token")


def verbs(simulator: Simulator) -> list[str]:
    return [request.method for request in simulator.requests]


def strategy(name: str, environment: str, **parameters: str) -> dict[str, Any]:
    return {"name": name, "parameters": parameters, "scopes": [{"environment_scope": environment}]}


# Instance flags


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


# Project flags


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


# Issues and notes


def test_an_issue_is_opened(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    simulator.state.add_issue(APP, "Before")
    issue = gitlab.create_issue(
        APP, title="Rollout of the model", description=f"- [ ] Tell support\n{WEB}", labels=["AI", "type::feature"]
    )
    assert (issue.project_id, issue.iid, issue.title, issue.state) == (app, 2, "Rollout of the model", "opened")
    assert (issue.labels, issue.confidential, issue.task_count) == (("AI", "type::feature"), False, 1)
    assert issue.web_url == f"{simulator.url}/acme/app/-/issues/2"
    assert simulator.state.issue(APP, 2)["description"] == f"- [ ] Tell support\n{WEB}"
    secret = gitlab.create_issue(app, title="Secret", description="", confidential=True)
    assert (secret.labels, secret.confidential) == ((), True)
    assert verbs(simulator) == ["POST", "POST"]


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("", "title can't be blank"),
        ("  ", "title can't be blank"),
        ("x" * 256, "title is too long"),
        ("\0", "status|400"),
        ("\ud800", "400"),
    ],
)
def test_an_issue_without_a_good_title_is_rejected(
    simulator: Simulator, gitlab: GitLab, app: int, title: str, reason: str
) -> None:
    with pytest.raises(Rejected, match=reason):
        gitlab.create_issue(APP, title=title, description="")
    assert simulator.state.issues_of(APP) == []


def test_an_issue_is_found_by_its_marker(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    add = simulator.state.add_issue
    add(APP, f"Only the title says {WEB}")
    add(APP, "A near miss", description=WEB.replace("7f3c", "7f3cd"))
    assert gitlab.find_issue(APP, WEB) is None
    add(APP, "Younger", description=f"Words\n\n{WEB}\nmore words", created_at="2026-02-02T00:00:00.000Z")
    add(APP, "Older", description=f"x{WEB}x", created_at="2026-01-01T00:00:00.000Z", state="closed", confidential=True)
    found = gitlab.find_issue(APP, WEB)
    assert found is not None
    assert (found.title, found.state) == ("Older", "closed")
    query = simulator.requests[-1].query
    assert (query["search"], query["in"], query["scope"]) == ([WEB], ["description"], ["all"])


def test_a_marker_is_not_found_in_a_longer_one(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    for text in ("portal-1-20", "my-portal-1-2", "portal-1-2-3", "portal-1-2x", "PORTAL-1-2"):
        simulator.state.add_issue(APP, text, description=text)
    assert gitlab.find_issue(APP, "portal-1-2") is None
    simulator.state.add_issue(APP, "It", description="See (portal-1-2).")
    found = gitlab.find_issue(APP, "portal-1-2")
    assert found is not None
    assert found.title == "It"


def test_a_server_that_ignores_the_search_is_read_to_its_end(simulator: Simulator, gitlab: GitLab) -> None:
    rows = b"""[{"iid": 4, "title": "none", "state": "opened", "description": null},
                {"iid": 3, "title": "c", "state": "opened", "description": "mark"},
                {"iid": 2, "title": "b", "state": "odd"},
                {"iid": 1, "title": "a", "state": "closed", "description": "mark"}]"""
    simulator.fail(how="not_json", body=rows)
    found = gitlab.find_issue(APP, "mark")
    assert found is not None
    assert found.iid == 1


@pytest.mark.parametrize("marker", ["", " \n"])
def test_an_empty_marker_finds_nothing_rather_than_anything(
    simulator: Simulator, gitlab: GitLab, app: int, marker: str
) -> None:
    with pytest.raises(Rejected, match="marker"):
        gitlab.find_issue(APP, marker)
    with pytest.raises(Rejected, match="marker"):
        gitlab.find_note(APP, 1, marker)
    assert simulator.requests == []


def test_a_note_is_posted_and_found_again(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    simulator.state.add_issue(APP, "Plan", iid=11)
    note = gitlab.post_note(APP, 11, f"25 % now.\n{WEB}")
    assert simulator.state.issue(APP, 11)["notes"][0]["id"] == note
    assert gitlab.find_note(app, 11, WEB) == note
    assert gitlab.find_note(APP, 11, "7f3") is None
    assert verbs(simulator) == ["POST", "GET", "GET"]


def test_notes_are_searched_over_pages_newest_first(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    with simulator.state.change():
        simulator.state.add_issue(APP, "Plan", iid=11)
        oldest = simulator.state.add_note(APP, 11, "first mark-1")["id"]
        twice = simulator.state.add_note(APP, 11, "twice mark-2")["id"]
        for number in range(150):
            simulator.state.add_note(APP, 11, f"Note {number}")
        again = simulator.state.add_note(APP, 11, "twice mark-2")["id"]
        for number in range(100):
            simulator.state.add_note(APP, 11, f"Later {number}")
    assert gitlab.find_note(APP, 11, "mark-1") == oldest
    assert [request.query.get("page") for request in simulator.requests] == [None, ["2"], ["3"]]
    assert all(request.query["sort"] == ["desc"] for request in simulator.requests)
    simulator.forget_requests()
    assert gitlab.find_note(APP, 11, "mark-2") == again != twice
    assert len(simulator.requests) == 2, "no page after the one that has it"
    assert gitlab.find_note(APP, 11, "mark-3") is None


@pytest.mark.parametrize(("body", "reason"), [("", "can't be blank"), ("x" * 1_000_001, "too long")])
def test_a_bad_note_is_rejected(simulator: Simulator, gitlab: GitLab, app: int, body: str, reason: str) -> None:
    simulator.state.add_issue(APP, "Plan", iid=11)
    with pytest.raises(Rejected, match=reason):
        gitlab.post_note(APP, 11, body)
    assert simulator.state.issue(APP, 11)["notes"] == []


def test_open_issues_are_those_with_the_label(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    with simulator.state.change():
        for number in range(1, 131):
            simulator.state.add_issue(APP, f"Incident {number}", labels=["severity::1", "incident"])
        simulator.state.add_issue(APP, "Over", labels=["severity::1"], state="closed")
        simulator.state.add_issue(APP, "Mild", labels=["severity::4"])
    found = gitlab.open_issues(APP, "severity::1")
    assert sorted(issue.iid for issue in found) == list(range(1, 131))
    assert len(simulator.requests) == 2
    assert gitlab.open_issues(APP, " ") == []
    assert len(simulator.requests) == 2


def test_open_issues_of_a_plainer_server_are_filtered_here(simulator: Simulator, gitlab: GitLab) -> None:
    rows = b"""[{"iid": 1, "title": "a", "state": "opened", "labels": ["x"]},
                {"iid": 2, "title": "b", "state": "closed", "labels": ["x"]},
                {"iid": 3, "title": "c", "state": "opened", "labels": ["xy"]},
                {"iid": 1, "title": "a", "state": "opened", "labels": ["x"]},
                {"iid": 4, "title": "d", "state": "opened"}]"""
    simulator.fail(how="not_json", body=rows)
    assert [issue.iid for issue in gitlab.open_issues(APP, "x")] == [1]


# Rights and places


def changes(gitlab: GitLab, project: str | int = APP, iid: int = 1) -> dict[str, Any]:
    return {
        "set_feature": lambda: gitlab.set_feature("model", "true"),
        "set_project_flag": lambda: gitlab.set_project_flag(project, "model", active=True, strategies=[]),
        "create_issue": lambda: gitlab.create_issue(project, title="x", description="y"),
        "post_note": lambda: gitlab.post_note(project, iid, "z"),
    }


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ("set_feature", "administrator"),
        ("set_project_flag", "Developer"),
        ("create_issue", "Reporter"),
        ("post_note", "Reporter"),
    ],
)
def test_a_reader_is_told_what_a_change_needs(simulator: Simulator, app: int, change: str, right: str) -> None:
    simulator.state.add_issue(APP, "Plan", iid=1)
    simulator.state.add_project_flag(APP, "model", active=False)
    with pytest.raises(Forbidden, match="scope api") as problem:
        changes(GitLab(simulator.url, simulator.reader_token))[change]()
    assert right in problem.value.needs
    assert "read_api" not in problem.value.needs
    assert not problem.value.unsure
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("change", ["set_feature", "set_project_flag", "create_issue", "post_note"])
def test_a_wrong_token_changes_nothing(simulator: Simulator, app: int, change: str) -> None:
    with pytest.raises(Unauthorized) as problem:
        changes(GitLab(simulator.url, "wrong"))[change]()
    assert not problem.value.unsure


@pytest.mark.parametrize("change", ["set_project_flag", "create_issue", "post_note"])
def test_changes_to_an_unknown_project_are_gone(simulator: Simulator, gitlab: GitLab, change: str) -> None:
    with pytest.raises(Gone) as problem:
        changes(gitlab, "acme/none")[change]()
    assert not problem.value.unsure
    assert len(simulator.requests) == 1


def test_questions_about_an_unknown_place_are_gone(gitlab: GitLab, app: int) -> None:
    for question in (
        lambda: gitlab.find_issue("acme/none", "mark"),
        lambda: gitlab.find_note("acme/none", 1, "mark"),
        lambda: gitlab.find_note(APP, 99, "mark"),
        lambda: gitlab.open_issues("acme/none", "x"),
        lambda: gitlab.post_note(APP, 99, "x"),
    ):
        with pytest.raises(Gone):
            question()


def test_a_developer_changes_flags_and_issues_but_no_features(simulator: Simulator, developer: GitLab) -> None:
    simulator.state.add_project_flag(APP, "model", active=False)
    simulator.state.add_issue(APP, "Plan", iid=1, confidential=True)
    all_changes = changes(developer)
    assert all_changes["set_project_flag"]().active
    assert all_changes["create_issue"]().author == "dev"
    assert all_changes["post_note"]() > 0
    with pytest.raises(Forbidden, match="administrator"):
        all_changes["set_feature"]()


# What GitLab says


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": "400 Bad request - Because"}', "change: Because. Correct"),
        (b'{"message": "400 (Bad request) \\"x\\" not given"}', 'change: "x" not given. Correct'),
        (b'{"message": {"title": ["is bad", "is odd"], "base": []}}', "title is bad, is odd; base"),
        (b'{"message": ["Name is taken", {"a": ["b"]}]}', "Name is taken, a b"),
        (b'{"error": "title is missing, body is empty"}', "title is missing, body is empty"),
        (b'{"message": "a\\u0000b\\u0007\\n\\n c\\u202e"}', "change: ab c. Correct"),
        (b'{"message": null}', "with 422 and does not say why"),
        (b"[1, null, true]", "change: 1. Correct"),
        (b"<html>", "with 422 and does not say why"),
        (b"", "with 422 and does not say why"),
        (b"[" * 100_000, "with 422 and does not say why"),
        (b'{"message": ' + b'{"a":' * 50 + b'"deep"' + b"}" * 51, "refuses this change"),
    ],
)
def test_a_refusal_is_one_short_line(simulator: Simulator, gitlab: GitLab, body: bytes, said: str) -> None:
    simulator.fail(status=422, body=body)
    with pytest.raises(Rejected) as problem:
        gitlab.create_issue(APP, title="x", description="y")
    assert said in problem.value.words
    assert problem.value.words.isprintable()
    assert problem.value.__context__ is None


def test_a_long_refusal_is_cut_and_tells_no_token(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.fail(status=400, body=b'{"message": "' + simulator.token.encode() + b" " + b"long " * 100_000 + b'"}')
    with pytest.raises(Rejected) as problem:
        gitlab.set_feature("model", "true")
    assert len(problem.value.words) < 450
    assert simulator.token not in problem.value.words


@pytest.mark.parametrize(("status", "error"), [(400, Rejected), (409, Rejected), (413, Rejected), (422, Rejected)])
def test_only_changes_are_rejected(
    simulator: Simulator, gitlab: GitLab, status: int, error: type[GitLabProblem]
) -> None:
    simulator.fail(status=status)
    with pytest.raises(error):
        gitlab.set_feature("model", "true")
    with pytest.raises(BadAnswer):
        gitlab.features()
