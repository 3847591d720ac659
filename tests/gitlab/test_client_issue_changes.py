"""Issues and notes written through the door, and found again by their markers."""

from __future__ import annotations

import pytest

from gitlab_simulator import Simulator
from rollouts.gitlab import GitLab, Rejected

APP = "acme/app"
MARKER = "<!-- portal issue 7f3c -->"


def verbs(simulator: Simulator) -> list[str]:
    return [request.method for request in simulator.requests]


def test_an_issue_is_opened(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    simulator.state.add_issue(APP, "Before")
    issue = gitlab.create_issue(
        APP, title="Rollout of the model", description=f"- [ ] Tell support\n{MARKER}", labels=["AI", "type::feature"]
    )
    assert (issue.project_id, issue.iid, issue.title, issue.state) == (app, 2, "Rollout of the model", "opened")
    assert (issue.labels, issue.confidential, issue.task_count) == (("AI", "type::feature"), False, 1)
    assert issue.web_url == f"{simulator.url}/acme/app/-/issues/2"
    assert simulator.state.issue(APP, 2)["description"] == f"- [ ] Tell support\n{MARKER}"
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
    add(APP, f"Only the title says {MARKER}")
    add(APP, "A near miss", description=MARKER.replace("7f3c", "7f3cd"))
    assert gitlab.find_issue(APP, MARKER) is None
    add(APP, "Younger", description=f"Words\n\n{MARKER}\nmore words", created_at="2026-02-02T00:00:00.000Z")
    add(
        APP,
        "Older",
        description=f"x{MARKER}x",
        created_at="2026-01-01T00:00:00.000Z",
        state="closed",
        confidential=True,
    )
    record = gitlab.find_issue(APP, MARKER)
    assert record is not None
    assert (record.title, record.state) == ("Older", "closed")
    query = simulator.requests[-1].query
    assert (query["search"], query["in"], query["scope"]) == ([MARKER], ["description"], ["all"])


def test_a_marker_is_not_found_in_a_longer_one(simulator: Simulator, gitlab: GitLab, app: int) -> None:
    for text in ("portal-1-20", "my-portal-1-2", "portal-1-2-3", "portal-1-2x", "PORTAL-1-2"):
        simulator.state.add_issue(APP, text, description=text)
    assert gitlab.find_issue(APP, "portal-1-2") is None
    simulator.state.add_issue(APP, "It", description="See (portal-1-2).")
    record = gitlab.find_issue(APP, "portal-1-2")
    assert record is not None
    assert record.title == "It"


def test_a_server_that_ignores_the_search_is_read_to_its_end(simulator: Simulator, gitlab: GitLab) -> None:
    rows = b"""[{"iid": 4, "title": "none", "state": "opened", "description": null},
                {"iid": 3, "title": "c", "state": "opened", "description": "mark"},
                {"iid": 2, "title": "b", "state": "odd"},
                {"iid": 1, "title": "a", "state": "closed", "description": "mark"}]"""
    simulator.fail(how="not_json", body=rows)
    record = gitlab.find_issue(APP, "mark")
    assert record is not None
    assert record.iid == 1


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
    note = gitlab.post_note(APP, 11, f"25 % now.\n{MARKER}")
    assert simulator.state.issue(APP, 11)["notes"][0]["id"] == note
    assert gitlab.find_note(app, 11, MARKER) == note
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
    records = gitlab.open_issues(APP, "severity::1")
    assert sorted(issue.iid for issue in records) == list(range(1, 131))
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
