"""What stands outside all pages: health, plain http, copies that nobody keeps, the demo's accounts."""

import pytest
from django.test import Client

from rollouts.models import Account
from rollouts.services import demo_accounts
from tests.api.scripts import Script
from tests.portal.pages import signed_in, words

pytestmark = pytest.mark.django_db


def test_health_answers_any_host_without_a_query_or_a_session(django_assert_num_queries):
    client = Client()
    client.cookies["sessionid"] = "x" * 32
    with django_assert_num_queries(0):
        for host in ("10.0.0.7:8000", "anything.example.com", "_", "a b"):
            response = client.get("/healthz", headers={"host": host})
            assert (response.status_code, response.content) == (200, b"ok\n"), host
    assert client.get("/readyz", headers={"host": "10.0.0.7"}).status_code in (200, 503)
    assert client.post("/healthz").status_code == 405
    assert Client().get("/", headers={"host": "anything.example.com"}).status_code == 400


@pytest.mark.parametrize("path", ["/metrics", "/hooks/gitlab/", "/hooks/gitlab/other/", "/api/v1/rollouts"])
def test_programs_on_plain_http_are_told_and_not_sent_on(settings, path):
    settings.SECURE_SSL_REDIRECT, settings.PORTAL_URL = True, "https://rollouts.example.com"
    for response in (Client().get(path), Client().post(path, b"{}", content_type="application/json")):
        assert response.status_code == 403
        assert "Location" not in response
        assert "https only" in response.content.decode()
    assert Client().get("/").status_code == 301, "people are sent on"
    assert Client().get(path, secure=True).status_code in (401, 405)
    if path.startswith("/api/"):
        assert Client().get(path)["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    ["/", "/portfolio.csv", "/rollouts/haiku/", "/audit/", "/approvals/", "/sync/", "/timeline/", "/admin/", "/nothing/",
     "/admin/rollouts/rollout/", "/api/v1/rollouts", "/metrics", "/rollouts/haiku/plan/"],
)  # fmt: skip
def test_what_a_signed_in_person_gets_is_kept_by_nobody(world, path):
    world.apply()
    response = signed_in(world, "root").get(path)
    assert response.status_code in (200, 404)
    assert response["Cache-Control"] in ("private, no-store", "no-store")


def test_who_is_not_signed_in_gets_no_such_header_on_files():
    assert "private, no-store" not in Client().get("/healthz").get("Cache-Control", "")


@pytest.mark.parametrize("when", ["nonsense", "2026-13-01", "", "9999-99-99", "%00"])
def test_a_rollout_as_of_nonsense_is_refused(world, when):
    from rollouts.services import tokens

    world.apply()
    script = Script(tokens.issue(world.people["vic"], "x", world.actor("vic"))[1])
    answer = script.get(f"/rollouts/haiku?as_of={when}")
    assert answer.status_code in (400, 422) if when == "%00" else answer.status_code == 422
    later = script.get("/rollouts/haiku?as_of=2026-11-01")
    assert later.status_code == 422, "better no answer than that of now"
    assert later.json()["errors"][0]["name"] == "as_of"
    assert script.get("/rollouts/haiku").status_code == 200


@pytest.mark.parametrize("is_old", [False, True])
def test_demo_accounts_open_nothing_beside_a_real_gitlab_and_the_page_says_why(settings, is_old):
    demo_accounts.make()
    if is_old:
        Account.objects.all()._raw_delete("default")
    client = Client()
    entry = {"username": "root", "password": demo_accounts.PASSWORD}
    settings.GITLAB_URL = "http://127.0.0.1:8001"
    assert client.post("/accounts/login/", entry).status_code == 302
    assert client.get("/").status_code == 200
    settings.GITLAB_URL = "https://gitlab.example.com"
    refused = Client().post("/accounts/login/", entry)
    assert refused.status_code == 200
    assert "account of the demo" in words(refused)
    assert "createsuperuser" in words(refused)
    if not is_old:
        assert client.get("/").status_code == 302, "an open session ends too"
    wrong = Client().post("/accounts/login/", {**entry, "password": "x"})
    assert "account of the demo" not in words(wrong)
