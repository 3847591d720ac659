"""Lines of a text that are commands: what each does, for whom, and what is left of the text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitlab_simulator import Simulator

ISSUES = "/projects/acme%2Fapp/issues"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def app(simulator: Simulator) -> str:
    state = simulator.state
    state.add_user("alice")
    state.add_user("dev", access="developer")
    state.add_token("dev", "dev")
    state.add_token("guest", "alice")
    state.add_project("acme/app")
    state.add_project("acme/other")
    state.add_issue("acme/app", "Plan", labels=["old"], assignees=["alice"], due_date="2026-12-01")
    state.add_issue("acme/app", "Another", labels=["theirs"])
    return "acme/app"


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        ("/close", {"state": "closed"}),
        ("/reopen", {}),
        ("/title A new title", {"title": "A new title"}),
        ("/assign @dev", {"assignees": ["alice", "dev"]}),
        ("/assign me", {"assignees": ["alice", "dev"]}),
        ("/assign @nobody", {}),
        ("/reassign @dev", {"assignees": ["dev"]}),
        ("/unassign", {"assignees": []}),
        ("/unassign @dev", {"assignees": ["alice"]}),
        ('/label ~new ~"two words"', {"labels": ["old", "new", "two words"]}),
        ("/unlabel ~old", {"labels": []}),
        ("/remove_label", {"labels": []}),
        ("/relabel ~new", {"labels": ["new"]}),
        ("/confidential", {"confidential": True}),
        ("/due 2027-01-31", {"due_date": "2027-01-31"}),
        ("/due tomorrow", {"due_date": str(TODAY + timedelta(days=1))}),
        ("/due in 2 weeks", {"due_date": str(TODAY + timedelta(days=14))}),
        ("/due some day", {}),
        ("/remove_due_date", {"due_date": None}),
        ("/lock", {"discussion_locked": True}),
        ("/unlock", {}),
        ("/type Test Case", {"issue_type": "test_case"}),
        ("/promote_to_incident", {"issue_type": "incident"}),
        ("/duplicate #2", {"state": "closed"}),
        ("/duplicate #1", {}),
        ("/copy_metadata acme/app#2", {"labels": ["old", "theirs"]}),
        ("/estimate 2h", {}),
        ("/close\n/reopen", {"state": "opened"}),
    ],
)
def test_what_a_command_does(simulator: Simulator, ask: Any, app: str, command: str, changed: dict[str, Any]) -> None:
    before = simulator.state.issue(app, 1)
    answer = ask("POST", f"{ISSUES}/1/notes", token="dev", json={"body": command})
    assert (answer.status_code, answer.json()["commands_changes"]) == (202, changed)
    assert bool(answer.json()["summary"]) == bool(changed)
    after = simulator.state.issue(app, 1)
    assert {name: after[name] for name in changed} == changed
    assert [note["body"] for note in after["notes"] if not note["system"]] == [], "nothing but commands is no note"
    if not changed:
        assert after == before


def test_an_issue_goes_to_another_project(simulator: Simulator, ask: Any, app: str) -> None:
    ask("POST", f"{ISSUES}/1/notes", json={"body": "/clone"})
    assert simulator.state.issue(app, 3)["title"] == "Plan"
    ask("POST", f"{ISSUES}/1/notes", json={"body": "/move acme/other"})
    moved = simulator.state.issue("acme/other", 1)
    old = simulator.state.issue(app, 1)
    assert (old["state"], old["moved_to_id"], moved["title"]) == ("closed", moved["id"], "Plan")


def test_a_guest_commands_nothing_and_the_words_are_gone(simulator: Simulator, ask: Any, app: str) -> None:
    answer = ask("POST", f"{ISSUES}/1/notes", token="guest", json={"body": "so\n/close"})
    assert (answer.status_code, answer.json()["body"]) == (201, "so")
    assert simulator.state.issue(app, 1)["state"] == "opened"


def test_a_new_issue_is_labelled_by_its_description_and_not_closed(simulator: Simulator, ask: Any, app: str) -> None:
    text = "Do it.\n/label ~x\n/close\n/title Other\n/shrug well"
    made = ask("POST", ISSUES, json={"title": "New", "description": text}).json()
    assert (made["title"], made["state"], made["labels"]) == ("New", "opened", ["x"])
    assert made["description"] == "Do it.\n¯\\＿(ツ)＿/¯well"


def test_a_changed_description_is_obeyed(simulator: Simulator, ask: Any, app: str) -> None:
    changed = ask("PUT", f"{ISSUES}/1", json={"description": "Done.\n/close"}).json()
    assert (changed["description"], changed["state"]) == ("Done.", "closed")
