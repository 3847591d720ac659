"""Decisions have an owner and a link; the comparison with the baseline has a verdict and numbers, by every door."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.test import Client

from rollouts.models import AuditEvent
from rollouts.services import checklist, items, tokens
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.services.refusing import refused

pytestmark = pytest.mark.django_db
GOOD = {"latency": "alike", "correctness": "better", "verdict": "better", "link": "https://gitlab.example.com/x"}
KEPT = {
    "latency": "alike",
    "correctness": "better",
    "verdict": "better",
    "numbers": [{"name": "p50 ms", "new": 655.0, "baseline": 637.5}],
}


@pytest.fixture
def used(world):
    """The owning team uses the model: how it compares can be known."""
    world.up_to("team", "active")
    return world


def row(world, key, phase):
    return items.named(world.rollout(), key, phase)


def api(world, path, body):
    _, token = tokens.issue(world.people["mia"], "items", world.actor("mia"))
    program = Client(headers={"Authorization": f"Bearer {token}"})
    return program.post(f"/api/v1/rollouts/haiku/items/{path}", json.dumps(body), content_type="application/json")


def test_a_comparison_is_recorded_at_each_door_and_told_at_each(used, capsys):
    item = row(used, "team_feedback", "team")
    page = signed_in(used, "mia")
    here = f"/rollouts/haiku/items/{item.pk}/"
    form = {**GOOD, "evidence": "see the issue", "numbers": "p50 ms = 655 / 637.5\r\n"}
    assert page.post(here, form).status_code == 303
    stored = row(used, "team_feedback", "team")
    assert (stored.comparison, stored.link) == (KEPT, GOOD["link"])
    told = flat(page.get("/rollouts/haiku/"))
    for words in ("better than the baseline as a whole", "p50 ms: 655 / 637.5", "https://gitlab.example.com/x"):
        assert words in told
    assert page.post(here, {"undo": "1", "reason": "once more"}).status_code == 303
    assert row(used, "team_feedback", "team").comparison == {}
    answer = api(used, "team_feedback/confirm", {**GOOD, "evidence": "x", "numbers": ["p50 ms = 655 / 637.5"]})
    (mine,) = [one for one in answer.json()["items"] if one["key"] == "team_feedback"]
    assert (mine["comparison"], mine["link"]) == (KEPT, GOOD["link"])
    api(used, "team_feedback/unconfirm", {"reason": "once more"})
    words = [f"--{name}={value}" for name, value in GOOD.items()]
    call_command("item", "haiku", "team_feedback", "confirm", "--as", "mia", "--evidence", "x",
                 "--number", "p50 ms = 655 / 637.5", *words)  # fmt: skip
    assert row(used, "team_feedback", "team").comparison == KEPT
    event = AuditEvent.objects.filter(verb="item.confirm").latest("pk")
    assert event.after["comparison"] == KEPT


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"latency": ""}, "latency_missing"),
        ({"correctness": "good"}, "correctness_missing"),
        ({"verdict": ""}, "verdict_missing"),
        ({"numbers": "p50 ms 655 637"}, "numbers_wrong"),
        ({"numbers": "p50 ms = nan / 637"}, "numbers_wrong"),
        ({"numbers": "p50 ms = 1e999 / 637"}, "numbers_wrong"),
        ({"numbers": "p50 = 1 / 2\np50 = 1 / 3"}, "numbers_wrong"),
        ({"numbers": "\n".join(f"n{n} = 1 / 2" for n in range(21))}, "numbers_wrong"),
        ({"numbers": f"{'x' * 61} = 1 / 2"}, "numbers_wrong"),
        ({"link": "javascript:alert(1)"}, "link_wrong"),
        ({"link": f"https://example.com/{'x' * 500}"}, "link_wrong"),
        ({"link": "https://user:secret@example.com/"}, "evidence_secret"),
    ],
)
def test_what_is_no_comparison_is_refused_and_changes_nothing(used, wrong, code):
    item, events = row(used, "team_feedback", "team"), AuditEvent.objects.count()
    recorded = checklist.Recorded(**{**GOOD, **wrong})
    raised = refused(checklist.confirm, item, by=used.actor("mia"), evidence="x", recorded=recorded)
    assert code in raised.codes
    page = signed_in(used, "mia").post(f"/rollouts/haiku/items/{item.pk}/", {"evidence": "x", **GOOD, **wrong})
    assert page.status_code in (409, 422)
    assert AuditEvent.objects.count() == events


def test_a_decision_has_an_owner_an_outcome_and_a_link(world):
    world.up_to("company", "active")
    used = world
    item = row(used, "decide_quota", "company")
    for owner in ("nobody", "<b>"):
        raised = refused(
            checklist.confirm, item, by=used.actor("mia"), evidence="no", recorded=checklist.Recorded(owner=owner)
        )
        assert raised.codes == {"owner_unknown"}
    answer = api(used, "decide_quota/confirm", {"evidence": "Yes: twice", "owner": "alice", "link": GOOD["link"]})
    (mine,) = [one for one in answer.json()["items"] if one["key"] == "decide_quota"]
    assert [mine[name] for name in ("owner", "words", "link")] == ["alice", "Yes: twice", GOOD["link"]]
    assert "alice sees to it" in flat(signed_in(used, "vic").get("/rollouts/haiku/"))
    call_command("item", "haiku", "decide_anything_else", "confirm", "--as", "mia", "--evidence", "no")
    assert row(used, "decide_anything_else", "company").owner == "mia"
