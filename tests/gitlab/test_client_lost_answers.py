"""A change is sent once, whatever happens; and when its answer is lost, the error says that it may have been made."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from gitlab_simulator import Simulator
from rollouts.gitlab import (
    BadAnswer,
    Forbidden,
    GitLab,
    GitLabProblem,
    Gone,
    RateLimited,
    Rejected,
    ServerError,
    Unauthorized,
    Unreachable,
)
from tests.drills.portal import wait_until

APP = "acme/app"
MARK = "portal-7f3c"
Change = Callable[[GitLab], object]
CHANGES: dict[str, Change] = {
    "set_feature": lambda gitlab: gitlab.set_feature("model", "true"),
    "set_project_flag": lambda gitlab: gitlab.set_project_flag(
        APP, "model", active=True, strategies=[{"name": "default", "parameters": {}, "scopes": []}]
    ),
    "create_issue": lambda gitlab: gitlab.create_issue(APP, title="Plan", description=MARK),
    "post_note": lambda gitlab: gitlab.post_note(APP, 1, MARK),
}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@pytest.fixture(autouse=True)
def something_to_change(simulator: Simulator, app: int) -> None:
    simulator.state.add_issue(APP, "Issue", iid=1)
    simulator.state.add_project_flag(APP, "model", active=False)


def made(simulator: Simulator) -> int:
    """How many changes GitLab has made."""
    state = simulator.state
    strategies = len(state.project_flag(APP, "model")["strategies"])
    notes = len(state.issue(APP, 1)["notes"])
    return len(state.features()) + strategies + (len(state.issues_of(APP)) - 1) + notes


@pytest.mark.parametrize(
    ("fault", "error", "unsure"),
    [
        ({"status": 400}, Rejected, False),
        ({"status": 401}, Unauthorized, False),
        ({"status": 403}, Forbidden, False),
        ({"status": 404}, Gone, False),
        ({"status": 409}, Rejected, False),
        ({"status": 418}, BadAnswer, False),
        ({"status": 422}, Rejected, False),
        ({"status": 429}, RateLimited, False),
        ({"status": 304}, BadAnswer, True),
        ({"status": 500}, ServerError, True),
        ({"status": 502}, ServerError, True),
        ({"status": 503}, ServerError, True),
        ({"status": 204, "body": b""}, BadAnswer, True),
        ({"how": "drop"}, Unreachable, True),
        ({"how": "truncated"}, BadAnswer, True),
        ({"how": "not_json"}, BadAnswer, True),
        ({"how": "html"}, BadAnswer, True),
        ({"how": "not_json", "body": b"{}"}, BadAnswer, True),
        ({"how": "not_json", "body": b"[]"}, BadAnswer, True),
        ({"how": "not_json", "body": b"x", "headers": {"Content-Encoding": "gzip"}}, BadAnswer, True),
        ({"how": "redirect", "status": 301, "headers": {"Location": "/api/v4/user"}}, BadAnswer, False),
        ({"how": "redirect", "status": 302, "headers": {"Location": "/api/v4/user"}}, BadAnswer, True),
        ({"how": "redirect", "status": 303, "headers": {"Location": "/api/v4/user"}}, BadAnswer, True),
        ({"how": "redirect", "status": 307, "headers": {"Location": "https://evil.example/"}}, BadAnswer, False),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else None,
)
@each_change
def test_each_failure_of_a_change_is_met_once(
    monkeypatch: pytest.MonkeyPatch,
    simulator: Simulator,
    gitlab: GitLab,
    change: Change,
    fault: dict[str, object],
    error: type[GitLabProblem],
    unsure: bool,
) -> None:
    simulator.fail(**fault)  # type: ignore[arg-type]
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with pytest.raises(error) as problem:
        change(gitlab)
    assert slept == [], "it waits, to ask again"
    assert problem.value.unsure is unsure
    assert problem.value.words == str(problem.value)
    assert ("may have been made" in problem.value.words) is unsure
    assert "asked again" not in problem.value.words
    assert problem.value.__context__ is None, "something raw hangs on it"
    assert gitlab.calls == 1 == len(simulator.requests)
    assert made(simulator) == 0


@pytest.mark.parametrize(
    "fault",
    [{"how": "drop"}, {"status": 500}, {"status": 502}, {"how": "truncated"}, {"how": "html"}, {"how": "not_json"}],
    ids=str,
)
@each_change
def test_a_change_whose_answer_is_lost_is_made_once(
    simulator: Simulator, gitlab: GitLab, change: Change, fault: dict[str, object]
) -> None:
    simulator.fail(**fault, after=True, times=1)  # type: ignore[arg-type]
    with pytest.raises(GitLabProblem) as problem:
        change(gitlab)
    assert problem.value.unsure
    assert len(simulator.requests) == 1
    assert made(simulator) == 1


@each_change
def test_a_change_that_is_answered_too_late_is_made_once(simulator: Simulator, change: Change) -> None:
    simulator.delay(0.6, after=True)
    gitlab = GitLab(simulator.url, simulator.token, timeout=(1.0, 0.2))
    with pytest.raises(Unreachable) as problem:
        change(gitlab)
    assert (problem.value.kind, problem.value.unsure) == ("timeout", True)
    wait_until(lambda: simulator.requests)  # who waits for an answer no longer may be faster than the work
    assert len(simulator.requests) == 1 == gitlab.calls
    assert made(simulator) == 1


def test_what_was_lost_is_found_again(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.fail(how="drop", after=True, method="POST", times=2)
    with pytest.raises(Unreachable):
        gitlab.create_issue(APP, title="Plan", description=f"Words\n<!-- {MARK} -->")
    issue = gitlab.find_issue(APP, MARK)
    assert issue is not None
    assert issue.title == "Plan"
    with pytest.raises(Unreachable):
        gitlab.post_note(APP, issue.iid, f"Words\n<!-- {MARK} -->")
    assert gitlab.find_note(APP, issue.iid, MARK) == simulator.state.issue(APP, issue.iid)["notes"][0]["id"]
    assert [request.method for request in simulator.requests] == ["POST", "GET", "POST", "GET"]
    gitlab.post_note(APP, issue.iid, "The trouble is over")


def test_a_change_after_a_long_pause_is_sent_once(
    simulator: Simulator, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection that was kept is closed by then: the change goes over a new one, and is no lost answer."""
    monkeypatch.setattr(simulator.server.RequestHandlerClass, "timeout", 0.1)
    gitlab.features()
    wait_until(lambda: not simulator.server.connections)
    gitlab.set_feature("model", "true")
    assert [request.method for request in simulator.requests] == ["GET", "POST"]


