"""What comes from a confidential issue is told to those with the role for it, and to nobody else, at any address."""

from __future__ import annotations

import json
import re
from itertools import islice

import pytest
from django.test import Client
from django.utils import timezone

from rollouts.services import tokens
from tests.addresses import every_address
from tests.portal.test_pages import signed_in
from tests.walk import SECRET_TITLE

pytestmark = pytest.mark.django_db
#: Title, people and labels of the confidential issue: each word stands nowhere else.
SECRETS = (SECRET_TITLE, "secretassignee", "secret-label")
SECRET_WORDS = ("secretly", "secretassignee", "secret-label")
MOST_OF_ONE_ROUTE = 40


@pytest.fixture
def told(world, settings):
    """A rollout that is asked about, and whose confidential issue has been read, changed, told of by a webhook."""
    settings.GITLAB_WEBHOOK_SECRET = "s3cret"
    state = world.gitlab.state
    state.add_user("secretassignee")
    state.set_issue("acme/app", 11, assignees=["secretassignee"], labels=["secret-label"])
    world.up_to("company", "requested")
    state.set_issue("acme/app", 11, title=f"{SECRET_TITLE}, again", description="- [x] one\n- [ ] two")
    world.sync()
    attributes = {"iid": 11, "title": SECRET_TITLE, "confidential": True, "action": "update", "state": "opened"}
    body = {
        "object_kind": "issue", "event_type": "confidential_issue", "object_attributes": attributes,
        "project": {"id": 1, "path_with_namespace": "acme/app", "web_url": f"{world.gitlab.url}/acme/app"},
        "assignees": [{"username": "secretassignee"}], "labels": [{"title": "secret-label"}],
    }  # fmt: skip
    answer = Client().post(
        "/hooks/gitlab/", json.dumps(body), content_type="application/json", headers={"X-Gitlab-Token": "s3cret"}
    )
    assert answer.status_code < 300
    return world


def readers(world, name):
    """The same person with a browser and with a token."""
    _, token = tokens.issue(world.people[name], "crawl", world.actor(name))
    return signed_in(world, name), Client(headers={"Authorization": f"Bearer {token}"})


def told_by(answer):
    """What stands in an answer, streamed or not."""
    body = b"".join(islice(answer, 200)) if answer.streaming else answer.content
    return body.decode(errors="replace")


def crawl(world, name):
    """What the person is told at every address there is: address to words, where it is told at all."""
    browser, program = readers(world, name)
    found = {}
    for route, addresses in every_address(world).items():
        client = program if route.startswith("api/") else browser
        for address in addresses[:MOST_OF_ONE_ROUTE]:
            answer = client.get(address)
            assert answer.status_code < 500, address
            found[address] = answer.status_code, told_by(answer)
    return found


def test_a_viewer_is_told_of_it_at_no_address(told):
    pages = crawl(told, "vic")
    assert sum(status == 200 for status, _ in pages.values()) > 20
    leaks = [(address, secret) for address, (_, words) in pages.items() for secret in SECRETS if secret in words]
    assert not leaks
    assert "confidential issue" in pages["/rollouts/haiku/"][1]


@pytest.mark.parametrize("name", ["mia", "alice", "root"])
def test_who_has_the_role_is_told(told, name):
    browser, program = readers(told, name)
    assert SECRET_TITLE in browser.get("/rollouts/haiku/").content.decode()
    assert SECRET_TITLE in program.get("/api/v1/audit?rollout=haiku").content.decode()


def test_searching_for_its_words_finds_a_viewer_nothing(told, time_machine):
    """Not even that something was found: the answer is the same as for a word that stands nowhere."""
    # Both at one moment: the chart of a rollout that is read a second later may have a stroke more.
    time_machine.move_to(timezone.now(), tick=False)
    browser, program = readers(told, "vic")
    for route, addresses in every_address(told).items():
        client = program if route.startswith("api/") else browser
        if route.startswith("admin/") or not addresses:
            continue
        asked, nonsense = (
            _timeless(client.get(addresses[0], dict(zip(("q", "assignee", "label"), words, strict=True))))
            for words in (SECRET_WORDS, ["nosuchword"] * 3)
        )
        assert asked == nonsense, addresses[0]


def _timeless(answer):
    """Without what was asked for, and what differs from one answer to the next: figures, ids, the tokens of forms."""
    words = told_by(answer)
    for secret in SECRET_WORDS:
        words = words.replace(secret, "nosuchword")
    return re.sub(r"[A-Za-z0-9]{60,}|\b[0-9a-f]{8,}\b|[\d.]+", "", words)


#: What is open to everybody: health checks and the way in.
OPEN = {"/healthz", "/readyz", "/accounts/login/"}


def test_nobody_unsigned_is_told_anything_at_any_address(told):
    stranger, found = Client(), []
    for addresses in every_address(told).values():
        for address in addresses[:MOST_OF_ONE_ROUTE]:
            answer = stranger.get(address)
            if answer.status_code == 200:
                found.append(address)
            assert "haiku" not in told_by(answer).replace(address, ""), address
    assert set(found) == OPEN
