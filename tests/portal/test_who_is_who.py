"""Who is who: the list of people, and the ways to them from wherever they are named."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, Identity
from rollouts.services import absences, plans
from tests.portal.pages import signed_in, words
from tests.walk import ISSUES

pytestmark = pytest.mark.django_db


def main(answer):
    return words(answer).partition("<main")[2]


def row(page, name):
    """The row of the list that begins with this name, as text."""
    found = re.search(rf'<tr role="row"> <td role="cell" class="head"> <a[^>]*>{re.escape(name)}</a>.*?</tr>', page)
    assert found, f"{name} is not in the list"
    return " ".join(re.sub(r"<[^>]+>", " ", found.group()).split())


def assign(world, *names, confidential=False):
    """Who is assigned to the issue of the internal rollout in GitLab, as it is read."""
    world.apply()
    iid = ISSUES["internal_rollout"]
    world.gitlab.state.set_issue("acme/app", iid, assignees=list(names), confidential=confidential)
    world.sync()


def test_the_list_says_what_somebody_may_owns_and_who_stands_in(world):
    world.up_to("team", "requested")
    mia = world.people["mia"]
    mia.first_name, mia.last_name = "Mia", "Moss"
    mia.save()
    today = world.now().date()
    absences.add(
        world.people["alice"], by=world.actor("alice"), since=str(today), until=str(today + timedelta(days=2)),
        instead="sam",
    )  # fmt: skip
    page = main(signed_in(world, "vic").get("/people/"))
    assert re.search(r"^mia Mia Moss manager, viewer 1 rollout", row(page, "mia"))
    assert re.search(r"^alice approver, viewer away until .* instead sam", row(page, "alice"))
    assert row(page, "vic") == "vic viewer"
    assert 'href="/people/mia/"' in page
    assert 'href="/?owner=mia"' in page


@pytest.mark.parametrize(
    ("query", "there", "not_there"),
    [
        ("q=moss", {"mia"}, {"alice", "vic"}),
        ("q=MIA+mo", {"mia"}, {"alice"}),
        ("role=approver", {"alice"}, {"mia", "vic"}),
        ("role=admin", {"root"}, {"mia", "alice"}),
        ("role=viewer", {"mia", "alice", "vic"}, set()),
        ("show=away", set(), {"mia", "alice"}),
        ("show=off", {"gone"}, {"mia"}),
        ("show=all", {"gone", "mia"}, set()),
        ("", {"mia", "alice"}, {"gone"}),
    ],
)
def test_the_list_is_narrowed(world, query, there, not_there):
    mia = world.people["mia"]
    mia.last_name = "Moss"
    mia.save()
    User.objects.create_user("gone", is_active=False)
    page = main(signed_in(world, "vic").get(f"/people/?{query}"))
    found = set(re.findall(r'class="strong" href="/people/([^/"]+)/"', page))
    assert there <= found
    assert not not_there & found


def test_a_role_that_there_is_not_is_refused_with_the_choices(world):
    answer = signed_in(world, "vic").get("/people/?role=boss")
    assert answer.status_code == 422
    assert "There is no role «boss»" in words(answer)
    assert "approver" in words(answer)


def test_the_list_has_pages_and_asks_as_often_for_many_as_for_few(world):
    client = signed_in(world, "vic")
    client.get("/people/")
    with CaptureQueriesContext(connection) as few:
        client.get("/people/")
    User.objects.bulk_create(User(username=f"person{n:03}") for n in range(60))
    with CaptureQueriesContext(connection) as many:
        page = main(client.get("/people/"))
    assert len(many) <= len(few)  # the last page says besides who has no account
    following = re.search(r'href="(\?after=[^"]+)" rel="next"', page)
    assert following
    first = set(re.findall(r'class="strong" href="/people/([^/"]+)/"', page))
    second = set(re.findall(r'class="strong" href="/people/([^/"]+)/"', main(client.get(f"/people/{following[1]}"))))
    assert second
    assert not first & second
    assert {f"person{n:03}" for n in range(60)} <= first | second


def test_owners_whom_nobody_knows_stand_behind_the_list(world):
    document = world.document().replace("owners: [mia]", "owners: [mia, zoe]")
    plans.apply(document, by=world.actor("mia"), source="plan")
    page = main(signed_in(world, "vic").get("/people/"))
    others = page.partition('id="others"')[2]
    assert 'href="/people/zoe/"' in others
    assert 'href="/people/mia/"' not in others


def test_whoever_did_something_is_found_from_where_it_is_told(world):
    world.up_to("team", "approved")
    client = signed_in(world, "vic")
    page, history = main(client.get("/rollouts/haiku/")), main(client.get("/audit/"))
    assert '<b><a href="/people/alice/">alice</a></b>' in history
    assert "<b>The portal</b>" in history
    people = page.partition('id="people"')[2]
    assert re.search(r'approved by <a href="/people/alice/">alice</a>', people)
    assert re.search(r'asked by <a href="/people/mia/">mia</a>', people)
    head = page.partition('id="people"')[0]
    assert re.search(r'owner <a href="/people/mia/" ?>mia</a>', head)
    for address in set(re.findall(r'href="(/people/[^"]+)"', page + history)):
        assert client.get(address).status_code == 200, address


def test_neither_a_job_nor_a_user_of_the_system_nor_who_was_forgotten_has_a_page():
    from rollouts.portal.templatetags.portal import person

    for name in ("ramp", "sync", "os:root", "somebody-who-left-3f9a1c", ""):
        assert person(name) == name
    assert person("mia") == '<a href="/people/mia/">mia</a>'
    assert person('"><b>') == '<a href="/people/%22%3E%3Cb%3E/">&quot;&gt;&lt;b&gt;</a>'


def test_who_has_no_account_any_more_has_a_page_of_what_they_did(world):
    rollout = world.apply()
    zed = Actor(AuditEvent.ActorKind.PERSON, "zed", frozenset())
    with recorded("plan.apply", by=zed, about=rollout) as recording:
        recording.note(rollout, {"title": "before"}, {"title": "after"})
    client = signed_in(world, "vic")
    assert "no account here" in main(client.get("/people/zed/"))
    assert client.get("/people/zed2/").status_code == 404
    assert client.get("/people/sync/").status_code == 404


def test_of_an_issues_people_those_are_linked_who_are_somebody_here(world, settings):
    settings.GITLAB_INSTANCES = {"other": "https://gitlab.example.com"}
    with recorded("identity.link", by=world.actor("alice"), about=world.people["alice"]):
        Identity.objects.create(
            person=world.people["alice"], issuer="https://gitlab.example.com", subject="42", username="alice.gl"
        )
    assign(world, "mia", "alice.gl", "stranger", "alice")
    page = main(signed_in(world, "mia").get("/rollouts/haiku/"))
    told = re.search(r"assigned to (.*?)</span>", page)[1]
    assert told.split(", ") == [
        "alice",  # another than alice here, who is alice.gl there
        '<a href="/people/alice/">alice.gl</a>',
        '<a href="/people/mia/">mia</a>',
        "stranger",
    ]


def test_a_confidential_issues_people_are_nobodys_to_see(world):
    assign(world, "mia", confidential=True)
    assert "assigned to" not in main(signed_in(world, "vic").get("/rollouts/haiku/"))
    assert "assigned to" in main(signed_in(world, "alice").get("/rollouts/haiku/"))


def offered(page, of):
    """What the list of this id offers: value and words."""
    found = re.search(rf'<datalist id="{of}" ?>(.*?)</datalist>', page)
    assert found, f"there is no list {of}"
    return dict(re.findall(r'<option value="([^"]*)">(.*?)</option>', found[1]))


def test_people_are_picked_by_the_name_that_gitlab_shows_wherever_one_is_asked_for(world, settings):
    settings.GITLAB_INSTANCES = {"other": "https://gitlab.example.com"}
    world.up_to("team", "requested")
    mia = world.people["mia"]
    mia.first_name, mia.last_name = "Mia", "Moss"
    mia.save()
    with recorded("identity.link", by=world.actor("mia"), about=mia):
        Identity.objects.create(person=mia, issuer="https://gitlab.example.com", subject="7", username="mia.gl")
    User.objects.create_user("gone", is_active=False)
    words_of_mia, root = "mia · Mia Moss · @mia.gl", signed_in(world, "root")
    rollout = world.rollout()
    for address, of in {
        "/rollouts/new/": "names-owners",
        f"/admin/rollouts/rollout/{rollout.pk}/change/": "names-owners",
        "/timeline/": "owners",
        "/audit/": "people",
        "/waivers/": "people",
    }.items():
        page = words(root.get(address))
        assert f'list="{of}"' in page, address
        choices = offered(page, of)
        name = "mia" if "mia" in choices else "mia mia"
        assert choices.get(name, "mia" if "/change/" in address else "") in (words_of_mia, "mia"), address
        assert "gone" not in choices, address
    page = words(root.get("/"))
    assert f'value="mia"> {words_of_mia} </option>' in page
    away = words(root.get("/people/sam/"))
    assert "alice" in away


def test_a_name_is_added_to_those_that_stand_in_the_field(world):
    root, rollout = signed_in(world, "root"), world.apply()
    address = f"/admin/rollouts/rollout/{rollout.pk}/change/"
    choices = offered(words(root.get(address)), "names-owners")
    assert "mia alice" in choices
    assert "mia mia" not in choices
    form = {"title": rollout.title, "owners": "mia alice", "peak_requests_per_minute": "", "mitigation": ""}
    management = {f"{part}-{name}_FORMS": "0" for part in ("issue_links", "items") for name in ("TOTAL", "INITIAL")}
    answer = root.post(address, {**form, **management})
    assert answer.status_code == 302, words(answer)
    assert world.rollout().owners == ["mia", "alice"]


def test_actors_and_feature_groups_of_a_plan_are_picked_from_those_that_are_known(world):
    world.up_to("team", "requested")
    page = words(signed_in(world, "mia").get("/rollouts/new/"))
    assert {"user:ann", "group:acme/code"} <= offered(page, "names-team").keys()
    assert "acme_team_members" in offered(page, "names-company")


def test_a_template_says_which_groups_can_be_named_and_where_one_is_empty(world):
    from django.contrib.auth.models import Group

    from tests.services.templates import own_template

    Group.objects.create(name="ai-leads").user_set.add(world.people["vic"])
    own_template(world, "{needed: 1, groups: [ai-heads]}")
    template = world.rollout().template
    page = words(signed_in(world, "root").get(f"/admin/rollouts/plantemplate/{template.pk}/change/"))
    assert "<code>ai-leads</code> <small>1 person</small>" in page
    assert "Nobody is in the group “ai-heads”" in page
    assert "<code>approver</code>" not in page


def test_the_api_lists_people_by_the_same_filters(world):
    world.up_to("team", "requested")
    vic = signed_in(world, "vic")
    told = vic.get("/api/v1/people?role=manager").json()["items"]
    assert told == [
        {"name": "mia", "full_name": "", "gitlab_user": "", "roles": ["manager", "viewer"], "is_active": True, "owns": 1,
         "away_until": None, "instead": ""}
    ]  # fmt: skip
    first = vic.get("/api/v1/people?limit=2").json()
    assert [one["name"] for one in first["items"]] == ["alice", "mia"]
    assert vic.get(f"/api/v1/people?limit=2&cursor={first['next']}").json()["items"][0]["name"] == "root"
    assert vic.get("/api/v1/people?role=boss").status_code == 422
