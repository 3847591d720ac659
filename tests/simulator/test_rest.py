"""The simulator's REST API: GitLab's shapes, headers, paging, rights and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_simulator import Simulator

ISSUES = "/projects/acme%2Fapp/issues"


@pytest.fixture
def app(simulator: Simulator) -> int:
    return simulator.state.add_project("acme/app")


def iids(answer: Any) -> list[int]:
    return [issue["iid"] for issue in answer.json()]


def test_pages_have_gitlabs_headers(simulator: Simulator, ask: Any, app: int) -> None:
    for number in range(1, 46):
        simulator.state.add_issue(app, f"Issue {number}")
    first = ask("GET", ISSUES)
    assert len(first.json()) == 20
    middle = ask("GET", f"{ISSUES}?page=2&labels=&state=opened")
    headers = {name: value for name, value in middle.headers.items() if name.startswith("X-") and "age" in name}
    assert headers == {"X-Next-Page": "3", "X-Page": "2", "X-Per-Page": "20", "X-Prev-Page": "1", "X-Total-Pages": "3"}
    assert middle.headers["X-Total"] == "45"
    assert set(middle.links) == {"prev", "next", "first", "last"}
    last = ask("GET", middle.links["next"]["url"].removeprefix(f"{simulator.url}/api/v4"))
    assert (len(last.json()), last.headers["X-Next-Page"], "next" in last.links) == (5, "", False)
    assert "state=opened" in middle.links["next"]["url"]


@pytest.mark.parametrize(("asked", "got"), [(1, 1), (100, 100), (1_000, 100), (-3, 1)])
def test_a_page_holds_at_most_100(simulator: Simulator, ask: Any, app: int, asked: int, got: int) -> None:
    with simulator.state.change():
        for number in range(150):
            simulator.state.add_issue(app, f"Issue {number}")
    assert len(ask("GET", f"{ISSUES}?per_page={asked}").json()) == got


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("page=x", "page is invalid"),
        ("per_page=0", "per_page has a value not allowed"),
        ("state=gone", "state does not have a valid value"),
        ("iids[]=x", "iids is invalid"),
        ("updated_after=soon", "updated_after is invalid"),
        ("confidential=perhaps", "confidential is invalid"),
    ],
)
def test_wrong_parameters_are_named(ask: Any, app: int, query: str, error: str) -> None:
    answer = ask("GET", f"{ISSUES}?{query}")
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_totals_are_left_out_above_10_000(simulator: Simulator, ask: Any, app: int) -> None:
    with simulator.state.change():
        for number in range(10_001):
            simulator.state.add_issue(app, f"Issue {number}")
    answer = ask("GET", f"{ISSUES}?per_page=1")
    assert "X-Total" not in answer.headers
    assert "last" not in answer.links


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [4, 3, 2, 1]),
        ("sort=asc", [1, 2, 3, 4]),
        ("order_by=updated_at", [1, 4, 3, 2]),
        ("order_by=title&sort=asc", [4, 3, 2, 1]),
        ("state=opened", [3, 2, 1]),
        ("state=closed", [4]),
        ("iids[]=1&iids[]=3&iids[]=99", [3, 1]),
        ("iids=2,4", [4, 2]),
        ("labels=a", [2, 1]),
        ("labels=a,b", [2]),
        ("labels=None", [4, 3]),
        ("labels=Any", [2, 1]),
        ("confidential=true", [3]),
        ("search=DESCRIBED", [2]),
        ("assignee_username=alice", [2]),
        ("author_username=mia", [1]),
        ("updated_after=2026-01-04T00:00:00Z", [4, 1]),
        ("updated_after=2026-01-04T00:00:01Z", [1]),
        ("updated_before=2026-01-02T00:00:00Z", [2]),
        ("created_after=2026-01-03T00:00:00Z&created_before=2026-01-03T12:00:00%2B02:00", [3]),
    ],
)
def test_issues_are_filtered_and_ordered(
    simulator: Simulator, ask: Any, app: int, query: str, found: list[int]
) -> None:
    add = simulator.state.add_issue
    add(
        app,
        "d",
        created_at="2026-01-01T00:00:00.000Z",
        updated_at="2026-02-01T00:00:00.000Z",
        labels=["a"],
        author="mia",
    )
    add(
        app,
        "c",
        created_at="2026-01-02T00:00:00.000Z",
        labels=["b", "a"],
        description="Described here",
        assignees=["alice"],
    )
    add(app, "b", created_at="2026-01-03T00:00:00.000Z", confidential=True)
    add(app, "a", created_at="2026-01-04T00:00:00.000Z", state="closed")
    assert iids(ask("GET", f"{ISSUES}?{query}")) == found


def test_what_a_stranger_may_not_see_is_not_there(simulator: Simulator, ask: Any, app: int) -> None:
    simulator.state.add_issue(app, "Secret", confidential=True)
    simulator.state.add_issue(app, "For the reader", confidential=True, assignees=["reader"])
    simulator.state.add_issue(app, "Open")
    reader = simulator.reader_token
    assert iids(ask("GET", ISSUES, token=reader)) == [3, 2]
    assert ask("GET", f"{ISSUES}/1", token=reader).status_code == 404
    assert ask("GET", f"{ISSUES}/1/notes", token=reader).status_code == 404
    assert ask("GET", f"{ISSUES}/2", token=reader).status_code == 200
    assert ask("GET", ISSUES, token=None).json() == {"message": "404 Project Not Found"}
    assert ask("GET", "/projects/acme%2Fnone/issues").json() == {"message": "404 Project Not Found"}
    assert ask("GET", f"{ISSUES}/99").json() == {"message": "404 Not found"}
    assert ask("GET", f"/projects/{app}/issues/1").json()["title"] == "Secret"


def test_an_issue_is_opened_changed_closed_and_deleted(simulator: Simulator, ask: Any, app: int) -> None:
    body = {"title": "New", "labels": "x,y", "description": "- [ ] a\n- [x] b", "confidential": True}
    made = ask("POST", ISSUES, json=body)
    assert made.status_code == 201
    issue = made.json()
    assert (issue["iid"], issue["labels"], issue["confidential"], issue["author"]["username"]) == (
        1,
        ["x", "y"],
        True,
        "root",
    )
    assert issue["task_completion_status"] == {"count": 2, "completed_count": 1}
    assert issue["has_tasks"] is False, "GitLab's own inversion"
    assert issue["web_url"] == f"{simulator.url}/acme/app/-/issues/1"

    closed = ask("PUT", f"{ISSUES}/1", data={"state_event": "close", "remove_labels": "x", "add_labels": "z"}).json()
    assert (closed["state"], closed["labels"], closed["closed_by"]["username"]) == ("closed", ["y", "z"], "root")
    assert closed["closed_at"] == closed["updated_at"]
    reopened = ask("PUT", f"{ISSUES}/1", json={"state_event": "reopen", "title": "Newer", "confidential": False}).json()
    assert (reopened["state"], reopened["closed_at"], reopened["title"]) == ("opened", None, "Newer")
    assert reopened["confidential"] is False
    assert ask("PUT", f"{ISSUES}/1", json={}).status_code == 400
    assert ask("PUT", f"{ISSUES}/1", json={"state_event": "burn"}).status_code == 400
    assert ask("POST", ISSUES, json={}).json() == {"error": "title is missing"}

    note = ask("POST", f"{ISSUES}/1/notes", json={"body": "Feels fast", "internal": True})
    assert (note.status_code, note.json()["internal"], note.json()["noteable_iid"]) == (201, True, 1)
    assert ask("GET", f"{ISSUES}/1").json()["user_notes_count"] == 1
    kinds = [row["system"] for row in ask("GET", f"{ISSUES}/1/notes?sort=asc").json()]
    assert kinds == [True, True, False]
    assert len(ask("GET", f"{ISSUES}/1/notes?activity_filter=only_comments").json()) == 1
    assert len(ask("GET", f"{ISSUES}/1/notes", token=simulator.reader_token).json()) == 2, "an internal note is hidden"

    assert ask("PUT", f"{ISSUES}/1", token=simulator.reader_token, json={"title": "x"}).json()["scope"] == "api"
    assert ask("DELETE", f"{ISSUES}/1").status_code == 204
    assert ask("GET", f"{ISSUES}/1").status_code == 404


def test_project_flags_live_their_life(simulator: Simulator, ask: Any, app: int) -> None:
    flags = f"/projects/{app}/feature_flags"
    rollout = {
        "name": "flexibleRollout",
        "parameters": {"groupId": "default", "rollout": "10", "stickiness": "default"},
        "scopes": [{"environment_scope": "production"}],
    }
    made = ask("POST", flags, json={"name": "new_model", "version": "new_version_flag", "strategies": [rollout]})
    assert made.status_code == 201
    (strategy,) = made.json()["strategies"]
    wider = {"id": strategy["id"], "parameters": {**rollout["parameters"], "rollout": "50"}}  # type: ignore[dict-item]
    friends = ask("POST", f"{flags}_user_lists", json={"name": "friends", "user_xids": "a,b"}).json()
    listed = {"name": "gitlabUserList", "user_list_id": friends["id"], "scopes": [{"environment_scope": "*"}]}
    changed = ask("PUT", f"{flags}/new_model", json={"strategies": [wider, listed], "active": False}).json()
    assert changed["active"] is False
    assert [one["parameters"].get("rollout") for one in changed["strategies"]] == ["50", None]
    assert changed["strategies"][1]["user_list"]["user_xids"] == "a,b"
    assert ask("GET", f"{flags}/new_model").json() == changed
    assert ask("GET", f"{flags}?scope=enabled").json() == []
    assert ask("DELETE", f"{flags}_user_lists/{friends['iid']}").status_code == 409
    fewer = ask("PUT", f"{flags}/new_model", json={"strategies": [{"id": strategy["id"], "_destroy": True}]}).json()
    assert [one["name"] for one in fewer["strategies"]] == ["gitlabUserList"]
    assert ask("DELETE", f"{flags}/new_model").status_code == 200
    assert ask("DELETE", f"{flags}_user_lists/{friends['iid']}").status_code == 204
    assert ask("GET", f"{flags}/new_model").status_code == 404
    assert ask("GET", flags, token=simulator.reader_token).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Upper"},
        {"name": "ends_"},
        {"name": "x", "version": "legacy_flag"},
        {"name": "x", "description": "x" * 256},
        {"name": "x", "strategies": [{"name": "moon"}]},
        {"name": "x", "strategies": ["default"]},
        {"name": "x", "strategies": [{"name": "default", "parameters": {"a": "b"}}]},
        {"name": "x", "strategies": [{"name": "gitlabUserList", "user_list_id": 99}]},
        {"name": "x", "strategies": [{"name": "default", "scopes": [{}]}]},
        {
            "name": "x",
            "strategies": [
                {"name": "flexibleRollout", "parameters": {"groupId": "a", "rollout": 10, "stickiness": "default"}}
            ],
        },
        {
            "name": "x",
            "strategies": [
                {"name": "flexibleRollout", "parameters": {"groupId": "a", "rollout": "101", "stickiness": "default"}}
            ],
        },
        {},
    ],
)
def test_wrong_project_flags_are_refused_whole(ask: Any, app: int, body: dict[str, Any]) -> None:
    assert ask("POST", f"/projects/{app}/feature_flags", json=body).status_code == 400
    assert ask("GET", f"/projects/{app}/feature_flags").json() == []


def test_people_and_places(simulator: Simulator, ask: Any, app: int) -> None:
    simulator.state.add_user("alice", id=42)
    simulator.state.add_group("acme/code")
    assert [row["id"] for row in ask("GET", "/users?username=ALICE").json()] == [42]
    assert ask("GET", "/users?username=nobody").json() == []
    assert ask("GET", "/users/42").json()["username"] == "alice"
    assert ask("GET", "/users/77").status_code == 404
    assert ask("GET", "/groups/acme%2Fcode").json()["full_path"] == "acme/code"
    assert ask("GET", "/groups/acme").status_code == 404
    assert ask("GET", f"/projects/{app}").json()["path_with_namespace"] == "acme/app"
    assert ask("GET", "/user").json()["is_admin"] is True
    assert ask("GET", "/version").json()["version"].startswith("19.")
    token = ask("GET", "/personal_access_tokens/self", token=simulator.reader_token).json()
    assert (token["scopes"], token["active"]) == (["read_api"], True)
    assert ask("GET", "/user", token=None).status_code == 401


def test_a_bearer_token_is_as_good(simulator: Simulator, ask: Any) -> None:
    bearer = {"Authorization": f"Bearer {simulator.token}"}
    assert ask("GET", "/user", token=None, headers=bearer).json()["username"] == "root"


def test_an_unchanged_answer_is_304_by_its_etag(simulator: Simulator, ask: Any) -> None:
    simulator.state.set_feature("flag", 25, key="percentage_of_actors")
    etag = ask("GET", "/features").headers["ETag"]
    assert etag.startswith('W/"')
    unchanged = ask("GET", "/features", headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    simulator.state.set_feature("flag", 50, key="percentage_of_actors")
    assert ask("GET", "/features", headers={"If-None-Match": etag}).status_code == 200


def test_every_answer_says_what_is_left_of_the_rate(simulator: Simulator, ask: Any) -> None:
    headers = ask("GET", "/features", token="wrong").headers
    assert {"RateLimit-Limit", "RateLimit-Observed", "RateLimit-Remaining", "RateLimit-Reset"} <= set(headers)
    simulator.limit_requests(1)
    limited = [ask("GET", "/version") for _ in range(3)][-1]
    assert limited.status_code == 429
    assert int(limited.headers["Retry-After"]) <= 60
    assert limited.headers["RateLimit-Remaining"] == "0"


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("PATCH", "/features", 405),
        ("POST", "/version", 405),
        ("GET", "/projects/1/x/y/z", 404),
    ],
)
def test_other_addresses_are_answered_in_json(ask: Any, verb: str, path: str, status: int) -> None:
    answer = ask(verb, path)
    assert answer.status_code == status
    assert "error" in answer.json()


def test_nonsense_is_answered(simulator: Simulator, ask: Any, app: int) -> None:
    assert ask("POST", "/features/x", data=b"{not", headers={"Content-Type": "application/json"}).status_code == 400
    assert ask("POST", "/features/x", data=b"[1]", headers={"Content-Type": "application/json"}).status_code == 400
    assert ask("POST", "/features/x", data=b"<a>", headers={"Content-Type": "text/xml"}).status_code == 406
    assert ask("POST", ISSUES, data=b"x" * 6_000_000).status_code == 413
    assert ask("GET", "/version").status_code == 200, "still alive"


def test_a_connection_is_kept_for_the_next_request(simulator: Simulator, ask: Any) -> None:
    accept, accepted = simulator.server.get_request, []

    def get_request() -> Any:
        accepted.append(accept())
        return accepted[-1]

    simulator.server.get_request = get_request  # type: ignore[method-assign]
    for _ in range(50):
        ask("GET", "/version")
    assert simulator.calls("/version") == 50
    assert len(accepted) == 1


def test_every_third_request_fails(simulator: Simulator, ask: Any) -> None:
    simulator.fail(status=503, every=3, path="/version")
    assert [ask("GET", "/version").status_code for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    assert ask("GET", "/user").status_code == 200
    assert simulator.calls("/version") == 6
    simulator.heal()
    assert {ask("GET", "/version").status_code for _ in range(3)} == {200}


def test_python_gitlab_sets_a_feature_in_its_own_way(simulator):
    """It posts to ``/features//NAME``, and what it has no argument for goes into the query."""
    import gitlab as python_gitlab

    client = python_gitlab.Gitlab(simulator.url, private_token=simulator.token, timeout=5)
    client.features.set("haiku", "true", user="root")
    client.features.set("haiku", 25, key="percentage_of_actors")
    gates = {gate["key"]: gate["value"] for gate in simulator.state.feature("haiku")["gates"]}
    assert gates["percentage_of_actors"] == 25
    assert gates["actors"]
    assert [feature.name for feature in client.features.list(get_all=True)] == ["haiku"]
