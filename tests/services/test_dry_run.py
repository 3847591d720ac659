"""Dry runs: every verb through every door changes nothing, and says what would really happen."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client

from rollouts.audit.recording import recorded
from rollouts.models import Approval, ApprovalRequest, AuditEvent, Phase, Rollout, TrackedIssue
from rollouts.rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from rollouts.services import dry_run, tokens, transitions
from rollouts.services.refusals import Refused
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db
PHASES = ("team", "company", "everyone")


def stored():
    return [list(model.objects.order_by("pk").values()) for model in (Phase, Rollout, ApprovalRequest, Approval)]


def test_every_verb_by_page_api_and_command_changes_nothing_and_says_the_same(world, capsys):
    world.up_to("company", "active")
    _, token = tokens.issue(world.people["mia"], "dry", world.actor("mia"))
    browser, program = signed_in(world, "mia"), Client(headers={"Authorization": f"Bearer {token}"})
    before, events = stored(), AuditEvent.objects.count()
    for phase, verb in [*((p, v) for p in PHASES for v in PHASE_VERBS), *(("rollout", v) for v in ROLLOUT_VERBS)]:
        address = f"/api/v1/rollouts/haiku/phases/{phase}/{verb}?dry_run=true"
        answer = program.post(address, {"reason": "x"}, content_type="application/json").json()
        assert (answer["verb"], answer["phase"]) == (verb, phase)
        try:
            call_command("transition", "haiku", phase, verb, "--as", "mia", "--reason", "x", "--dry-run", "--json")
            status = 0
        except SystemExit as stop:
            status = stop.code
        by_command = json.loads(capsys.readouterr().out)
        names = [[fact["name"] for fact in one.pop("facts")] for one in (by_command, answer)]  # their ages move on
        assert names[0] == names[1]
        assert by_command == answer
        assert status == (0 if answer["ok"] else 1)
        page = f"do/{verb}/" if phase == "rollout" else f"phases/{phase}/{verb}/"
        words = browser.get(f"/rollouts/haiku/{page}").content.decode()
        assert ("It would pass." in words) is answer["ok"]
    assert stored() == before
    assert AuditEvent.objects.count() == events


def really(verb, world, phase, name):
    """What the recorded change itself does, taken back at once: whether it passes, and what stands in its way."""
    with transaction.atomic():
        try:
            if phase == "rollout":
                transitions.perform_on_rollout(verb, world.rollout(), by=world.actor(name), reason="x")
            else:
                seen = {"looked_at": world.looked_at(phase)}
                transitions.perform(verb, world.phase(phase), by=world.actor(name), reason="x", **seen)
            return set()
        except Refused as refused:
            return refused.codes
        finally:
            transaction.set_rollback(True)


def changed_unseen(world):
    """GitLab says something new, and no job has settled it yet: people's approvals are for what is now."""
    world.up_to("team", "approved")
    with recorded("issue.read", by=world.actor("root")) as recording:
        recording.about = issue = TrackedIssue.objects.get(iid=14)
        issue.found = False
        issue.save()


def an_approver_who_left(world):
    world.up_to("team", "approved")
    world.people["alice"].groups.clear()


@pytest.mark.parametrize(
    "stand",
    [
        lambda world: world.up_to("company", "requested"),
        lambda world: world.up_to("everyone", "active"),
        changed_unseen,
        an_approver_who_left,
    ],
)
def test_it_says_what_would_really_happen(world, stand):
    stand(world)
    for name in ("mia", "sam"):
        for phase in PHASES:
            for verb in PHASE_VERBS:
                result = dry_run.of_phase(verb, world.phase(phase), by=world.actor(name), reason="x")
                assert {b.code for b in result.blockers} == really(verb, world, phase, name), (name, phase, verb)
        for verb in ROLLOUT_VERBS:
            result = dry_run.of_rollout(verb, world.rollout(), by=world.actor(name), reason="x")
            assert {b.code for b in result.blockers} == really(verb, world, "rollout", name), (name, verb)
