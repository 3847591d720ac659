"""Who is called otherwise than before is who they were: one pair of eyes, the same owner, the same page."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import transaction

from rollouts.audit.recording import recorded
from rollouts.models import Account, AuditEvent
from rollouts.services.lists.rollouts import RolloutFilter
from tests.portal.pages import signed_in, words
from tests.services.refusing import refused
from tests.services.templates import own_template

pytestmark = pytest.mark.django_db


def rename(world, before, now, tmp_path, door="shell"):
    """By Python at a shell, or by a file of accounts: the admin's form gives no other name."""
    person = User.objects.get(username=before)
    if door == "file":
        kept = {"model": "auth.user", "pk": person.pk, "fields": {"username": now, "password": person.password}}
        groups = list(person.groups.values_list("pk", flat=True))
        (tmp_path / "people.json").write_text(json.dumps([{**kept, "fields": {**kept["fields"], "groups": groups}}]))
        call_command("loaddata", str(tmp_path / "people.json"))
    else:
        person.username = now
        person.save()
    world.people[now] = User.objects.get(username=now)


@pytest.mark.parametrize("door", ["shell", "file"])
def test_what_somebody_approved_under_the_name_of_before_is_theirs(world, tmp_path, door):
    own_template(world, "{needed: 2}")
    world.do("request", "team", "mia")
    world.do("approve", "team", "alice")
    rename(world, "alice", "ally", tmp_path, door)
    assert refused(world.do, "approve", "team", "ally").codes >= {"decided"}, "one pair of eyes"
    assert len(world.facts().phase("team").request.counting()) == 1, "and what they said still counts"
    world.do("approve", "team", "sam")
    assert world.facts().phase("team").request.is_granted(world.now())


def test_both_approvals_of_one_human_count_once(world, tmp_path):
    """Whoever got past the door all the same."""
    from dataclasses import replace

    own_template(world, "{needed: 2}")
    world.do("request", "team", "mia")
    world.do("approve", "team", "alice")
    rename(world, "alice", "ally", tmp_path)
    request = world.facts().phase("team").request
    (first,) = request.given
    again = replace(first, by="ally", twins=frozenset({"alice"}))
    assert len(replace(request, given=(first, again)).counting()) == 1
    assert len(replace(request, given=(again, first)).counting()) == 1


def test_nobody_approves_under_another_name_what_they_asked_for_or_wrote(world, tmp_path):
    own_template(world, "{needed: 1, roles: [admin, approver]}")
    world.do("request", "team", "root")
    rename(world, "root", "boss", tmp_path)
    found = refused(world.do, "approve", "team", "boss")
    assert found.codes >= {"four_eyes"}
    assert "boss is root too, and had a hand in it" in str(found)


def test_an_account_that_somebody_touched_stays_touched_when_they_are_renamed(world, tmp_path):
    world.apply()
    answer = signed_in(world, "root").post(
        f"/admin/auth/user/{world.people['alice'].pk}/password/",
        {"password1": "a-long-passphrase-1", "password2": "a-long-passphrase-1", "usable_password": "true"},
    )
    assert answer.status_code == 302
    rename(world, "root", "boss", tmp_path)
    assert Account.objects.get(person__username="alice").touched.keys() == {"root", "boss"}


def test_owners_lists_and_pages_follow_the_person(world, tmp_path):
    world.up_to("team", "requested")
    rename(world, "mia", "mary", tmp_path)
    rows = RolloutFilter({"owner": "mary", "state": "all"}, by=world.actor("mary")).lines()
    assert [row.rollout.slug for row in rows] == ["haiku"]
    vic = signed_in(world, "vic")
    assert vic.get("/people/mia/")["Location"] == "/people/mary/"
    assert "Claude Haiku" in words(vic.get("/people/mary/"))
    assert ">mary</a>" in words(vic.get("/rollouts/haiku/")), "the owner that the plan calls mia"
    assert 'class="strong" href="/people/mary/"' in words(vic.get("/people/"))
    assert 'id="others"' not in words(vic.get("/people/"))


def test_a_name_of_before_is_nobody_elses_and_may_be_taken_back(world, tmp_path):
    rename(world, "alice", "ally", tmp_path)
    with pytest.raises(ValidationError, match="was the name of ally before"), transaction.atomic():
        User.objects.create_user("alice", password="rollout")
    form = {"username": "alice", "usable_password": "false"}
    answer = signed_in(world, "root").post("/admin/auth/user/add/", form)
    assert answer.status_code == 200
    assert "was the name of ally before" in words(answer)
    assert not User.objects.filter(username="alice").exists()
    rename(world, "ally", "alice", tmp_path)
    assert Account.objects.get(person__username="alice").former_names == ["ally"]
    event = AuditEvent.objects.filter(verb="account.change", object_id=str(world.people["alice"].pk)).newest_first()[0]
    assert (event.before["username"], event.after["username"]) == ("ally", "alice")


def test_who_was_renamed_under_an_earlier_release_is_found_in_the_history(world, tmp_path):
    from importlib import import_module

    from django.apps import apps

    rename(world, "alice", "ally", tmp_path)
    account = Account.objects.get(person__username="ally")
    with recorded("admin.change", by=world.actor("root"), about=account):  # as an earlier release left it
        account.former_names = []
        account.save()
    with recorded("admin.change", by=world.actor("root"), about=account):
        import_module("rollouts.migrations.0056_former_names").take_from_history(apps, None)
    assert Account.objects.get(person__username="ally").former_names == ["alice"]
    assert not Account.objects.exclude(former_names=[]).exclude(person__username="ally").exists()
