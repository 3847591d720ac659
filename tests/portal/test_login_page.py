"""Signing in, being locked out, and the pages that say no."""

import re

import pytest
from django.test import Client
from django.utils.html import strip_tags

from tests.portal.pages import signed_in, words

pytestmark = pytest.mark.django_db


def test_ten_wrong_passwords_lock_a_name_out_with_a_page(world, settings):
    settings.AXES_ENABLED = True
    client = Client()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        response = client.post("/accounts/login/", {"username": "mia", "password": "wrong"})
    assert response.status_code == 429
    assert "registration/locked.html" in [template.name for template in response.templates]
    right = client.post("/accounts/login/", {"username": "mia", "password": "rollout"})
    assert right.status_code == 429, "not even the right password opens it now"


def test_an_admin_lets_a_locked_out_person_in_again(world, settings):
    from axes.models import AccessAttempt

    from rollouts.models import AuditEvent

    settings.AXES_ENABLED = True
    for _ in range(settings.AXES_FAILURE_LIMIT):
        Client().post("/accounts/login/", {"username": "mia", "password": "wrong"})
    root, attempt = Client(), AccessAttempt.objects.get()
    root.force_login(world.people["root"], backend="django.contrib.auth.backends.ModelBackend")
    assert root.get("/admin/axes/accessattempt/").status_code == 200
    root.post(f"/admin/axes/accessattempt/{attempt.pk}/delete/", {"post": "yes"})
    event = AuditEvent.objects.newest_first().first()
    assert (event.verb, event.object_type, event.before["username"]) == ("admin.delete", "AccessAttempt", "mia")
    assert "wrong" not in str(event.before)
    assert Client().post("/accounts/login/", {"username": "mia", "password": "rollout"}).status_code == 302


def test_only_admins_see_wrong_passwords(world):
    assert signed_in(world, "mia").get("/admin/axes/accessattempt/").status_code == 403


@pytest.mark.parametrize("there", ["https://evil.example.com/", "//evil.example.com", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(world, there):
    response = Client().post("/accounts/login/", {"username": "mia", "password": "rollout", "next": there})
    assert response["Location"] == "/"


def test_a_page_that_was_too_old_says_so(world):
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.people["mia"])
    response = client.post("/sync/now/")
    assert response.status_code == 403
    assert "This page was too old" in words(response)


def test_a_body_that_is_too_large_is_refused_kindly(world):
    client = Client(raise_request_exception=False)
    client.force_login(world.people["mia"])
    response = client.post("/rollouts/new/", {"document": "x" * 20_000_000})
    assert response.status_code in (400, 413, 422)
    assert "Traceback" not in words(response)


def test_a_failure_of_ours_says_nothing_of_the_inside(world, monkeypatch):
    from rollouts.portal.views import sync

    monkeypatch.setattr(sync.status, "of_all", lambda: 1 / 0)
    client = Client(raise_request_exception=False)
    client.force_login(world.people["mia"])
    response = client.get("/sync/")
    assert response.status_code == 500
    assert "broke on our side" in words(response)
    assert "ZeroDivision" not in words(response)


def test_a_broker_that_is_down_is_told(world, monkeypatch):
    from kombu.exceptions import OperationalError

    from rollouts import tasks

    def down(*args, **kwargs):
        raise OperationalError

    world.apply()
    monkeypatch.setattr(tasks.read_waiting, "delay", down)
    response = signed_in(world, "mia").post("/sync/now/", follow=True)
    assert "The broker does not answer" in words(response)


def test_flags_are_found_by_group_and_say_when_they_were_read(world):
    world.apply()
    world.sync()
    client = signed_in(world, "vic")
    assert re.search(r"read \d+ s ago", strip_tags(words(client.get("/flags/?group=group::ai coding"))))
    assert "No flag fits" in words(client.get("/flags/?group=group::other"))
