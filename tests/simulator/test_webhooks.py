"""What hooks say and how: GitLab's kinds, times and changes, sent once, in order, without waiting."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gitlab_simulator import Simulator
from gitlab_simulator.hooks import EVENTS
from gitlab_simulator.payloads import Times

PLAIN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Listener:
    """Who listens to hooks, and what came."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.got.append((dict(self.headers.items()), json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def listener(simulator: Simulator) -> Iterator[Listener]:
    heard = Listener()
    threading.Thread(target=heard.server.serve_forever, args=(0.05,), daemon=True).start()
    simulator.state.add_project("acme/app")
    simulator.state.add_hook("acme/app", heard.url, token="secret", **dict.fromkeys(EVENTS, True))
    yield heard
    heard.server.shutdown()
    heard.server.server_close()


def last(simulator: Simulator, listener: Listener) -> dict[str, Any]:
    simulator.wait_for_deliveries()
    return listener.got[-1][1]


@pytest.mark.parametrize(
    ("issue_type", "kind", "name"),
    [
        ("issue", "issue", "Issue"),
        ("ticket", "issue", "Issue"),
        ("task", "work_item", "Task"),
        ("incident", "work_item", "Incident"),
        ("test_case", "work_item", "Test Case"),
    ],
)
@pytest.mark.parametrize("secret", [False, True])
def test_each_kind_of_work_item_is_told(
    simulator: Simulator, listener: Listener, issue_type: str, kind: str, name: str, secret: bool
) -> None:
    simulator.state.add_issue("acme/app", "One", issue_type=issue_type, confidential=secret)
    told = last(simulator, listener)
    assert (told["object_kind"], told["object_attributes"]["type"]) == (kind, name)
    assert told["event_type"] == (f"confidential_{kind}" if secret else kind)
    assert told["object_attributes"]["action"] == "open"
    assert listener.got[-1][0]["X-Gitlab-Event"] == ("Confidential Issue Hook" if secret else "Issue Hook")


@pytest.mark.parametrize("times", Times)
def test_times_are_whole_seconds_in_gitlabs_two_ways(simulator: Simulator, listener: Listener, times: Times) -> None:
    simulator.state.hook_times = times
    simulator.state.add_issue("acme/app", "One")
    simulator.wait_for_deliveries()
    simulator.state.set_issue("acme/app", 1, state="closed")
    told = last(simulator, listener)
    written = ISO if times is Times.AS_DOCUMENTED else PLAIN
    for moment in ("created_at", "updated_at", "closed_at"):
        assert written.fullmatch(told["object_attributes"][moment])
    assert PLAIN.fullmatch(told["changes"]["updated_at"]["current"]), "changes are always plain"
    simulator.state.add_note("acme/app", 1, "Hello")
    told = last(simulator, listener)
    for place in ("object_attributes", "issue"):
        assert PLAIN.fullmatch(told[place]["updated_at"]), "and so are comments"


def test_changes_hold_what_changed_with_its_dates(simulator: Simulator, listener: Listener) -> None:
    state = simulator.state
    state.add_user("alice", id=42)
    state.add_issue("acme/app", "One", updated_at="2026-11-28T18:07:00.123Z")
    opened = last(simulator, listener)["changes"]
    assert opened["title"] == {"previous": None, "current": "One"}
    state.set_issue(
        "acme/app", 1, state="closed", labels=["b"], assignees=["alice"], due_date="2026-12-01",
        updated_at="2026-11-28T18:08:01.999Z",
    )  # fmt: skip
    told = last(simulator, listener)
    changes = told["changes"]
    assert told["object_attributes"]["action"] == "close"
    assert (told["object_attributes"]["state_id"], told["object_attributes"]["assignee_ids"]) == (2, [42])
    assert changes["state_id"] == {"previous": 1, "current": 2}
    assert changes["due_date"] == {"previous": None, "current": "2026-12-01"}
    assert changes["closed_at"] == {"previous": None, "current": "2026-11-28 18:08:01 UTC"}
    assert changes["updated_at"] == {"previous": "2026-11-28 18:07:00 UTC", "current": "2026-11-28 18:08:01 UTC"}
    assert [label["title"] for label in changes["labels"]["current"]] == ["b"]
    assert [person["username"] for person in changes["assignees"]["current"]] == ["alice"]
    assert set(changes) == {"state_id", "due_date", "closed_at", "updated_at", "labels", "assignees"}


def test_a_flag_tells_of_being_switched_alone(simulator: Simulator, listener: Listener) -> None:
    state = simulator.state
    state.add_project_flag("acme/app", "own")
    state.set_project_flag("acme/app", "own", description="words", strategies=[{"name": "default"}])
    state.set_project_flag("acme/app", "own", active=False)
    told = last(simulator, listener)
    assert len(listener.got) == 1
    assert told["object_attributes"] == {"id": 1, "name": "own", "description": "words", "active": False}


def test_what_waits_when_it_is_stopped_is_sent_when_it_starts_again(simulator: Simulator, listener: Listener) -> None:
    simulator.stop()
    for number in range(20):
        simulator.state.add_issue("acme/app", f"Issue {number}")
    assert listener.got == []
    simulator.start()
    simulator.wait_for_deliveries()
    assert sorted(told["object_attributes"]["iid"] for _, told in listener.got) == list(range(1, 21))


def test_shuffled_is_another_order_and_all_of_it(simulator: Simulator, listener: Listener) -> None:
    simulator.stop()
    simulator.post.shuffled = True
    for number in range(40):
        simulator.state.add_issue("acme/app", f"Issue {number}")
    simulator.start()
    simulator.wait_for_deliveries()
    order = [told["object_attributes"]["iid"] for _, told in listener.got]
    assert sorted(order) == list(range(1, 41))
    assert sum(after < before for before, after in itertools.pairwise(order)) > 10


def test_a_delivery_that_hangs_is_waited_for(simulator: Simulator) -> None:
    simulator.state.add_project("acme/app")
    simulator.state.add_hook("acme/app", "http://127.0.0.1:9/", issues_events=True)
    simulator.post.held = 1000.0
    simulator.state.add_issue("acme/app", "One")
    with pytest.raises(TimeoutError, match="1 deliveries wait"):
        simulator.wait_for_deliveries(0.1)
