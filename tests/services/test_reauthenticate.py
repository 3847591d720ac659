"""A policy that asks for a fresh sign-in: ``reauthenticate: 15m`` holds at every door."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from rollouts.models import Approval
from rollouts.rules.approval_policy import PhasePolicy, Policy
from rollouts.services import tokens
from tests.services.templates import own_template

pytestmark = pytest.mark.django_db
ASKS = "{needed: 1, reauthenticate: 15m}"


@pytest.fixture
def asked(world, time_machine):
    """A request under that policy; alice signed in twenty minutes ago."""
    world.alice = Client()
    time_machine.move_to(timezone.now(), tick=False)
    assert world.alice.post("/accounts/login/", {"username": "alice", "password": "rollout"}).status_code == 302
    time_machine.move_to(timezone.now() + timedelta(minutes=20), tick=False)
    own_template(world, ASKS)
    world.do("request", "team", "mia")
    return world


def seen(world):
    return {"looked_at": world.looked_at("team"), "version": world.phase("team").version}


def press(world, client):
    return client.post("/rollouts/haiku/phases/team/approve/", seen(world))


def test_an_old_sign_in_approves_nothing_and_a_fresh_one_does(asked):
    answer = press(asked, asked.alice)
    assert answer.status_code == 409
    words = " ".join(answer.content.decode().split())
    assert "It takes a sign-in of the last 15 min, and yours was 20 min ago. Sign in anew." in words
    assert "/accounts/again/?next=/rollouts/haiku/" in words
    assert not Approval.objects.exists()
    inbox = asked.alice.get("/approvals/").content.decode()
    waits, _, _others = inbox.partition("Waits for others")
    assert "Sign in anew" in waits, "it waits for her all the same"
    assert "/accounts/again/?next=/approvals/" in waits
    again = asked.alice.post("/accounts/again/", {"password": "rollout", "next": "/approvals/"})
    assert again["Location"] == "/approvals/"
    assert press(asked, asked.alice).status_code == 303
    assert asked.phase("team").state == "approved"
    assert Approval.objects.get().way["session"]["proved_at"]


def test_a_wrong_password_shows_nobody(asked):
    assert asked.alice.post("/accounts/again/", {"password": "no"}).status_code == 422
    mallory = asked.alice.post("/accounts/again/", {"username": "sam", "password": "rollout"})
    assert mallory.status_code == 303, "whatever name is sent along, it is alice's password"
    assert asked.alice.get("/account/")["Location"] == "/people/alice/"


def test_guesses_lock_here_too(asked, settings):
    settings.AXES_ENABLED = True
    statuses = [asked.alice.post("/accounts/again/", {"password": f"guess {n}"}).status_code for n in range(11)]
    assert statuses[-1] == 429
    assert asked.alice.post("/accounts/again/", {"password": "rollout"}).status_code != 303
    assert press(asked, asked.alice).status_code == 409


def test_a_token_is_no_sign_in(asked):
    _, token = tokens.issue(asked.people["alice"], "bot", asked.actor("alice"))
    program = Client(headers={"Authorization": f"Bearer {token}"})
    asked.alice.post("/accounts/again/", {"password": "rollout"})
    answer = program.post(
        "/api/v1/rollouts/haiku/phases/team/approve",
        json.dumps({"looked_at": asked.looked_at("team")}),
        content_type="application/json",
    )
    assert answer.status_code == 409
    assert [blocker["code"] for blocker in answer.json()["blockers"]] == ["sign_in_old"]
    assert "A token or a command is none" in answer.json()["blockers"][0]["message"]


@pytest.mark.parametrize("named", [("--as", "alice"), ()])
def test_a_command_is_no_sign_in(asked, settings, capsys, named):
    settings.COMMAND_MAY_APPROVE = True
    with pytest.raises(SystemExit):
        call_command("transition", "haiku", "team", "approve", *named, "--looked-at", asked.looked_at("team"))
    assert "A token or a command is none" in capsys.readouterr().err
    assert not Approval.objects.exists()


def test_the_admin_asks_for_it_too(asked):
    phase = asked.phase("team")
    asked.alice.post(f"/admin/rollouts/phase/{phase.pk}/transition/approve/", seen(asked))
    assert not Approval.objects.exists()


def test_rejecting_asks_for_none(asked):
    answer = asked.alice.post("/rollouts/haiku/phases/team/reject/", {**seen(asked), "reason": "not yet"})
    assert answer.status_code == 303


@pytest.mark.parametrize("written", ["10s", "2d", "soon", "0m"])
def test_a_time_that_is_none_is_refused_in_words(world, written):
    from rollouts.models import PlanTemplate
    from rollouts.rules.document import DocumentRefused
    from rollouts.rules.template_document import parse_template

    text = PlanTemplate.objects.get(slug="code_suggestions").document
    text = text.replace("roles: [approver], lives: 14d", f"roles: [approver], reauthenticate: {written}", 1)
    with pytest.raises(DocumentRefused, match="reauthenticate"):
        parse_template(text, source="t.yaml")


def test_of_two_policies_the_shorter_time_counts_and_without_one_nothing_changes():
    quarter, hour = (Policy(reauthenticate=timedelta(minutes=n)) for n in (15, 60))
    assert quarter.stricter(hour) == hour.stricter(quarter) == Policy(reauthenticate=timedelta(minutes=15))
    assert Policy().stricter(hour).reauthenticate == timedelta(hours=1)
    assert "reauthenticate_seconds" not in Policy().as_json(), "the digests of what stands stay"
    phase = PhasePolicy(quarter)
    assert PhasePolicy.from_json(phase.as_json()) == phase
    assert "sign-in of the last 15 min" in str(quarter.words)
