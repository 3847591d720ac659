"""One human is one pair of eyes: a policy that is loosened for a moment, another's name, another way in."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from rollouts.models import ApprovalRequest, AuditEvent, PlanTemplate
from rollouts.services import tokens
from tests.portal.pages import signed_in
from tests.services.refusing import refused
from tests.services.templates import own_template

pytestmark = pytest.mark.django_db
STRICT = "{needed: 1, roles: [approver], lives: 14d}"
LOOSE = "{needed: 1, requester_may: true, author_may: true}"


def edit(world, who, policy, door):
    """The template's policy of the first phase, by an import or by the form of the admin."""
    template = PlanTemplate.objects.get(slug="ours")
    document = re.sub(r"(?m)^    approvals: \{needed.*$", f"    approvals: {policy}", template.document, count=1)
    client = signed_in(world, who)
    if door == "import":
        client.post("/admin/rollouts/plantemplate/import/", {"source": "t.yaml", "text": document, "import": "yes"})
    else:
        form = {"slug": "ours", "title": template.title, "document": document}
        client.post(f"/admin/rollouts/plantemplate/{template.pk}/change/", form)
    assert PlanTemplate.objects.get(slug="ours").document.strip() == document.strip()


def press(world, who, verb="approve"):
    form = {"looked_at": world.looked_at("team"), "reason": "x"}
    return signed_in(world, who).post(f"/rollouts/haiku/phases/team/{verb}/", form)


@pytest.mark.parametrize("door", ["import", "form"])
def test_a_policy_that_is_loosened_for_a_moment_lets_nobody_approve_their_own(world, door):
    own_template(world, STRICT)
    world.do("request", "team", "root")
    before = world.looked_at("team")
    edit(world, "root", LOOSE, door)
    answer = press(world, "root")
    assert answer.status_code == 409
    assert "asked for it: somebody else must approve" in answer.content.decode()
    edit(world, "root", STRICT, door)
    assert press(world, "root").status_code == 409
    assert world.phase("team").state == "requested"
    assert world.looked_at("team") == before, "put back, it is what was asked for"
    assert AuditEvent.objects.filter(object_type="PlanTemplate", actor="root").count() == 3
    assert ApprovalRequest.objects.get().authors == ["root"]


def test_who_edited_the_policy_since_has_a_hand_in_what_another_asked_for(world):
    """Before the edit they might have approved; after it they are an author, also of what they approved before."""
    world.people["sue"] = world.people["mia"].__class__.objects.create_user("sue", password="rollout")
    world.people["sue"].groups.add(Group.objects.get(name="admin"))
    own_template(world, STRICT)
    world.do("request", "team", "mia")
    world.do("approve", "team", "sue")
    edit(world, "sue", LOOSE, "import")
    edit(world, "sue", STRICT, "import")
    assert refused(world.do, "start", "team", "mia").codes == {"approval_lost"}
    world.sync()
    assert world.phase("team").state == "requested"
    assert refused(world.do, "approve", "team", "sue").codes >= {"four_eyes"}
    world.do("approve", "team", "alice")
    assert world.do("start", "team", "mia").state == "active"


def test_who_edited_the_model_since_has_a_hand_in_it_by_whatever_door(world):
    world.up_to("team", "requested")
    model = world.rollout().ai_model
    text = f"ai_models:\n- slug: {model.slug}\n  host: Elsewhere\n"
    answer = signed_in(world, "root").post(
        "/admin/rollouts/aimodel/import/", {"source": "m.yaml", "text": text, "import": "yes"}
    )
    assert answer.status_code == 303, answer.content.decode()
    assert refused(world.do, "approve", "team", "root").codes == {"four_eyes"}
    world.do("approve", "team", "alice")


