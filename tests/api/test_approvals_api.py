"""Requests and dry runs over the REST API: bound to what was seen, and changing nothing where nothing shall change."""

from __future__ import annotations

import pytest
from django.db import connection

from rollouts.models import ApiToken, ApprovalRequest, AuditEvent
from tests.services.threads import at_once

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
    refused(script("alice").post(path, {"looked_at": request["digest"]}), 409, "decided")
    approved = script("sam").post(path, {"looked_at": request["digest"]})
    assert approved.json()["phases"][1]["state"] == "approved"


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_nobody_decides_unseen_and_the_answer_tells_what_stands(world, script, verb):
    world.up_to("team", "requested")
    (request,) = script("alice").get("/approvals").json()["items"]
    path = f"/rollouts/haiku/phases/team/{verb}"
    for unseen in ({"reason": "x"}, {"reason": "x", "looked_at": ""}):
        answer = script("alice").post(path, unseen)
        assert answer.status_code == 409
        assert [blocker["code"] for blocker in answer.json()["blockers"]] == ["not_looked_at"]
        assert answer.json()["digest"] == request["digest"]
    stale = script("alice").post(path, {"reason": "x", "looked_at": "0" * 64}).json()
    assert stale["digest"] == request["digest"]
    assert not AuditEvent.objects.filter(verb=f"phase.{verb}").exists()
    told = script("alice").post(f"{path}?dry_run=true", {"reason": "x"}).json()
    assert (told["ok"], told["digest"]) == (True, request["digest"])
    assert script("alice").post(path, {"reason": "x", "looked_at": told["digest"]}).status_code == 200


def test_an_event_and_an_approval_say_which_token_they_came_with(world, script):
    world.up_to("company", "requested")
    digest = world.looked_at("company")
    assert script("alice").post("/rollouts/haiku/phases/company/approve", {"looked_at": digest}).status_code == 200
    event = script("root").get("/audit?verb=phase.approve&limit=1").json()["items"][0]
    token = ApiToken.objects.get(person=world.people["alice"])
    kept = {"token": {"id": token.pk, "name": token.name, "begins": token.prefix}}
    assert (event["source"], event["way"]) == ("api", kept)
    (request,) = script("sam").get("/approvals").json()["items"]
    assert [(one["source"], one["way"]) for one in request["approvals"]] == [("api", kept)]


def test_a_viewer_sees_requests_and_why_they_may_not_approve(world, script):
    world.up_to("team", "requested")
    (request,) = script("vic").get("/approvals").json()["items"]
    assert [blocker["code"] for blocker in request["blockers"]] == ["role"]


def test_a_dry_run_changes_nothing_and_tells_all(world, script):
    world.up_to("company", "approved")
    events = AuditEvent.objects.count()
    answer = script("mia").post("/rollouts/haiku/phases/company/start?dry_run=true").json()
    assert (answer["dry_run"], answer["ok"], answer["blockers"]) == (True, True, [])
    assert answer["expected"]["then"]["groups"] == ["acme_team_members"]
    assert answer["calls"][0]["chat"].endswith("--feature-group=acme_team_members")
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
    answer = script("mia").post("/rollouts/haiku/phases/rollout/abandon?dry_run=true").json()
    assert {blocker["code"] for blocker in answer["blockers"]} == {"phase_live"}
    assert script("mia").post("/rollouts/haiku/phases/everyone/advance", {"to": 5}).json()["phases"][2]["step"] == 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", ["api", "page"])
def test_a_page_is_whole_though_a_request_of_it_is_withdrawn_meanwhile(world, script, client, door):
    for slug in ("haiku", "opus", "sonnet"):
        world.plan |= {"slug": slug, "title": slug.title(), "flag": f"use_{slug}"}
        world.up_to("team", "requested")
    vic, is_withdrawn = script("vic"), []
    client.force_login(world.people["vic"])

    def told():
        if door == "api":
            page = vic.get("/approvals", {"limit": 2}).json()
            return [request["rollout"] for request in page["items"]]
        text = client.get("/approvals/").content.decode()
        return [slug for slug in ("haiku", "opus", "sonnet") if f'href="/rollouts/{slug}/' in text]

    def withdraw_after_requests_were_read(execute, sql, *arguments):
        answer = execute(sql, *arguments)
        if f'FROM "{ApprovalRequest._meta.db_table}"' in sql and not is_withdrawn:
            is_withdrawn.append(sql)
            (phase,) = at_once(lambda: world.do("withdraw", "team", "mia", reason="x"))
            assert phase.state == "planned", phase
        return answer

    world.plan["slug"] = "haiku"
    before = told()
    with connection.execute_wrapper(withdraw_after_requests_were_read):
        assert told() == before
    assert is_withdrawn
    assert "haiku" in before
    assert "haiku" not in told()
