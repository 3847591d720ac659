"""Who decides, decides about what they saw: the very request, at the very round, or nothing."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from rollouts.models import Approval, ApprovalRequest, AuditEvent
from rollouts.services import tokens
from tests.admin.pages import answer, text
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db
VERBS = ("approve", "reject", "withdraw")


def inbox_forms(page):
    """By verb: the address and what the inbox's own forms send."""
    forms = {}
    for form in re.findall(r"<form.*?</form>", page.content.decode(), re.DOTALL):
        if match := re.search(r'action="(/approvals/\d+/(\w+)/)"', form):
            sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
            forms[match[2]] = match[1], {**sent, "reason": "x"}
    return forms


def another(world):
    """The request ends, and another one stands in its place."""
    world.do("withdraw", "team", "mia")
    world.do("request", "team", "root")


def changed(world):
    """The same request in another round."""
    world.plan["title"] = "Another title"
    world.apply()


def stands_as_it_was(world, asked):
    assert world.phase("team").state == "requested"
    assert ApprovalRequest.objects.get(phase=world.phase("team"), state="open").pk == asked.pk
    assert not Approval.objects.exists()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("meanwhile", [another, changed], ids=lambda each: each.__name__)
def test_the_inbox_decides_about_nothing_else_than_it_showed(world, verb, meanwhile):
    world.up_to("team", "requested")
    client = signed_in(world, "root" if meanwhile is changed else "alice" if verb != "withdraw" else "mia")
    address, form = inbox_forms(client.get("/approvals/"))[verb]
    meanwhile(world)
    asked = ApprovalRequest.objects.get(phase=world.phase("team"), state="open")
    assert client.post(address, form).status_code == 409
    # nor with less: the number in the address names the request, whatever the form leaves out
    if meanwhile is another:
        now = {"looked_at": world.looked_at("team"), "reason": "x"}
        assert client.post(address, now).status_code == 409
        assert "is withdrawn: nothing is done to another" in client.post(address, now).content.decode()
    stands_as_it_was(world, asked)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("meanwhile", [another, changed], ids=lambda each: each.__name__)
def test_neither_does_the_api(world, verb, meanwhile):
    world.up_to("team", "requested")
    _, secret = tokens.issue(world.people["root"], "t", world.actor("root"))
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    seen = program.get("/api/v1/approvals").json()["items"][0]
    phase = program.get("/api/v1/rollouts/haiku").json()["phases"][0]
    meanwhile(world)
    asked = ApprovalRequest.objects.get(phase=world.phase("team"), state="open")
    names = [{"request": seen["id"]}] if meanwhile is another else []
    names += [{"seen": phase["version"]}] + ([{}] if verb != "withdraw" else [])
    for name in names:
        body = {"reason": "x", "looked_at": seen["digest"], **name}
        answered = program.post(f"/api/v1/rollouts/haiku/phases/team/{verb}", body, content_type="application/json")
        assert answered.status_code == 409, (name, answered.content)
    stands_as_it_was(world, asked)


@pytest.mark.parametrize(("verb", "who"), [("reject", "alice"), ("withdraw", "mia")])
@pytest.mark.parametrize("meanwhile", [another, changed], ids=lambda each: each.__name__)
def test_neither_do_bulk_actions_of_the_admin(world, verb, who, meanwhile):
    world.up_to("team", "requested")
    first = ApprovalRequest.objects.get(phase=world.phase("team"))
    client, chosen = signed_in(world, who), {"action": verb, "_selected_action": [first.pk]}
    page = client.post("/admin/rollouts/approvalrequest/", chosen)
    meanwhile(world)
    asked = ApprovalRequest.objects.get(phase=world.phase("team"), state="open")
    events = AuditEvent.objects.count()
    said = text(answer(client, "rollouts/approvalrequest", verb, [first], page, reason="x"))
    assert "Not done." in said
    bare = {**chosen, "confirmed": "yes", "reason": "x"}
    assert "Not done." in text(client.post("/admin/rollouts/approvalrequest/", bare, follow=True))
    assert AuditEvent.objects.count() == events
    stands_as_it_was(world, asked)


@pytest.mark.parametrize("action", ["withdraw", "abandon"])
def test_nor_those_on_rollouts(world, action):
    world.up_to("team", "requested")
    mia, rollout = signed_in(world, "mia"), world.rollout()
    chosen = {"action": action, "_selected_action": [rollout.pk]}
    page = mia.post("/admin/rollouts/rollout/", chosen)
    another(world)
    asked = ApprovalRequest.objects.get(phase=world.phase("team"), state="open")
    said = text(answer(mia, "rollouts/rollout", action, [rollout], page, reason="x"))
    assert "It has changed since this page showed it. Choose it again and look." in said
    stands_as_it_was(world, asked)


@pytest.mark.parametrize("verb", VERBS)
def test_nor_a_button_of_the_rollouts_page_or_of_the_admin(world, verb):
    world.up_to("team", "requested")
    phase = world.phase("team")
    form = {"reason": "x", "seen": phase.version, "looked_at": world.looked_at("team")}
    another(world)
    asked = ApprovalRequest.objects.get(phase=world.phase("team"), state="open")
    client = signed_in(world, "alice" if verb != "withdraw" else "mia")
    for address in (f"/rollouts/haiku/phases/team/{verb}/", f"/admin/rollouts/phase/{phase.pk}/transition/{verb}/"):
        assert client.post(address, form).status_code == 409
    stands_as_it_was(world, asked)
