"""The simulator's memory: it survives restarts, and two processes may share it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from gitlab_simulator import Refused, Simulator, State
from gitlab_simulator.issues import tasks_of


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "simulator.json"
    with Simulator(path) as first:
        first.state.add_project("acme/app")
        first.state.add_issue("acme/app", "One", iid=7)
        first.state.set_feature("flag", 25, key="percentage_of_actors")
        port = first.server.server_port
    with Simulator(path, port) as second:
        assert second.state.issue("acme/app", 7)["title"] == "One"
        assert second.state.add_issue("acme/app", "Two") == 8
        assert second.state.feature("flag")["state"] == "conditional"


def test_what_another_process_writes_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "simulator.json"
    here, there = State(path), State(path)
    there.add_project("acme/app")
    with here.read():
        assert here.project_at("acme/app")
    here.add_issue("acme/app", "One")
    with there.read():
        assert len(there.issues_of("acme/app")) == 1


def test_many_changes_are_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(tmp_path / "simulator.json")
    writes = []
    rightful = state._save
    monkeypatch.setattr(state, "_save", lambda: (writes.append(1), rightful()))
    with state.change():
        state.add_project("acme/app")
        for number in range(100):
            state.add_issue("acme/app", f"Issue {number}")
    assert len(writes) == 1
    assert len(json.loads((tmp_path / "simulator.json").read_text())["issues"]["1001"]) == 100


def test_no_half_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "simulator.json"
    state = State(path)
    state.add_project("acme/app")
    before = path.read_text()

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gitlab_simulator.store.json.dump", full)
    with pytest.raises(OSError, match="No space"):
        state.add_project("acme/other")
    assert path.read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["simulator.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"version": 99}', "{not"])
def test_a_file_that_is_no_state_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "simulator.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"simulator\.json is not a simulator's state"):
        State(path)


def test_threads_do_not_lose_each_others_changes(tmp_path: Path) -> None:
    state = State(tmp_path / "simulator.json")
    state.add_project("acme/app")

    def add() -> None:
        for _ in range(20):
            state.add_issue("acme/app", "Issue")

    threads = [threading.Thread(target=add) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [issue["iid"] for issue in state.issues_of("acme/app")] == list(range(1, 101))


def test_a_taken_number_and_an_unknown_field_are_refused() -> None:
    state = State()
    state.add_project("acme/app")
    state.add_issue("acme/app", "One", iid=1)
    with pytest.raises(Refused):
        state.add_issue("acme/app", "Other", iid=1)
    with pytest.raises(TypeError, match="colour"):
        state.set_issue("acme/app", 1, colour="red")
    assert len(state.issues_of("acme/app")) == 1


def test_adding_twice_finds() -> None:
    state = State()
    assert state.add_project("acme/app") == state.add_project("Acme/App")
    assert state.add_user("alice") == state.add_user("Alice")
    assert state.add_group("acme") == state.add_group("acme")


@pytest.mark.parametrize(
    ("description", "tasks"),
    [
        (None, []),
        ("- [ ] a\n- [x] b", [(False, "a"), (True, "b")]),
        ("* [X] a\n+ [ ] b\n3. [ ] c\n4) [x] d", [(True, "a"), (False, "b"), (False, "c"), (True, "d")]),
        ("  - [x] nested\n> - [ ] quoted", [(True, "nested"), (False, "quoted")]),
        ("- [~] not needed\n- [] none\n-[ ] none\n- [ ]none\ntext [x] none", []),
    ],
)
def test_tasks_are_read_as_gitlab_reads_them(description: str | None, tasks: list[tuple[bool, str]]) -> None:
    assert tasks_of({"description": description}) == tasks


def test_a_task_is_ticked() -> None:
    state = State()
    state.add_project("acme/app")
    state.add_issue("acme/app", "One", description="- [~] no\n- [ ] a\r\n- [ ] b")
    state.tick_task("acme/app", 1, 1)
    assert tasks_of(state.issue("acme/app", 1)) == [(False, "a"), (True, "b")]
    state.tick_task("acme/app", 1, 1)
    state.tick_task("acme/app", 1, 0, done=True)
    assert tasks_of(state.issue("acme/app", 1)) == [(True, "a"), (False, "b")]
    with pytest.raises(Refused):
        state.tick_task("acme/app", 1, 2)
