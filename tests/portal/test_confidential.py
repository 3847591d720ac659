"""What comes from a confidential issue is told to those with the role for it, and to nobody else, at any address."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from rollouts import tasks
from rollouts.models import AuditEvent
from tests.addresses import every_address
from tests.portal.crawling import MOST_OF_ONE_ROUTE, crawl, readers, told_by
from tests.walk import SECRET_TITLE

pytestmark = pytest.mark.django_db
#: Title, people and labels of the confidential issue: each word stands nowhere else.
SECRETS = (SECRET_TITLE, "secretassignee", "secret-label")
SECRET_WORDS = ("secretly", "secretassignee", "secret-label")


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


#: Tokens of forms, ids of requests, hashes: any number may stand in them by chance.
RANDOM = re.compile(r"[A-Za-z0-9]{60,}|\b[0-9a-f]{8,}\b")


def _timeless(answer):
    """Without what was asked for, and what differs from one answer to the next: figures, ids, the tokens of forms."""
    words = told_by(answer)
    for secret in SECRET_WORDS:
        words = words.replace(secret, "nosuchword")
    return re.sub(r"[\d.]+", "", RANDOM.sub("", words))


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


class Canaries:
    """Words that stand nowhere else, one for each place; and the numbers of a confidential issue."""

    def __init__(self):
        self.planted = {}
        self.numbers = (4711, 4713, 4717)

    def word(self, place):
        return self.planted.setdefault(place, f"canary{len(self.planted):03}bird")

    def everywhere(self, value, place=""):
        """The same payload with a canary in every text, but for those that say what and where it is."""
        kept = {"object_kind", "event_type", "state", "action", "noteable_type", "path_with_namespace", "updated_at",
                "created_at", "closed_at"}  # fmt: skip
        if isinstance(value, dict):
            return {key: one if key in kept else self.everywhere(one, f"{place}.{key}") for key, one in value.items()}
        if isinstance(value, list):
            return [self.everywhere(one, f"{place}[]") for one in value]
        return self.word(place) if isinstance(value, str) else value


@pytest.fixture
def planted(world, settings):
    """A confidential issue that was read by REST and told of by both kinds of hooks, a canary in each of their texts."""
    settings.GITLAB_WEBHOOK_SECRET = "s3cret"
    settings.GITLAB_WRITES = "issues"
    canaries, state = Canaries(), world.gitlab.state
    done, count, notes = canaries.numbers
    listed = "\n".join(f"- [{'x' if number < done else ' '}] {canaries.word('task')}" for number in range(count))
    state.set_issue(
        "acme/app", 11, title=canaries.word("title"), description=listed, labels=[canaries.word("label")],
        assignees=[canaries.word("assignee")], author=canaries.word("author"), notes_count=notes - 1,
    )  # fmt: skip
    state.add_note("acme/app", 11, canaries.word("note"), author=canaries.word("noter"))
    world.up_to("company", "requested")
    person = {"name": "x", "username": "x", "email": "x", "avatar_url": "x"}
    project = {"id": state.project("acme/app")["id"], "path_with_namespace": "acme/app"}
    label = {"title": "x", "description": "x", "color": "x"}
    issue = {
        "object_kind": "issue", "event_type": "confidential_issue", "user": person, "project": project,
        "object_attributes": {
            "iid": 11, "title": "x", "description": "x", "confidential": True, "action": "update", "state": "opened",
            "url": "x", "severity": "x", "health_status": "x", "updated_at": "2031-01-01 10:00:00 UTC",
            "labels": [label],
        },
        "repository": {"name": "x", "description": "x", "homepage": "x"},
        "assignees": [person], "labels": [label],
        "changes": {"title": {"previous": "x", "current": "x"}, "assignees": {"previous": [person], "current": []}},
    }  # fmt: skip
    note = {
        "object_kind": "note", "event_type": "confidential_note", "user": person, "project": project,
        "object_attributes": {"note": "x", "noteable_type": "Issue", "updated_at": "2031-01-01 10:00:01 UTC", "url": "x"},
        "issue": {"iid": 11, "title": "x", "state": "opened", "confidential": True, "description": "x"},
    }  # fmt: skip
    for number, (payload, event) in enumerate(((issue, "Issue"), (note, "Note"))):
        body = json.dumps(canaries.everywhere(payload, f"{number}"))
        headers = {"X-Gitlab-Token": "s3cret", "X-Gitlab-Event": f"Confidential {event} Hook"}
        assert (
            Client().post("/hooks/gitlab/", body, content_type="application/json", headers=headers).status_code == 204
        )
        tasks.work_deliveries()
    state.set_issue("acme/app", 11, updated_at="2031-01-01T10:00:01.500Z")
    world.sync(full=True)
    with_event = AuditEvent.objects.filter(verb="issue.read", source="webhook")
    assert canaries.planted["0.user.username"] in str(list(with_event.values_list("confidential", flat=True)))
    return world, canaries


def test_no_door_tells_a_viewer_a_canary_or_a_count(planted):
    world, canaries = planted
    pages = crawl(world, "vic")
    out = StringIO()
    call_command("audit", "find", "--as", "vic", "--limit", "500", "--json", stdout=out)
    pages["audit find"] = 0, out.getvalue()
    leaks = [
        (address, place)
        for address, (_, told) in pages.items()
        for place, word in canaries.planted.items()
        if word in told
    ]
    assert not leaks
    numbers = [re.compile(rf"(?<![\d.-]){number:,}(?!\d)|(?<![\d.-]){number}(?!\d)") for number in canaries.numbers]
    told = {address: RANDOM.sub("", text) for address, (_, text) in pages.items()}
    assert not [(address, text) for address, text in told.items() if any(each.search(text) for each in numbers)]


def test_who_lifts_the_secrecy_is_told_only_to_those_who_saw_it(world, settings):
    """The change itself is of both sides: what it says of people was confidential until then."""
    settings.GITLAB_WEBHOOK_SECRET = "s3cret"
    world.apply()
    world.sync()
    for minute, secret in ((1, False), (2, True)):
        about = {"iid": 11, "title": "Plan", "state": "opened", "confidential": secret, "action": "update"}
        body = {
            "object_kind": "issue", "user": {"username": f"lifter{minute}"},
            "object_attributes": about | {"updated_at": f"2031-01-01 10:0{minute}:00 UTC"},
            "project": {"id": world.gitlab.state.project("acme/app")["id"], "path_with_namespace": "acme/app"},
        }  # fmt: skip
        Client().post(
            "/hooks/gitlab/", json.dumps(body), content_type="application/json", headers={"X-Gitlab-Token": "s3cret"}
        )
        tasks.work_deliveries()
    events = AuditEvent.objects.filter(verb="issue.read", source="webhook")
    assert events.count() == 2
    for name, is_told in (("vic", False), ("mia", True)):
        _, program = readers(world, name)
        told = program.get("/api/v1/audit?verb=issue.read").content.decode()
        assert [("lifter1" in told), ("lifter2" in told)] == [is_told, is_told], name
