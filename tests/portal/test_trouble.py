"""What people see where something is missing, forbidden, broken, old or being worked on."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from rollouts.services.instances import default_instance


def words(response):
    from django.utils.html import strip_tags

    return " ".join(strip_tags(response.content.decode()).split())


@pytest.fixture
def mia(world):
    client = Client(raise_request_exception=False)
    client.force_login(world.people["mia"])
    return client


def test_each_refusal_says_what_happened_what_to_do_and_its_number(world, mia):
    vic = Client(enforce_csrf_checks=True)
    vic.force_login(world.people["vic"])
    viewer = Client()
    viewer.force_login(world.people["vic"])
    told = {
        (400, "NUL character", "To the portfolio"): mia.get("/?q=%00"),
        (403, "You are signed in as vic. Your roles: viewer.", "An admin gives roles"): viewer.post("/sync/now/"),
        (403, "This page was too old", "reload the page"): vic.post("/sync/now/"),
        (404, "There is nothing at this address", "Search"): mia.get("/rollouts/gone/"),
        (405, "It takes POST, and was asked by GET", "press the button"): mia.get("/sync/now/"),
    }
    for (status, what, cure), response in told.items():
        assert response.status_code == status
        assert what in words(response), what
        assert cure in words(response), what
        assert response["X-Request-Id"] in words(response), what
    assert mia.get("/sync/now/")["Allow"] == "POST"


def test_what_broke_is_said_without_the_database(world, mia, monkeypatch, django_assert_num_queries):
    from rollouts.portal.views import portfolio

    def breaks(*args, **kwargs):
        raise RuntimeError("the database is on fire")

    monkeypatch.setattr(portfolio.listing, "summary", breaks)
    monkeypatch.setattr("rollouts.portal.context.GitLabInstance.objects.all", breaks)
    response = mia.get("/")
    assert response.status_code == 500
    assert "Something broke on our side" in words(response)
    assert response["X-Request-Id"] in words(response)
    assert "on fire" not in words(response)


def test_maintenance_is_said_by_every_page_and_not_by_health_checks(world, mia, settings):
    settings.MAINTENANCE = "We move to a larger database until 14:00 UTC."
    for path in ("/", "/rollouts/haiku/", "/admin/", "/accounts/login/", "/nothing/"):
        response = mia.get(path)
        assert (response.status_code, response["Retry-After"]) == (503, "120"), path
        assert settings.MAINTENANCE in words(response)
        assert "people see the models that they saw before" in words(response)
    api = mia.get("/api/v1/rollouts")
    assert (api.status_code, api["Retry-After"], api["Content-Type"]) == (503, "120", "application/problem+json")
    assert mia.get("/healthz").status_code == 200
    assert mia.get("/readyz").json()["maintenance"] == settings.MAINTENANCE


def test_maintenance_is_said_in_the_language_of_who_reads_it_not_of_who_came_before(world, mia, settings):
    assert mia.get("/", headers={"accept-language": "de"})["Content-Language"] == "de"
    settings.MAINTENANCE = "We move."
    assert "people see the models that they saw before" in words(mia.get("/", headers={"accept-language": "en"}))
    assert "Am Portal wird gearbeitet" in words(mia.get("/", headers={"accept-language": "de"}))


def test_no_gitlab_is_said_to_who_can_do_something_about_it(db, client, django_user_model):
    root = django_user_model.objects.create_superuser("root", password="x")
    client.force_login(root)
    assert "No GitLab is connected: the portal knows the plans" in words(client.get("/"))
    client.force_login(django_user_model.objects.create_user("vic"))
    told = words(client.get("/"))
    assert "No GitLab is connected" not in told
    assert "no GitLab connected" in told


def test_an_empty_portal_says_what_it_still_needs(db, gitlab, client, django_user_model):
    root = django_user_model.objects.create_superuser("root", password="x")
    client.force_login(root)
    told = words(client.get("/"))
    assert "No rollouts yet" in told
    assert "GitLab is connected; not read yet" in told
    assert "Give somebody the role approver" in told
    assert "Say which AI models there are" in told
    client.force_login(django_user_model.objects.create_user("vic"))
    told = words(client.get("/"))
    assert "A manager makes the first one." in told
    assert "role approver" not in told


def test_a_token_without_rights_is_said_with_its_cure(world, mia):
    world.gitlab.fail(status=403, path="/features")
    world.sync()
    told = words(mia.get("/"))
    assert "may not read its flags" in told
    assert "enter readings by hand" in told
    assert "GitLab refuses the token" in told


def test_an_old_reading_is_said_on_top_of_every_page(world, mia):
    world.up_to("team", "active")
    assert "does not know" not in words(mia.get("/"))
    name = default_instance().name
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        mia.force_login(world.people["vic"])
        for path in ("/", "/rollouts/haiku/", "/flags/", "/audit/", "/locks/"):
            told = words(mia.get(path))
            assert f"{name} was not read for too long: the portal does not know" in told, path
            assert "2 h ago" in told
