"""A rollout as it was, asked for through the API and the command: told as it was, and refused where nobody knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AIModel, AuditEvent, EventWords
from rollouts.rules.machine import Role
from rollouts.services import accounts, locks, tokens
from tests.api.scripts import Script
from tests.commands.running import run
from tests.walk import SECRET_TITLE, World

FRIDAY = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _it_began_on_friday(time_machine):
    time_machine.move_to(FRIDAY - timedelta(hours=5), tick=True)


@pytest.fixture
def friday(_it_began_on_friday, world, time_machine):
    """A rollout whose first phase was asked for on Friday; on Monday it runs."""
    world.up_to("team", "requested")
    time_machine.move_to(FRIDAY, tick=True)
    world.do("approve", "team", "alice")
    time_machine.move_to(FRIDAY + timedelta(days=3), tick=True)
    world.sync()
    world.do("start", "team", "mia")
    world.obey()
    return world


def script(world, name="vic"):
    return Script(tokens.issue(world.people[name], "x", world.actor(name))[1])


def asked(world, moment, name="vic", **more):
    query = "&".join(f"{key}={quote(value)}" for key, value in {"as_of": moment.isoformat(), **more}.items())
    answer = script(world, name).get(f"/rollouts/haiku?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_api_tells_state_approvals_checklist_plan_and_exposure_of_then(friday):
    before = asked(friday, FRIDAY - timedelta(minutes=1))
    assert before["phases"][0]["state"] == "requested"
    assert before["then"]["requests"][0]["approvals"] == []
    assert before["then"]["could_approve"] == ["alice", "root", "sam"]
    assert before["flag"]["read"]["actors"] == []
    then = asked(friday, FRIDAY + timedelta(minutes=1))
    assert then["phases"][0]["state"] == "approved"
    assert [(one["by"], one["counted"]) for one in then["then"]["requests"][0]["approvals"]] == [("alice", True)]
    assert then["then"]["plan"].startswith("rollout: haiku")
    assert {item["key"] for item in then["then"]["checklist"]}
    now = script(friday).get("/rollouts/haiku").json()
    assert now["phases"][0]["state"] == "active"
    assert "then" not in now


def test_who_lost_the_role_since_had_counted_then(friday):
    accounts.take_role(friday.people["alice"], Role.APPROVER, by=friday.actor("root"))
    then = asked(friday, FRIDAY + timedelta(minutes=1))["then"]
    assert then["could_approve"] == ["alice", "root", "sam"]
    assert then["requests"][0]["approvals"][0]["counted"]
    assert asked(friday, World.now())["then"]["could_approve"] == ["root", "sam"]


def test_what_has_changed_since_is_told_in_words_and_field_by_field(friday):
    told = asked(friday, World.now(), since=(FRIDAY - timedelta(minutes=1)).isoformat())["changed"]
    summary = {one["what"]: (one["before"], one["after"]) for one in told["summary"]}
    assert summary["State"] == ("draft", "underway")
    assert summary["Owning team"] == ("requested", "active")
    fields = {(one["type"], one["field"]): (one["before"], one["after"]) for one in told["fields"]}
    assert fields["Phase", "state"] == ("requested", "active")
    assert told["events"] == AuditEvent.objects.of_rollout("haiku").filter(at__gte=FRIDAY).count()


def test_a_model_that_another_rollouts_plan_has_brought_and_changed_is_told_as_it_was(world, time_machine):
    time_machine.move_to(FRIDAY, tick=True)
    world.apply()
    time_machine.move_to(FRIDAY + timedelta(hours=1), tick=True)
    world.apply(slug="second", title="Second", flag="another")
    time_machine.move_to(FRIDAY + timedelta(hours=2), tick=True)
    document = world.document(slug="second", title="Second", flag="another").replace("60000", "90000")
    world.apply_text(document)
    third = world.document(slug="third", title="Third", flag="third").replace("60000", "120000")
    time_machine.move_to(FRIDAY + timedelta(hours=3), tick=True)
    world.apply_text(third)
    assert AIModel.objects.get(slug="claude-haiku").quota_requests_per_minute == 120_000
    for hours, quota in ((1.5, 60_000), (2.5, 90_000), (3.5, 120_000)):
        time_machine.move_to(FRIDAY + timedelta(hours=5))
        told = asked(world, FRIDAY + timedelta(hours=hours))["then"]
        assert f"requests_per_minute: {quota}" in told["plan"]
        assert told["untold"] == asked(world, FRIDAY + timedelta(hours=4))["then"]["untold"]


def test_locks_that_held_then_are_told(friday, time_machine):
    now = World.now()
    day = {"title": "Freeze", "kind": "once", "zone": "UTC"}
    lock = locks.add({**day, "starts": now.replace(tzinfo=None), "ends": (now + timedelta(days=2)).replace(tzinfo=None)},
                     by=friday.actor("mia"))  # fmt: skip
    time_machine.move_to(now + timedelta(hours=5), tick=True)
    locks.end(lock, by=friday.actor("mia"), reason="over")
    assert [one["title"] for one in asked(friday, now + timedelta(hours=4))["then"]["locks"]] == ["Freeze"]
    assert asked(friday, now - timedelta(hours=1))["then"]["locks"] == []
    assert asked(friday, World.now())["then"]["locks"] == []


def test_what_is_confidential_needs_the_role_in_the_past_too(friday):
    since = (FRIDAY - timedelta(hours=4)).isoformat()
    friday.gitlab.state.set_issue("acme/app", 11, title=f"{SECRET_TITLE}, still")
    friday.sync()
    for name, sees in (("vic", False), ("alice", True)):
        assert (SECRET_TITLE in json.dumps(asked(friday, World.now(), name, since=since))) is sees


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-20T14:00", "time zone"),
        ("2026-11-20", "time zone"),
        ("1999-01-01T00:00Z", "century"),
        ("2026-11-20T08:59Z", "before the history of haiku begins"),
        ("2026-12-24T00:00Z", "yet to come"),
        ("yesterday", "no time"),
        ("9" * 5000, "no time"),
        ("2026-02-30T00:00Z", "no time"),
    ],
)
def test_a_moment_that_nobody_can_tell_of_is_refused_everywhere(friday, moment, words):
    before = AuditEvent.objects.count()
    answer = script(friday).get(f"/rollouts/haiku?as_of={quote(moment)}")
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    other = script(friday).get(f"/rollouts/haiku?since={quote(moment)}")
    assert other.status_code == 422
    told = run("as_of", "haiku", moment)
    assert told[2] in (1, 2)
    assert words in told[1]
    assert AuditEvent.objects.count() - before == 2, "but for the tokens that were made to ask"


def test_the_command_says_what_the_api_says(friday):
    moment = FRIDAY + timedelta(minutes=1)
    api = asked(friday, moment, since=(moment - timedelta(hours=1)).isoformat())
    written = moment.isoformat()
    told = run("as_of", "haiku", written, "--since", (moment - timedelta(hours=1)).isoformat(), "--json", "--as", "vic")
    assert json.loads(told[0]) == api
    words = run("as_of", "haiku", written)
    assert words[2] == 0
    assert "team: approved" in words[0]
    assert "approved by alice" in words[0]


def test_a_rollout_that_there_is_not_is_none_in_the_past_either(world):
    assert script(world).get(f"/rollouts/none?as_of={quote(World.now().isoformat())}").status_code == 404
    assert run("as_of", "none", "now")[2] == 2


def test_what_was_there_before_the_history_is_told_as_such(world):
    """As of an older release: of the model's making no event tells."""
    with recorded("model.quota", by=Actor.system_user()) as recording:
        recording.about = AIModel.objects.create(slug="codestral-2501", name="Codestral")
    from django.db import connection

    from rollouts.audit import triggers

    triggers.drop(connection)
    EventWords.objects.filter(event__verb="model.quota").delete()
    AuditEvent.objects.filter(verb="model.quota")._raw_delete("default")
    triggers.create(connection)
    world.apply()
    told = asked(world, World.now())
    assert told["baseline"] == "codestral-2501"
    assert any("Codestral" in words for words in told["then"]["untold"])
