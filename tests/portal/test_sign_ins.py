"""Signing in: what the history keeps of it, and that a lock keeps guessers out and not the person."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core import signing
from django.db import connection
from django.test import Client, RequestFactory

from rollouts.models import AuditEvent
from rollouts.portal import devices, lockout, signing_in
from tests.portal.pages import browser, sign_in

pytestmark = pytest.mark.django_db
ACCOUNT = "account."


@pytest.fixture
def axes(settings):
    settings.AXES_ENABLED = True
    return settings


def told():
    return [(e.verb, e.actor) for e in AuditEvent.objects.filter(verb__startswith="account.s").order_by("pk")]


def guess(name="mia", times=1, client=None, address="203.0.113.9", password="wrong"):
    for _ in range(times):
        response = (client or Client()).post(
            "/accounts/login/", {"username": name, "password": password}, REMOTE_ADDR=address
        )
    return response


def test_signing_in_and_out_are_events(world):
    client = browser("mia", "rollout")
    client.post("/accounts/logout/")
    assert told() == [("account.sign_in", "mia"), ("account.sign_out", "mia")]
    event = AuditEvent.objects.get(verb="account.sign_in")
    assert event.after["way"] == "password"
    assert "127.0.0.1" in str(event.confidential)
    assert "127.0.0.1" not in str((event.before, event.after, event.snapshot, event.object_name))
    assert "signed in" in browser("vic", "rollout").get("/audit/").content.decode()


def test_a_failed_sign_in_is_an_event_that_keeps_nothing_of_what_was_typed(world, axes):
    guess("mia", password="hunter2-secret")
    guess("my-password-in-the-wrong-field", password="x")
    found = AuditEvent.objects.filter(verb="account.sign_in_failed").order_by("pk")
    assert [(e.actor, e.after["name"]) for e in found] == [("sign-in", "mia"), ("sign-in", "nobody's")]
    kept = ""
    with connection.cursor() as cursor:
        for table in ("rollouts_auditevent", "axes_accessattempt", "axes_accesslog", "axes_accessfailurelog"):
            cursor.execute(f"SELECT * FROM {table}")
            kept += repr(cursor.fetchall())
    assert "mia" in kept
    for secret in ("hunter2", "my-password"):
        assert secret not in kept


def test_a_stranger_cannot_fill_the_history(world, axes):
    before = AuditEvent.objects.count()
    for number in range(60):
        guess(f"nobody{number}" * 10, address=f"198.51.100.{number}")
        guess("mia", address=f"198.51.100.{number}")
    guess("x" * 100_000)
    verbs = [e.verb for e in AuditEvent.objects.filter(pk__gt=0).order_by("pk")[before:]]
    assert sorted(verbs) == ["account.lock_out", "account.sign_in_failed", "account.sign_in_failed"]
    assert max(len(a.username) for a in AccessAttempt.objects.all()) <= 150


def test_a_person_known_in_a_browser_gets_through_a_lock_that_strangers_made(world, axes):
    own = browser("mia", "rollout")
    own.post("/accounts/logout/")
    assert guess(times=axes.AXES_FAILURE_LIMIT).status_code == 429
    assert guess(password="rollout", address="192.0.2.77").status_code == 429, "a name is locked from everywhere"
    assert AuditEvent.objects.get(verb="account.lock_out").after["name"] == "mia"
    assert sign_in(own, "mia", "rollout").status_code == 302


def test_a_known_browser_has_a_limit_of_its_own(world, axes):
    own = browser("mia", "rollout")
    own.post("/accounts/logout/")
    for _ in range(axes.AXES_FAILURE_LIMIT):
        response = sign_in(own, "mia", "wrong")
    assert response.status_code == 429
    assert sign_in(own, "mia", "rollout").status_code == 429
    assert guess("alice", password="rollout").status_code == 302, "others are not concerned"


def test_the_cookie_of_a_browser_is_nobody_elses_and_can_not_be_made(world, axes):
    guess(times=axes.AXES_FAILURE_LIMIT)
    for forged in ("x", signing.dumps({"id": "a", "names": ["mia"]}), "a:b:c", "é"):
        client = Client()
        client.cookies[devices.COOKIE] = forged
        assert sign_in(client, "mia", "rollout").status_code == 429
    vics = browser("vic", "rollout")
    vics.post("/accounts/logout/")
    assert sign_in(vics, "mia", "rollout").status_code == 429, "vic's browser does not know mia"
    cookie = vics.cookies[devices.COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_what_a_browser_calls_itself_counts_for_nothing(world, axes):
    own = browser("mia", "rollout")
    own.post("/accounts/logout/")
    request = RequestFactory().get("/")
    request.COOKIES[devices.COOKIE] = own.cookies[devices.COOKIE].value
    for _ in range(axes.AXES_FAILURE_LIMIT):
        Client().post(
            "/accounts/login/",
            {"username": "mia", "password": "wrong"},
            headers={"user-agent": devices.known_as(request, "mia")},
        )
    assert sign_in(own, "mia", "rollout").status_code == 302


def test_an_address_has_a_limit_apart_from_names(world, axes):
    office, most = "198.51.100.4", lockout.limits()["by_address"]
    for number in range(most - 1):
        assert guess(f"nobody{number}", address=office).status_code == 200
    assert guess("alice", password="rollout", address=office).status_code == 302
    assert guess("last", address=office).status_code == 429
    assert guess("alice", password="rollout", address=office).status_code == 429
    assert guess("alice", password="rollout", address="198.51.100.5").status_code == 302


def test_signing_in_as_oneself_does_not_reset_what_was_guessed_of_others(world, axes):
    guess("alice", times=axes.AXES_FAILURE_LIMIT - 1)
    assert guess("vic", password="rollout").status_code == 302
    guess("alice")
    assert guess("alice", password="rollout").status_code == 429


def test_the_page_says_how_long_and_what_to_do(world, axes):
    page = guess(times=axes.AXES_FAILURE_LIMIT)
    assert "15 minutes" in page.content.decode()
    assert page["Retry-After"] == "900"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, None, "10.0.0.1"),
        (0, "203.0.113.5", "10.0.0.1"),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "1.2.3.4, 203.0.113.5", "203.0.113.5"),
        (1, None, "10.0.0.1"),
        (1, "nonsense", "10.0.0.1"),
        (1, "203.0.113.5:4711", "203.0.113.5"),
        (2, "203.0.113.5, 10.0.0.9", "203.0.113.5"),
        (2, "1.2.3.4, 203.0.113.5, 10.0.0.9", "203.0.113.5"),
        (1, "2001:db8::7", "2001:db8::7"),
        (1, "10.1.2.3", "10.1.2.3"),
    ],
)
def test_the_clients_address_is_told_by_as_many_proxies_as_there_are(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    meta = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded is not None else {}
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", **meta)
    assert signing_in.address_of(request) == address


def test_behind_a_proxy_one_guesser_locks_out_nobody_else(world, axes):
    axes.TRUSTED_PROXIES = 1
    for number in range(lockout.limits()["by_address"]):
        Client().post(
            "/accounts/login/", {"username": f"n{number}", "password": "x"}, headers={"x-forwarded-for": "203.0.113.5"}
        )
    entry = {"username": "mia", "password": "rollout"}
    assert Client().post("/accounts/login/", entry, headers={"x-forwarded-for": "203.0.113.5"}).status_code == 429
    spoofed = {"x-forwarded-for": "192.0.2.1, 203.0.113.5"}
    assert Client().post("/accounts/login/", entry, headers=spoofed).status_code == 429
    assert Client().post("/accounts/login/", entry, headers={"x-forwarded-for": "203.0.113.6"}).status_code == 302


def test_hashing_the_same_password_anew_is_no_change_of_it(world, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    before = User.objects.get(username="mia").password
    browser("mia", "rollout")
    assert User.objects.get(username="mia").password != before
    assert {e.verb for e in AuditEvent.objects.filter(object_type="User", actor="mia")} == {"account.sign_in"}


def test_pages_that_are_open_do_not_stir_when_somebody_signs_in(world):
    world.apply()
    vic = browser("vic", "rollout")
    for page in ("/", "/rollouts/haiku/", "/sync/"):
        version = vic.get(page)["Live-Version"]
        browser("mia", "rollout").post("/accounts/logout/")
        assert vic.get(page, headers={"live-version": version}).status_code == 204, page
