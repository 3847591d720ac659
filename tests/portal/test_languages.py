"""Pages in the reader's language; what machines read, and what is kept, in English for everybody."""

import pytest
from django.urls import reverse

from rollouts.models import AuditEvent

GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}


def words(response):
    return " ".join(response.content.decode().split())


@pytest.fixture
def rollout(world):
    world.plan["soak"] = "1d"
    world.up_to("everyone", "active")
    return world.rollout()


@pytest.fixture
def page(client, world):
    client.force_login(world.people["mia"])
    return lambda url, **headers: client.get(url, **headers)


def test_a_page_speaks_the_language_that_the_browser_asks_for(page, rollout):
    address = rollout.get_absolute_url()
    german, english = page(address, **GERMAN), page(address)
    assert '<html lang="de" dir="ltr"' in german.content.decode()
    assert '<html lang="en" dir="ltr"' in english.content.decode()
    assert "1 % muss" in words(german)
    assert "must stand" in words(english)
    assert "must stand" not in words(german)


def test_the_portfolio_speaks_it_too(page, rollout):
    said = words(page("/", **GERMAN))
    assert "Portfolio" in said
    assert "Auf 25 % erhöhen" in said
    assert "Advance to" not in said


def test_programs_get_english_whatever_they_accept(page, rollout):
    answer = page(f"/api/v1/rollouts/{rollout.slug}", **GERMAN)
    assert "must stand" in answer.content.decode()
    assert "muss" not in answer.content.decode()


def test_who_decides_in_german_leaves_history_and_issues_in_english(page, client, rollout):
    address = reverse("portal:transition", args=[rollout.slug, "everyone", "pause"])
    answer = client.post(address, {"reason": "Urlaub"}, follow=True, **GERMAN)
    assert "All users pausiert." in words(answer)
    event = AuditEvent.objects.filter(verb="phase.pause").get()
    assert event.reason == "Urlaub"
    assert event.after["state"] == "paused"
    assert "hat All users pausiert" in words(page("/audit/?verb=phase.pause", **GERMAN))
    assert "paused All users" in words(page("/audit/?verb=phase.pause"))


def test_the_choice_in_the_footer_wins_over_the_browser_and_keeps_the_query(page, client, rollout):
    answer = client.post("/language/", {"language": "de", "next": "/?q=haiku"})
    assert (answer.status_code, answer["Location"]) == (302, "/?q=haiku")
    assert '<html lang="de"' in page("/").content.decode()
    client.post("/language/", {"language": "en", "next": "/"})
    assert '<html lang="en"' in page("/", **GERMAN).content.decode()


def test_the_choice_leads_to_no_other_site_and_to_no_language_that_there_is_not(client, db):
    assert client.post("/language/", {"language": "de", "next": "https://evil.example/"})["Location"] == "/"
    client.post("/language/", {"language": "xx", "next": "/"})
    assert client.cookies["language"].value == "de"
