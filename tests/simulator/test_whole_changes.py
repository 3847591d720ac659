"""A change that fails leaves nothing behind: not in memory, not in the file, and no webhook tells of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from gitlab_simulator import Refused, Simulator, State


@pytest.fixture(params=["memory", "file"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    state = State(tmp_path / "state.json" if request.param == "file" else None)
    state.add_project("acme/app")
    state.add_hook("acme/app", "http://127.0.0.1:9/", issues_events=True, note_events=True, feature_flag_events=True)
    state.add_issue("acme/app", "One", labels=["a"])
    state.add_issue("acme/app", "Two")
    state.add_project_flag("acme/app", "own", strategies=[{"name": "default", "scopes": ["*"]}])
    state.add_user_list("acme/app", "friends", "a,b")
    state.set_feature("flag", 25, key="percentage_of_actors")
    while not state.outgoing.empty():
        state.outgoing.take()
    return state


def change_all(state: State) -> None:
    state.set_issue("acme/app", 1, state="closed", labels=["b"], assignees=["new.person"])
    state.add_note("acme/app", 2, "Hello")
    state.delete_issue("acme/app", 1)
    state.add_issue("acme/app", "Three")
    state.move_issue("acme/app", 2, state.add_project("acme/other"))
    state.set_feature("flag", 50, key="percentage_of_actors")
    state.set_feature("new_flag", True, user="root")
    state.delete_feature("flag")
    state.add_flag_definition("flag")
    own = state.project_flag("acme/app", "own")["strategies"][0]["id"]
    state.set_project_flag("acme/app", "own", active=False, name="mine", strategies=[{"id": own, "_destroy": True}])
    state.set_user_list("acme/app", 1, name="foes")
    state.delete_user_list("acme/app", 1)
    state.rename_project("acme/app", "acme/else")
    state.set_hook("acme/else", 1, url="http://127.0.0.1:9/other")
    state.add_token("t", "root")


def test_a_failed_change_is_taken_back_whole(state: State) -> None:
    before, order = copy.deepcopy(state.document), list(state.table("issues", 1001))
    with pytest.raises(RuntimeError), state.change():
        change_all(state)
        raise RuntimeError
    assert state.document == before
    assert list(state.table("issues", 1001)) == order
    assert state.outgoing.empty()
    if state.path:
        assert State(state.path).document == before


def test_what_held_before_the_failure_inside_stays(state: State) -> None:
    with state.change():
        state.set_issue("acme/app", 2, title="kept")
        with pytest.raises(Refused), state.change():
            state.set_issue("acme/app", 2, title="not kept")
            state.issue("acme/app", 99)
    assert state.issue("acme/app", 2)["title"] == "kept"
    assert state.outgoing.take().payload["object_attributes"]["title"] == "kept"  # type: ignore[union-attr]
    assert state.outgoing.empty()


def test_a_change_that_cannot_be_written_did_not_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(tmp_path / "state.json")
    state.add_project("acme/app")
    monkeypatch.setattr("gitlab_simulator.store.os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        state.add_issue("acme/app", "One")
    assert state.issues_of("acme/app") == []


def test_a_handler_that_fails_answers_500_and_changes_nothing(
    simulator: Simulator, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of the simulator's")

    simulator.state.add_project("acme/app")
    simulator.state.add_issue("acme/app", "One")
    monkeypatch.setattr("gitlab_simulator.api.issues.shown", broken)
    for verb, path in (("PUT", "/projects/acme%2Fapp/issues/1"), ("POST", "/projects/acme%2Fapp/issues")):
        assert ask(verb, path, json={"title": "Two"}).status_code == 500
    assert [issue["title"] for issue in simulator.state.issues_of("acme/app")] == ["One"]