@each_change
def test_a_refused_connection_has_surely_changed_nothing(change: Change) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for host in (f"127.0.0.1:{port}", "gitlab.invalid"):
        gitlab = GitLab(f"http://{host}", "token")
        with pytest.raises(Unreachable) as problem:
            change(gitlab)
        assert (problem.value.kind, problem.value.unsure) == ("connection_refused", False)
        assert gitlab.calls == 0


@each_change
def test_a_token_that_cannot_be_sent_has_changed_nothing(simulator: Simulator, change: Change) -> None:
    with pytest.raises(Unauthorized) as problem:
        change(GitLab(simulator.url, "two words"))
    assert not problem.value.unsure


@pytest.mark.parametrize("status", [307, 308])
def test_a_change_follows_within_the_host_where_http_says_so(simulator: Simulator, gitlab: GitLab, status: int) -> None:
    target = f"{simulator.url}/api/v4/projects/acme%2Fapp/issues"
    simulator.fail(how="redirect", status=status, headers={"Location": target}, times=1)
    issue = gitlab.create_issue("acme/old", title="Plan", description=MARK, labels=["a"])
    assert (issue.title, issue.labels) == ("Plan", ("a",))
    assert [request.method for request in simulator.requests] == ["POST", "POST"]
    assert made(simulator) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_change_never_follows_to_another_host(simulator: Simulator, gitlab: GitLab, status: int) -> None:
    with Simulator() as other:
        simulator.fail(how="redirect", status=status, headers={"Location": f"{other.url}/api/v4/features/model"})
        with pytest.raises(BadAnswer, match="another"):
            gitlab.set_feature("model", "true")
        assert other.requests == []
    assert len(simulator.requests) == 1


def test_a_change_that_is_sent_on_and_on_ends(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.fail(how="redirect", status=307, headers={"Location": "/api/v4/features/model"})
    with pytest.raises(BadAnswer, match="on and on") as problem:
        gitlab.set_feature("model", "true")
    assert not problem.value.unsure


def test_questions_are_never_unsure(simulator: Simulator, gitlab: GitLab) -> None:
    assert GitLabProblem.unsure is False
    for fault in ({"status": 500}, {"how": "drop"}, {"how": "truncated"}, {"how": "html"}):
        simulator.heal()
        simulator.forget_requests()
        simulator.fail(**fault)  # type: ignore[arg-type]
        with pytest.raises(GitLabProblem) as problem:
            gitlab.find_issue(APP, MARK)
        assert problem.value.unsure is False
        assert "may have been made" not in problem.value.words
        assert len(simulator.requests) == (1 if fault == {"how": "html"} else 3), "questions are asked again as before"
