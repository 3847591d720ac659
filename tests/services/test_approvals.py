"""Approvals: by policy, bound to content, expiring, and told in words through every door."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group

from rollouts.audit.recording import recorded
from rollouts.models import ApprovalRequest, AuditEvent, PlanTemplate
from rollouts.services import checklist
from tests.portal.pages import signed_in
from tests.services.change_locks import once
from tests.services.refusing import refused
from tests.services.templates import own_template

pytestmark = pytest.mark.django_db


def test_the_company_needs_two_different_approvers(world):
    world.up_to("company", "requested")
    world.do("approve", "company", "alice")
    assert world.phase("company").state == "requested"
    again = refused(world.do, "approve", "company", "alice")
    assert again.codes == {"decided"}
    assert "alice has approved it already. 1 more must approve." in str(again)
    assert world.do("approve", "company", "sam").state == "approved"
    assert world.phase("company").approved_by == "alice, sam"


def test_an_item_that_changes_voids_and_asks_again(world):
    world.up_to("company", "approved")
    from rollouts.models import ChecklistItem

    item = ChecklistItem.objects.get(rollout=world.rollout(), key="considerations")
    checklist.unconfirm(item, by=world.actor("mia"), reason="wrong link")
    world.sync()
    request = world.facts().phase("company").request
    assert world.phase("company").state == "requested"
    assert request.changed[0].startswith(
        "Checklist, “The considerations for adding a model were reviewed”: was done, by mia"
    )
    item_event, event = AuditEvent.objects.order_by("-pk")[:2][::-1]
    assert (item_event.verb, event.verb, event.actor) == ("item.unconfirm", "approval.void", "approvals")
    request_of_it = next(value for name, value in event.after.items() if name.startswith("ApprovalRequest"))
    assert (request_of_it["round"], request_of_it["state"]) == (2, "open")
    page = signed_in(world, "alice").get("/rollouts/haiku/").content.decode()
    assert "What was asked for has changed." in page
    assert "void" in page


def test_an_approver_who_leaves_the_role_before_the_start_no_longer_counts(world):
    world.up_to("team", "approved")
    alice = world.people["alice"]
    alice.groups.clear()
    assert refused(world.do, "start", "team", "mia").codes == {"approval_lost"}
    assert refused(world.do, "start", "team", "root", reason="x", override=True, confirm="haiku").codes == {
        "approval_lost"
    }
    world.sync()
    assert world.phase("team").state == "requested"
    world.do("approve", "team", "sam")
    assert world.do("start", "team", "mia").state == "active"


def test_an_approver_who_is_switched_off_no_longer_counts(world):
    world.up_to("team", "approved")
    world.people["alice"].is_active = False
    world.people["alice"].save()
    assert refused(world.do, "start", "team", "mia").codes == {"approval_lost"}


def test_a_request_expires_by_itself(world, time_machine):
    world.up_to("team", "approved")
    time_machine.move_to(world.now() + timedelta(days=14, minutes=1))
    world.sync()
    phase = world.phase("team")
    assert (phase.state, phase.requested_by, phase.approved_by) == ("planned", "", "")
    assert ApprovalRequest.objects.get().state == "expired"
    assert AuditEvent.objects.filter(verb="approval.expire").count() == 1


def test_what_has_expired_is_neither_approved_nor_started_even_before_the_job_saw_it(world, time_machine):
    world.up_to("company", "requested")
    world.do("approve", "company", "alice")
    time_machine.move_to(world.now() + timedelta(days=14, minutes=1))
    assert "expired" in refused(world.do, "approve", "company", "sam").codes


def test_reject_needs_a_reason_and_ends_the_request(world):
    world.up_to("team", "requested")
    assert refused(world.do, "reject", "team", "alice").codes == {"reason_missing"}
    assert refused(world.do, "reject", "team", "mia", reason="x").codes >= {"four_eyes"}
    world.do("reject", "team", "alice", reason="latency is not measured")
    request = ApprovalRequest.objects.get()
    assert (request.state, request.closed_by, request.reason) == ("rejected", "alice", "latency is not measured")
    assert refused(world.do, "approve", "team", "sam").codes == {"state"}


def test_a_step_is_asked_for_approved_and_withdrawn_while_the_phase_stays_active(world):
    world.up_to("everyone", "active")
    assert refused(world.do, "request", "everyone", "mia").codes == {"not_needed"}
    world.do("advance", "everyone", "mia")
    world.obey()
    assert refused(world.do, "advance", "everyone", "mia").codes == {"approval_missing"}
    assert refused(world.do, "approve", "everyone", "alice").codes == {"no_request"}
    world.do("request", "everyone", "mia")
    world.do("approve", "everyone", "alice")
    world.do("withdraw", "everyone", "mia")
    assert world.phase("everyone").state == "active"
    world.advance("everyone")
    assert world.phase("everyone").percentage == 100


def test_passing_over_planned_steps_needs_a_second_approver(world):
    world.plan["steps"] = [1, 5, 10, 100]
    world.up_to("everyone", "active")
    assert refused(world.do, "advance", "everyone", "mia", to=10).codes == {"approval_missing"}
    assert refused(world.do, "advance", "everyone", "mia", to=7).codes == {"no_such_step"}
    world.do("request", "everyone", "mia", to=10)
    world.do("approve", "everyone", "alice")
    assert refused(world.do, "advance", "everyone", "mia", to=10).codes == {"approval_missing"}
    world.do("approve", "everyone", "sam")
    assert refused(world.do, "advance", "everyone", "mia", to=100).codes == {"approval_missing"}
    assert world.do("advance", "everyone", "mia", to=10).percentage == 10


def test_a_policy_may_name_a_group_instead_of_a_role(world):
    own_template(world, "{needed: 1, roles: [], groups: [ai-leads], lives: 2h}")
    world.do("request", "team", "mia")
    found = refused(world.do, "approve", "team", "alice")
    assert found.codes == {"role"}
    assert "Only the group ai-leads may approve it" in str(found)
    world.people["vic"].groups.add(Group.objects.create(name="ai-leads"))
    assert world.do("approve", "team", "vic").state == "approved"
    request = ApprovalRequest.objects.get()
    assert request.expires_at - request.requested_at == timedelta(hours=2)


def test_a_policy_may_let_the_requester_approve_but_only_if_it_says_so(world):
    own_template(world, "{needed: 1, requester_may: true}")
    world.do("request", "team", "root")
    assert world.do("approve", "team", "root").state == "approved"


def test_a_policy_may_let_the_author_approve_but_only_if_it_says_so(world):
    world.people["mia"].groups.add(Group.objects.get(name="approver"))
    own_template(world, "{needed: 1, author_may: true}")
    world.do("request", "team", "root")
    assert world.do("approve", "team", "mia").state == "approved"


def test_a_stricter_policy_voids_what_was_approved_under_the_old_one(world):
    own_template(world, "{needed: 1}")
    world.do("request", "team", "mia")
    world.do("approve", "team", "alice")
    with recorded("test", by=world.actor("root")):
        template = PlanTemplate.objects.get(slug="ours")
        template.document = template.document.replace("approvals: {needed: 1}", "approvals: {needed: 3}")
        template.save()
    found = refused(world.do, "start", "team", "mia")
    assert found.codes == {"approval_void"}
    assert "Approvals: was 1 approval by approvers, within 14 d, is 3 approvals by approvers" in str(found)
    assert ".." not in str(found)


@pytest.mark.parametrize(
    ("approvals", "words"),
    [
        ("{needed: 0}", "at least 1"),
        ("{needed: 11}", "at most 10"),
        ("{roles: []}", "nobody could approve"),
        ("{lives: 5m}", "for an hour at least"),
        ("{steps: [{at_least: 50, needed: 2}]}", "fits the audience everyone only"),
        ("{anybody: true}", "`anybody` is not a key"),
    ],
)
def test_a_policy_that_protects_nothing_is_refused(approvals, words):
    from rollouts.rules.document import DocumentRefused
    from rollouts.rules.template_document import parse_template

    text = (
        f"template: t\ntitle: T\nphases:\n  - {{name: team, title: Team, audience: actors, approvals: {approvals}}}\n"
    )
    with pytest.raises(DocumentRefused) as found:
        parse_template(text)
    assert words in str(found.value.faults[0]), found.value.faults


def test_the_inbox_has_all_that_is_needed_to_decide(world):
    world.up_to("company", "requested")
    world.gitlab.state.add_note("acme/app", 14, "it is faster", author="ann")
    world.sync()
    page = signed_in(world, "alice").get("/approvals/").content.decode()
    for words in (
        "1 request waits for you.",
        "Start Whole company",
        "group acme_team_members",
        "0 of 2",
        "1 comment",
        "no other rollout of this kind got here",
        "Approve Whole company",
    ):
        assert words in page, words
    assert "You asked for it" in signed_in(world, "mia").get("/approvals/").content.decode()
    viewer = signed_in(world, "vic").get("/approvals/").content.decode()
    assert "Nothing waits for you." in viewer
    assert "Approve Whole company" not in viewer


def test_deciding_in_the_inbox_is_for_what_was_seen(world):
    world.up_to("team", "requested")
    request = ApprovalRequest.objects.get()
    alice = signed_in(world, "alice")
    stale = alice.post(f"/approvals/{request.pk}/approve/", {"looked_at": "0" * 64})
    assert stale.status_code == 409
    assert "It has changed since you looked at it" in stale.content.decode()
    digest = world.facts().phase("team").request.stands
    assert alice.post(f"/approvals/{request.pk}/approve/", {"looked_at": digest}).status_code == 303
    assert world.phase("team").state == "approved"
    assert alice.post(f"/approvals/{request.pk}/fly/").status_code == 404
    late = signed_in(world, "sam").post(f"/approvals/{request.pk}/approve/", {"looked_at": digest})
    assert late.status_code == 409


def test_a_dry_run_tells_facts_approvals_and_calls_and_changes_nothing(world, capsys):
    import json

    from django.core.management import call_command

    world.up_to("company", "approved")
    events = AuditEvent.objects.count()
    call_command("transition", "haiku", "company", "start", "--as", "mia", "--dry-run", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert {fact["name"] for fact in told["facts"]} >= {"GitLab", "Plan", "Change locks", "Capacity"}
    assert all(fact["at"] for fact in told["facts"] if fact["name"] == "GitLab")
    assert [call["chat"] for call in told["calls"]] == [
        "/chatops gitlab run feature set use_haiku true --feature-group=acme_team_members"
    ]
    assert told["approvals"].endswith("alice and sam approved.")
    with pytest.raises(SystemExit) as status:
        call_command("transition", "haiku", "everyone", "start", "--as", "mia", "--dry-run")
    assert status.value.code == 1
    page = signed_in(world, "vic").get("/rollouts/haiku/phases/company/roll_back/").content.decode()
    assert "It would be refused" in page
    assert AuditEvent.objects.count() == events
    assert world.phase("company").state == "approved"


def test_confidential_titles_stay_hidden_in_the_inbox(world):
    from tests.walk import SECRET_TITLE

    world.gitlab.state.set_issue("acme/app", 14, confidential=True, title=SECRET_TITLE)
    world.up_to("team", "requested")
    assert SECRET_TITLE not in signed_in(world, "vic").get("/approvals/").content.decode()
    assert SECRET_TITLE in signed_in(world, "alice").get("/approvals/").content.decode()


def test_what_is_granted_is_neither_approved_nor_rejected_again(world):
    world.up_to("everyone", "active")
    world.do("advance", "everyone", "mia")
    world.obey()
    world.do("request", "everyone", "mia")
    world.approve("everyone")
    assert refused(world.do, "approve", "everyone", "root").codes == {"granted"}
    assert refused(world.do, "reject", "everyone", "root", reason="x").codes == {"granted"}


def test_an_approval_after_a_change_that_no_job_has_seen_is_for_what_is_now(world):
    """The item changes, and before any sync an approver looks and approves: that counts, the older one does not."""
    world.up_to("company", "requested")
    world.do("approve", "company", "alice")
    from rollouts.models import ChecklistItem

    item = ChecklistItem.objects.get(rollout=world.rollout(), key="considerations")
    checklist.unconfirm(item, by=world.actor("mia"), reason="wrong link")
    seen = world.facts().phase("company").request.stands
    world.do("approve", "company", "sam", looked_at=seen)
    request = world.facts().phase("company").request
    assert [one.by for one in request.counting()] == ["sam"]
    assert world.phase("company").state == "requested"
    assert ApprovalRequest.objects.get(phase=world.phase("company")).round == 2


def test_an_overdue_review_stands_on_the_portfolio(world, time_machine):
    world.plan["soak"] = "15m"
    world.up_to("team", "active")
    world.plan["soak"] = "0"
    world.do("roll_back", "team", "mia", reason="again")
    world.do("retry", "team", "mia")
    world.confirm("team")
    world.sync()
    world.do("request", "team", "mia")
    world.do("approve", "team", "alice")
    once(world)
    world.do("start", "team", "root", reason="incident 1", override=True, confirm="haiku")
    page = signed_in(world, "mia").get("/").content.decode()
    assert "overridden" in page
    assert "should have been reviewed" not in page
    time_machine.move_to(world.now() + timedelta(days=4))
    page = signed_in(world, "mia").get("/").content.decode()
    assert "1 override should have been reviewed" in page
    assert "review overdue" in page
    inbox = signed_in(world, "alice").get("/approvals/").content.decode()
    assert "Overrides that a second person must review" in inbox
    from rollouts.models import Override

    done = signed_in(world, "alice").post(
        f"/rollouts/haiku/overrides/{Override.objects.get().pk}/", {"verdict": "right"}
    )
    assert done.status_code == 303
    assert "should have been reviewed" not in signed_in(world, "mia").get("/").content.decode()