@pytest.mark.parametrize(
    ("now", "needs"),
    [
        ("{needed: 3}", 3),
        ("{needed: 1}", 2),
        ("{needed: 1, roles: [], groups: [ai-leads]}", 2),
    ],
)
def test_the_stricter_of_the_policy_at_asking_and_now_counts(world, now, needs):
    own_template(world, "{needed: 2}")
    world.do("request", "team", "mia")
    edit(world, "root", now, "import")
    assert world.facts().phase("team").request.policy.needed == needs
    if "ai-leads" in now:
        found = refused(world.do, "approve", "team", "alice")
        assert "Only the group ai-leads who are also approvers may approve it" in str(found)
        world.people["vic"].groups.add(Group.objects.create(name="ai-leads"))
        assert refused(world.do, "approve", "team", "vic").codes == {"role"}
        world.people["alice"].groups.add(Group.objects.get(name="ai-leads"))
    world.do("approve", "team", "alice")
    assert world.phase("team").state == "requested"


def test_a_shorter_life_ends_what_was_asked_for_earlier(world, time_machine):
    from datetime import timedelta

    own_template(world, "{needed: 1, lives: 14d}")
    world.do("request", "team", "mia")
    edit(world, "root", "{needed: 1, lives: 2h}", "import")
    time_machine.move_to(world.now() + timedelta(hours=3))
    assert "expired" in refused(world.do, "approve", "team", "alice").codes


def test_a_step_needs_what_it_needed_when_its_phase_was_approved(world):
    """Nobody takes the steps' approvals out of the policy once the phase runs."""
    own_template(world, STRICT)
    world.skip("team", reason="drill")
    world.up_to("everyone", "active")
    world.do("advance", "everyone", "mia")
    world.obey()
    template = PlanTemplate.objects.get(slug="ours")
    loose = template.document.replace("steps: [{at_least: 50, needed: 2}]", "steps: []").replace(
        "jump: {points: 25, needed: 2}", "jump: {points: 100, needed: 1}"
    )
    assert loose != template.document
    texts = {"source": "t.yaml", "text": loose, "import": "yes"}
    assert signed_in(world, "root").post("/admin/rollouts/plantemplate/import/", texts).status_code == 303
    assert refused(world.do, "advance", "everyone", "root").codes == {"approval_missing"}
    world.do("request", "everyone", "mia")
    world.do("approve", "everyone", "alice")
    assert refused(world.do, "advance", "everyone", "mia").codes == {"approval_missing"}
    world.do("approve", "everyone", "sam")
    world.do("advance", "everyone", "mia")


def test_each_approval_says_by_what_way_it_came_and_no_secret(world):
    """Page, API: on the rollout's page, in the inbox, in the admin, in the history."""
    world.up_to("company", "requested")
    alice, (token, secret) = signed_in(world, "alice"), tokens.issue(world.people["sam"], "nightly", world.actor("sam"))
    form = {"looked_at": world.looked_at("company")}
    assert alice.post("/rollouts/haiku/phases/company/approve/", form).status_code == 303
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    body = {"looked_at": world.looked_at("company")}
    path = "/api/v1/rollouts/haiku/phases/company/approve"
    assert program.post(path, body, content_type="application/json").status_code == 200
    by_token, by_page = AuditEvent.objects.filter(verb="phase.approve").newest_first()[:2]
    session = by_page.way["session"]
    assert session["signed_in_at"]
    assert by_token.way == {"token": {"id": token.pk, "name": "nightly", "begins": token.prefix}}
    root = signed_in(world, "root")
    asked = ApprovalRequest.objects.get(phase=world.phase("company"))
    for page in ("/rollouts/haiku/", "/approvals/", f"/admin/rollouts/approvalrequest/{asked.pk}/change/", "/audit/"):
        text = root.get(page).content.decode()
        assert f"session {session['reference']}" in text, page
        assert f"token nightly ({token.prefix}…)" in text, page
        assert alice.session.session_key not in text, page
        assert secret not in text, page
    assert alice.session.session_key not in str(by_page.way)


def test_signing_in_again_is_told_apart(world):
    world.up_to("company", "requested")
    alice = signed_in(world, "alice")
    first = alice.session["signed_in_at"], alice.session.session_key
    alice.logout()
    alice.force_login(world.people["alice"])
    assert alice.session.session_key != first[1]
    assert alice.session["signed_in_at"] >= first[0]
