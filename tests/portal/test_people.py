"""The page of a person: their own with all that opens the portal for them, and what others see of them."""

from __future__ import annotations

import pytest
from django.test import Client

from rollouts.models import AuditEvent, BrowserSession
from rollouts.services import plans, tokens
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/143.0 Safari/537.36 Edg/143.0"


def browser(name, user_agent=""):
    client = Client(headers={"User-Agent": user_agent})
    assert client.post("/accounts/login/", {"username": name, "password": "rollout"}).status_code == 302
    return client


def words(answer):
    return " ".join(answer.content.decode().partition("<main")[2].split())


def test_the_short_way_leads_to_ones_own_page(world):
    vic = signed_in(world, "vic")
    assert vic.get("/account/")["Location"] == "/people/vic/"
    assert "Signed in" in words(vic.get("/people/vic/"))


def test_somebody_sees_where_they_are_signed_in_and_ends_one(world):
    here, there = browser("mia", FIREFOX), browser("mia", EDGE)
    browser("alice", FIREFOX)
    page = words(here.get("/people/mia/"))
    assert page.count("Firefox, Linux") == 1
    assert "Edge, Windows" in page
    other = BrowserSession.objects.get(device="Edge, Windows")
    assert other.session_key not in page
    assert here.post("/account/sessions/end/", {"session": other.reference}).status_code == 303
    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200
    event = AuditEvent.objects.get(verb="account.end_sessions")
    assert (event.actor, event.after["sessions"]) == ("mia", [other.reference])


def test_all_others_end_at_once_and_nobody_elses(world):
    here, *others = [browser("mia") for _ in range(3)]
    alice = browser("alice")
    here.post("/account/sessions/end/")
    assert [client.get("/").status_code for client in (here, *others, alice)] == [200, 302, 302, 200]


def test_a_session_of_somebody_else_or_ones_own_is_not_ended(world):
    mia, alice = browser("mia"), browser("alice")
    of = {row.person.username: row.reference for row in BrowserSession.objects.select_related("person")}
    for reference in (of["alice"], of["mia"], "nosuch"):
        answer = mia.post("/account/sessions/end/", {"session": reference})
        assert answer.status_code == 409, reference
    assert [client.get("/").status_code for client in (mia, alice)] == [200, 200]
    assert not AuditEvent.objects.filter(verb="account.end_sessions").exists()


def test_others_see_what_somebody_owns_and_what_waits_for_them_and_nothing_that_opens(world):
    world.up_to("team", "requested")
    alice = browser("alice")
    tokens.issue(world.people["alice"], "nightly report", world.actor("alice"))
    page = words(signed_in(world, "vic").get("/people/alice/"))
    assert "approver" in page
    assert '<a href="/rollouts/haiku/">' in page
    for hidden in ("nightly report", "API tokens", "Signed in", "password"):
        assert hidden not in page
    assert alice.get("/people/alice/").status_code == 200
    told = alice.get("/api/v1/people/alice").json()
    assert (told["roles"], told["waiting"], told["owns"]) == (["approver", "viewer"], ["haiku"], [])


def test_an_owner_without_an_account_has_a_page_and_nobody_has_none(world):
    document = world.document().replace("owners: [mia]", "owners: [mia, zoe]")
    plans.apply(document, by=world.actor("mia"), source="plan")
    vic = signed_in(world, "vic")
    assert 'href="/people/zoe/"' in words(vic.get("/rollouts/haiku/"))
    page = words(vic.get("/people/zoe/"))
    assert '<a href="/rollouts/haiku/">' in page
    assert "no account here" in page
    assert vic.get("/people/nosuchbody/").status_code == 404
    assert vic.get("/api/v1/people/nosuchbody").status_code == 404


def test_the_page_asks_as_often_for_much_as_for_little(world, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    mia = browser("mia")
    mia.get("/people/mia/")
    with CaptureQueriesContext(connection) as few:
        mia.get("/people/mia/")
    for n in range(4):
        browser("mia")
        tokens.issue(world.people["mia"], f"report {n}", world.actor("mia"))
    with CaptureQueriesContext(connection) as many:
        mia.get("/people/mia/")
    assert len(many) == len(few)
