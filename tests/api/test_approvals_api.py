"""Requests and dry runs over the REST API: bound to what was seen, and changing nothing where nothing shall change."""

from __future__ import annotations

import pytest

from rollouts.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_a_request_is_read_and_approved_for_what_was_seen(world, script, refused):
    world.up_to("company", "requested")
    (request,) = script("alice").get("/approvals").json()["items"]
    assert (request["rollout"], request["phase"], request["what"]) == ("haiku", "company", "Start Whole company")
    assert (request["needed"], request["approvals"], request["blockers"]) == (2, [], [])
    path = "/rollouts/haiku/phases/company/approve"
    refused(script("alice").post(path, {"looked_at": "0" * 64}), 409, "void")
    assert script("alice").post(path, {"looked_at": request["digest"]}).status_code == 200
    (request,) = script("alice").get("/approvals").json()["items"]
    assert [one["by"] for one in request["approvals"]] == ["alice"]
    assert [blocker["code"] for blocker in request["blockers"]] == ["decided"]
    refused(script("alice").post(path), 409, "decided")
    assert script("sam").post(path).json()["phases"][1]["state"] == "approved"


def test_a_viewer_sees_requests_and_why_they_may_not_approve(world, script):
    world.up_to("team", "requested")
    (request,) = script("vic").get("/approvals").json()["items"]
    assert [blocker["code"] for blocker in request["blockers"]] == ["role"]


def test_a_dry_run_changes_nothing_and_tells_all(world, script):
    world.up_to("company", "approved")
    events = AuditEvent.objects.count()
    told = script("mia").post("/rollouts/haiku/phases/company/start?dry_run=true").json()
    assert (told["dry_run"], told["ok"], told["blockers"]) == (True, True, [])
    assert told["expected"]["then"]["groups"] == ["acme_team_members"]
    assert told["calls"][0]["chat"].endswith("--feature-group=acme_team_members")
    blocked = script("vic").post("/rollouts/haiku/phases/everyone/start?dry_run=true").json()
    assert blocked["ok"] is False
    assert {"role", "state"} <= {blocker["code"] for blocker in blocked["blockers"]}
    assert AuditEvent.objects.filter(verb__startswith="phase").count() <= events
    assert world.phase("company").state == "approved"


def test_a_later_step_is_named_by_its_percentage(world, script, refused):
    world.plan["steps"] = [1, 5, 10, 100]
    world.up_to("everyone", "active")
    refused(script("mia").post("/rollouts/haiku/phases/everyone/advance", {"to": 10}), 409, "approval_missing")
    refused(script("mia").post("/rollouts/haiku/phases/everyone/advance", {"to": 7}), 409, "no_such_step")
    assert script("mia").post("/rollouts/haiku/phases/everyone/advance", {"to": 101}).status_code == 422
    told = script("mia").post("/rollouts/haiku/phases/rollout/abandon?dry_run=true").json()
    assert {blocker["code"] for blocker in told["blockers"]} == {"phase_live"}
    assert script("mia").post("/rollouts/haiku/phases/everyone/advance", {"to": 5}).json()["phases"][2]["step"] == 5
