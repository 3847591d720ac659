"""Who is who in GitLab: known by a sign-in there, and one pair of eyes in whichever account."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth.models import User
from django.test import Client

from rollouts.models import AuditEvent, FormerIdentity, Identity, Notice
from rollouts.services import known_people, notices, outbox
from rollouts.services.lists.rollouts import RolloutFilter
from tests.portal.oidc import way_back
from tests.portal.pages import signed_in
from tests.services.refusing import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def gitlabs(provider, settings):
    """The provider is one of the GitLabs that are followed."""
    settings.GITLAB_INSTANCES = {"other": provider.url}
    return provider


def connect(gitlabs, name, sub, username, group=""):
    """Whoever is called ``name`` here, in a browser of their own, with their password."""
    gitlabs.knows(sub, preferred_username=username, groups=[group] if group else [])
    gitlabs.sign_otherwise(auth_time=int(time.time()))
    client = Client()
    assert client.post("/accounts/login/", {"username": name, "password": "rollout"}).status_code == 302
    client.post("/account/identity/connect/")
    answer = client.get(way_back(client, sub))
    assert answer.status_code == 303, answer.content.decode()
    return client


def text(answer):
    return " ".join(answer.content.decode().partition("<main")[2].split())


def owned_by(world, name):
    return world.apply_text(world.document().replace("owners: [mia]", f"owners: [{name}]"))


def yours(world, name):
    rows = RolloutFilter({"show": "yours", "state": "open"}, by=world.actor(name)).lines()
    return [row.rollout.slug for row in rows]


def test_an_owner_by_the_name_in_gitlab_is_the_person_who_showed_to_have_it(world, gitlabs):
    owned_by(world, "mia.gl")
    assert yours(world, "mia") == []
    connect(gitlabs, "mia", "42", "mia.gl")
    assert yours(world, "mia") == ["haiku"]
    assert yours(world, "root") == []
    vic = signed_in(world, "vic")
    page = text(vic.get("/rollouts/haiku/"))
    assert ">mia</a>" in page
    assert "@mia.gl in GitLab" in page
    assert vic.get("/people/mia.gl/")["Location"] == "/people/mia/"
    page = text(vic.get("/people/mia/"))
    assert "@mia.gl in GitLab" in page
    assert 'href="/rollouts/haiku/"' in page
    told = vic.get("/api/v1/people/mia").json()
    assert (told["gitlab_user"], told["owns"]) == ("mia.gl", ["haiku"])


def test_who_owns_it_by_the_name_in_gitlab_is_told_what_happens_to_it(world, gitlabs):
    world.up_to("team", "active")
    owned_by(world, "mia.gl")
    connect(gitlabs, "mia", "42", "mia.gl")
    world.do("pause", "team", "root", reason="a look")
    notices.work()
    pause = Notice.objects.filter(event__verb="phase.pause")
    assert [row.person.username for row in pause] == ["mia"]


@pytest.mark.parametrize("name", ["alice", "Alice"])
def test_who_takes_the_name_of_somebody_here_is_not_them(world, gitlabs, name):
    owned_by(world, name)
    connect(gitlabs, "sam", "66", name)
    assert [each.name for each in known_people.named([name])] == (["alice"] if name == "alice" else [""])
    assert "haiku" not in yours(world, "sam")
    assert "in GitLab" not in text(signed_in(world, "vic").get("/people/sam/"))


def test_what_another_provider_calls_somebody_is_no_name_in_gitlab(world, provider):
    owned_by(world, "mia.gl")
    connect(provider, "mia", "42", "mia.gl")
    assert yours(world, "mia") == []
    assert [each.handle for each in known_people.named(["mia.gl", "mia"])] == ["", ""]


def test_a_name_that_moved_on_in_gitlab_is_of_who_showed_it_last(world, gitlabs):
    connect(gitlabs, "mia", "42", "jo")
    connect(gitlabs, "sam", "43", "JO")
    assert [each.name for each in known_people.named(["JO", "jo"])] == ["sam", ""]
    assert Identity.objects.get(person__username="mia").username == ""


def test_a_mention_goes_to_the_gitlab_user_and_to_nobody_who_is_called_alike(world, gitlabs):
    rollout = world.apply()
    connect(gitlabs, "mia", "42", "mia.gl")
    assert outbox._owners(rollout) == ["@mia.gl"]


def test_one_gitlab_user_in_two_accounts_is_one_pair_of_eyes(world, gitlabs, settings):
    """Asked for in one account; disconnected; connected to another, in which it is approved."""
    for name in ("root", "alice"):
        person = world.people[name]
        person.groups.add(*User.objects.get(username="mia").groups.all())
    first = connect(gitlabs, "root", "66", "mallory")
    world.up_to("team", "planned")
    world.confirm("team")
    world.do("request", "team", "root")
    assert first.post("/account/identity/disconnect/").status_code == 303
    connect(gitlabs, "alice", "66", "mallory", "acme/approvers")
    found = refused(world.do, "approve", "team", "alice")
    assert found.codes == {"four_eyes"}
    assert "alice is root too, and had a hand in it" in str(found)
    assert "haiku" not in yours(world, "alice")
    event = AuditEvent.objects.filter(verb="identity.link").latest("pk")
    assert "same_human" in str(event.after)
    assert FormerIdentity.objects.get().person.username == "root"
    assert "one GitLab user" in text(signed_in(world, "vic").get("/people/root/"))
    assert world.do("approve", "team", "sam").state == "approved"


def test_two_accounts_of_one_gitlab_user_are_one_approval(world, gitlabs):
    world.up_to("company", "requested")
    first = connect(gitlabs, "alice", "66", "mallory")
    world.do("approve", "company", "alice")
    assert first.post("/account/identity/disconnect/").status_code == 303
    world.people["alice"].groups.add(*world.people["sam"].groups.all())
    connect(gitlabs, "sam", "66", "mallory")
    assert "decided" in refused(world.do, "approve", "company", "sam").codes
    assert world.phase("company").state == "requested"
