"""Changes that GitLab refuses: for want of rights, of the place, or of sense; and what we tell of that."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_simulator import Simulator
from rollouts.gitlab import BadAnswer, Forbidden, GitLab, Gone, Rejected, Unauthorized

APP = "acme/app"


@pytest.fixture
def developer(simulator: Simulator, app: int) -> GitLab:
    simulator.state.add_user("dev", access="developer")
    simulator.state.add_token("dev-token", "dev", scopes=("api",))
    return GitLab(simulator.url, "dev-token")


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


@pytest.mark.parametrize(
    ("body", "message"),
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
def test_a_refusal_is_one_short_line(simulator: Simulator, gitlab: GitLab, body: bytes, message: str) -> None:
    simulator.fail(status=422, body=body)
    with pytest.raises(Rejected) as problem:
        gitlab.create_issue(APP, title="x", description="y")
    assert message in problem.value.words
    assert problem.value.words.isprintable()
    assert problem.value.__context__ is None


def test_a_long_refusal_is_cut_and_tells_no_token(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.fail(status=400, body=b'{"message": "' + simulator.token.encode() + b" " + b"long " * 100_000 + b'"}')
    with pytest.raises(Rejected) as problem:
        gitlab.set_feature("model", "true")
    assert len(problem.value.words) < 450
    assert simulator.token not in problem.value.words


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_only_changes_are_rejected(simulator: Simulator, gitlab: GitLab, status: int) -> None:
    simulator.fail(status=status)
    with pytest.raises(Rejected):
        gitlab.set_feature("model", "true")
    with pytest.raises(BadAnswer):
        gitlab.features()
