"""Changes over REST as GitLab takes and refuses them, and answers that are lost after the work was done."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests

from gitlab_simulator import Simulator

ISSUES = "/projects/acme%2Fapp/issues"


@pytest.fixture
def app(simulator: Simulator) -> int:
    return simulator.state.add_project("acme/app")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({}, {"error": "title is missing"}),
        ({"title": ""}, {"message": {"title": ["can't be blank"]}}),
        ({"title": " "}, {"message": {"title": ["can't be blank"]}}),
        ({"title": "x" * 256}, {"message": {"title": ["is too long (maximum is 255 characters)"]}}),
        ({"title": {"a": 1}}, {"error": "title is invalid"}),
        ({"title": "x", "description": ["y"]}, {"error": "description is invalid"}),
        ({"title": "x", "confidential": "perhaps"}, {"error": "confidential is invalid"}),
        ({"title": "x", "issue_type": "dream"}, {"error": "issue_type does not have a valid value"}),
        ({"title": "nul \0"}, {"error": "400 Bad Request"}),
        ({"title": "half \ud83d"}, {"error": "400 Bad Request"}),
        ({"title": "x", "labels": ["a", "\0"]}, {"error": "400 Bad Request"}),
    ],
)
def test_wrong_issues_are_refused(
    simulator: Simulator, ask: Any, app: int, body: dict[str, Any], answer: dict[str, Any]
) -> None:
    refused = ask("POST", ISSUES, data=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()) == (400, answer)
    assert simulator.state.issues_of(app) == []


def test_labels_are_a_comma_list_or_a_list(ask: Any, app: int) -> None:
    for body in ({"json": {"labels": "b, a"}}, {"json": {"labels": ["b", "a"]}}, {"data": {"labels[]": ["b", "a"]}}):
        (kind, fields), *_ = body.items()
        made = ask("POST", ISSUES, **{kind: {"title": "x", **fields}})
        assert (made.status_code, made.json()["labels"]) == (201, ["a", "b"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=needle", {1, 2}),
        ("search=needle&in=title", {1}),
        ("search=NEEDLE&in=description", {2}),
        ("search=needle&in=title,description", {1, 2}),
        ("search=%3C!--%20needle%20--%3E&in=description&scope=all", {2}),
        ("search=needle&in=description&state=closed", set()),
    ],
)
def test_a_search_looks_where_it_is_told(simulator: Simulator, ask: Any, app: int, query: str, found: set[int]) -> None:
    simulator.state.add_issue(app, "A needle")
    simulator.state.add_issue(app, "Hay", description="<!-- needle -->")
    simulator.state.add_issue(app, "Hay")
    assert {issue["iid"] for issue in ask("GET", f"{ISSUES}?{query}").json()} == found


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({}, {"error": "body is missing"}),
        ({"body": " "}, {"message": '400 Bad request - Note {:note=>["can\'t be blank"]}'}),
        ({"body": [1]}, {"error": "body is invalid"}),
    ],
)
def test_wrong_notes_are_refused(
    simulator: Simulator, ask: Any, app: int, body: dict[str, Any], answer: dict[str, Any]
) -> None:
    simulator.state.add_issue(app, "Plan")
    refused = ask("POST", f"{ISSUES}/1/notes", json=body)
    assert (refused.status_code, refused.json()) == (400, answer)


def test_notes_are_ordered_and_paged(simulator: Simulator, ask: Any, app: int) -> None:
    simulator.state.add_issue(app, "Plan")
    for number in range(5):
        simulator.state.add_note(app, 1, f"Note {number}")
    newest = ask("GET", f"{ISSUES}/1/notes?sort=desc&order_by=created_at&per_page=2")
    assert [note["body"] for note in newest.json()] == ["Note 4", "Note 3"]
    assert newest.headers["X-Next-Page"] == "2"
    rest = ask("GET", newest.links["next"]["url"].removeprefix(f"{simulator.url}/api/v4"))
    assert [note["body"] for note in rest.json()] == ["Note 2", "Note 1"]
    oldest = ask("GET", f"{ISSUES}/1/notes?sort=asc")
    assert [note["body"] for note in oldest.json()] == [f"Note {number}" for number in range(5)]
    assert ask("GET", f"{ISSUES}/1/notes?order_by=weight").status_code == 400


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("POST", "/features/model", {"value": "true"}),
        ("POST", ISSUES, {"title": "x"}),
        ("POST", f"{ISSUES}/1/notes", {"body": "x"}),
        ("PUT", "/projects/acme%2Fapp/feature_flags/model", {"active": False}),
    ],
)
def test_changes_take_the_right_token(
    simulator: Simulator, ask: Any, app: int, verb: str, path: str, body: dict[str, Any]
) -> None:
    simulator.state.add_issue(app, "Plan")
    simulator.state.add_project_flag(app, "model")
    simulator.state.add_token("looks-only", "root", scopes=("read_api", "admin_mode"))
    assert ask(verb, path, token=None, json=body).status_code == 401
    assert ask(verb, path, token="wrong", json=body).status_code == 401
    assert ask(verb, path, token=simulator.reader_token, json=body).status_code == 403
    looks_only = ask(verb, path, token="looks-only", json=body)
    assert (looks_only.status_code, looks_only.json()["error"]) == (403, "insufficient_scope")
    assert ask(verb, path, json=body).status_code == (200 if verb == "PUT" else 201)


def test_features_take_a_form_or_json(simulator: Simulator, ask: Any) -> None:
    simulator.state.add_user("alice", id=42)
    simulator.state.add_user("bob", id=43)
    for options in (
        {"json": {"value": "true", "user": "alice,bob"}},
        {"data": {"value": "true", "user": "alice,bob"}},
        {"json": {"value": True, "user": "alice,bob"}},
    ):
        answer = ask("POST", "/features/model", **options)
        assert answer.status_code == 201
        assert {"key": "actors", "value": ["User:42", "User:43"]} in answer.json()["gates"]
        simulator.state.delete_feature("model")
    assert ask("POST", "/features/model", json={"value": "true", "user": 42}).status_code == 400
    assert ask("POST", "/features/model", json={}).json() == {"error": "value is missing"}


def test_a_flags_strategies_are_named_by_number_or_text(simulator: Simulator, ask: Any, app: int) -> None:
    flags = f"/projects/{app}/feature_flags"
    flag = simulator.state.add_project_flag(app, "model", strategies=[{"name": "default"}])
    simulator.state.add_project_flag(app, "other")
    which = str(flag["strategies"][0]["id"])
    answer = ask("PUT", f"{flags}/model", json={"strategies": [{"id": which, "_destroy": True}]})
    assert (answer.status_code, answer.json()["strategies"]) == (200, [])
    again = ask("PUT", f"{flags}/model", json={"strategies": [{"id": which, "_destroy": True}]})
    assert again.status_code == 404, "what is gone cannot go again: a PUT is not to be sent twice"
    assert ask("PUT", f"{flags}/model", json={"strategies": [{"id": "x"}]}).status_code == 400
    assert ask("PUT", f"{flags}/model", json={"name": "other"}).json() == {"message": ["Name has already been taken"]}
    assert ask("PUT", f"{flags}/none", json={"active": True}).status_code == 404


def test_an_answer_is_lost_after_the_work(simulator: Simulator, ask: Any, app: int) -> None:
    simulator.fail(how="drop", after=True, method="POST", times=1)
    with pytest.raises(requests.ConnectionError):
        ask("POST", ISSUES, json={"title": "Lost"})
    assert [issue["title"] for issue in ask("GET", ISSUES).json()] == ["Lost"]
    assert [(request.method, request.status) for request in simulator.requests] == [("POST", 0), ("GET", 200)]
    assert ask("POST", ISSUES, json={"title": "Heard"}).status_code == 201


def test_a_500_can_come_before_or_after_the_work(simulator: Simulator, ask: Any, app: int) -> None:
    simulator.fail(status=500, method="POST", times=1)
    assert ask("POST", ISSUES, json={"title": "Never made"}).status_code == 500
    simulator.fail(status=500, method="POST", times=1, after=True)
    assert simulator.server.faults.words() == ["500 after the work"]
    assert ask("POST", ISSUES, json={"title": "Made"}).json() == {"message": "500 simulated"}
    assert [issue["title"] for issue in simulator.state.issues_of(app)] == ["Made"]


def test_a_delay_can_come_after_the_work(simulator: Simulator, ask: Any, app: int) -> None:
    simulator.delay(0.5, after=True, method="POST", times=1)
    sender = threading.Thread(target=ask, args=("POST", ISSUES), kwargs={"json": {"title": "Slow"}})
    sender.start()
    while not simulator.requests:
        assert sender.is_alive()
    assert sender.is_alive(), "the answer is still to come"
    assert [issue["title"] for issue in simulator.state.issues_of(app)] == ["Slow"]
    sender.join()


def test_faults_hit_as_often_as_told_from_many_threads(simulator: Simulator, app: int) -> None:
    simulator.fail(how="drop", after=True, method="POST", times=20)
    lost: list[int] = []

    def send(number: int) -> None:
        session = requests.Session()
        session.trust_env = False
        for turn in range(10):
            try:
                session.post(
                    f"{simulator.url}/api/v4{ISSUES}",
                    json={"title": f"{number}-{turn}"},
                    headers={"PRIVATE-TOKEN": simulator.token},
                    timeout=10,
                )
            except requests.ConnectionError:
                lost.append(number)
        session.close()

    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(lost) == 20
    titles = [issue["title"] for issue in simulator.state.issues_of(app)]
    assert len(titles) == len(set(titles)) == 80, "each change was made once, heard of or not"


def test_a_lost_answer_can_be_set_by_hand(simulator: Simulator, ask: Any, app: int) -> None:
    requests.post(f"{simulator.url}/simulator/faults", data={"what": "lost"}, timeout=10)
    with pytest.raises(requests.ConnectionError):
        ask("POST", ISSUES, json={"title": "Lost"})
    assert len(ask("GET", ISSUES).json()) == 1
    assert simulator.server.faults.words() == ["drop after the work"]
