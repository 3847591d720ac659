"""A second factor: after the password nothing opens without it, by whichever door; a code is taken once."""

from __future__ import annotations

import re
from base64 import b32decode
from datetime import timedelta
from html import unescape

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.core.management import call_command
from django.test import Client

from rollouts.api.auth import SECOND_FACTOR
from rollouts.models import AuditEvent, SecondFactor, clock
from rollouts.rules.machine import Role
from rollouts.services import tokens

pytestmark = pytest.mark.django_db
SHOW, ADD = "/accounts/second-factor/", "/accounts/second-factor/add/"


def browser(name):
    client = Client()
    assert client.post("/accounts/login/", {"username": name, "password": "rollout"}).status_code == 302
    return client


def code(key, *, steps=0):
    secret = b32decode(key + "=" * (-len(key) % 8))
    return TOTP(secret, 6, SHA1(), 30).generate(int(clock.now().timestamp()) + 30 * steps).decode()


def add(client):
    """The key that the authenticator has, and the recovery codes."""
    page = unescape(client.get(ADD).content.decode())
    key = re.search(r"<code>([A-Z2-7]{32})</code>", page)[1]
    answer = client.post(ADD, {"code": code(key)})
    assert answer.status_code == 201, answer.content.decode()
    return key, re.findall(r"<code>([0-9a-f]{16})</code>", answer.content.decode())


def leads_to(answer, page):
    return answer.status_code == 302 and answer["Location"].partition("?")[0] == page


def test_after_the_password_no_door_opens_without_the_code(world, time_machine):
    root = browser("root")
    key, codes = add(root)
    assert len(codes) == 10
    assert root.get("/").status_code == 200, "whoever added it has shown it"
    other = browser("root")
    for address in ("/", "/admin/", "/people/root/", "/account/password/", "/approvals/", "/metrics", ADD):
        assert leads_to(other.get(address), SHOW), address
    assert leads_to(other.post("/accounts/second-factor/remove/"), SHOW)
    assert leads_to(other.post("/account/tokens/", {"name": "x"}), SHOW)
    assert other.get("/api/v1/rollouts").status_code == 403
    time_machine.move_to(clock.now() + timedelta(minutes=2))
    assert other.post(SHOW, {"code": "000000", "next": "/flags/"}).status_code == 422
    shown = code(key)
    answer = other.post(SHOW, {"code": shown, "next": "/flags/"})
    assert (answer.status_code, answer["Location"]) == (303, "/flags/")
    assert other.get("/api/v1/rollouts").status_code == 200
    assert browser("root").post(SHOW, {"code": shown}).status_code == 422, "a code is taken once"
    other.post("/accounts/again/", {"password": "rollout"})
    assert leads_to(other.get("/"), SHOW), "a fresh sign-in asks for it anew"


def test_a_recovery_code_opens_once_and_the_history_says_so(world):
    _, codes = add(browser("mia"))
    assert browser("mia").post(SHOW, {"code": codes[0].upper()}).status_code == 303
    assert browser("mia").post(SHOW, {"code": codes[0]}).status_code == 422
    event = AuditEvent.objects.get(verb="factor.recovery_used")
    assert (event.actor, event.after["codes_left"]) == ("mia", 9)


def test_what_opens_it_stands_nowhere_in_plain_words(world):
    key, codes = add(browser("mia"))
    row = SecondFactor.objects.get()
    kept = f"{row.secret} {row.recovery} " + " ".join(
        f"{event.before} {event.after} {event.snapshot} {event.names}" if hasattr(event, "names")
        else f"{event.before} {event.after} {event.snapshot}"
        for event in AuditEvent.objects.all()
    )  # fmt: skip
    assert b32decode(key).hex() not in kept
    for secret in (key, *codes, row.secret):
        assert secret not in kept.replace(row.secret, "", 1)


def test_five_wrong_codes_close_it_for_a_while_for_right_ones_too(world, time_machine):
    key, _ = add(browser("mia"))
    other = browser("mia")
    time_machine.move_to(clock.now() + timedelta(minutes=2))
    for _ in range(5):
        assert other.post(SHOW, {"code": "123"}).status_code == 422
    locked = other.post(SHOW, {"code": code(key)})
    assert (locked.status_code, locked["Retry-After"]) == (429, "900")
    time_machine.move_to(clock.now() + timedelta(minutes=16))
    assert other.post(SHOW, {"code": code(key)}).status_code == 303


def test_who_must_have_one_adds_it_before_anything_else_and_their_tokens_wait(world, settings):
    _, text = tokens.issue(world.people["root"], "nightly", world.actor("root"))
    settings.REQUIRE_SECOND_FACTOR = frozenset({Role.ADMIN})
    root, mia = browser("root"), browser("mia")
    assert mia.get("/").status_code == 200
    for address in ("/", "/admin/", "/people/root/"):
        assert leads_to(root.get(address), ADD), address
    assert root.get("/api/v1/rollouts").status_code == 403
    bearer = {"headers": {"Authorization": f"Bearer {text}"}}
    waits = Client().get("/api/v1/rollouts", **bearer)
    assert (waits.status_code, waits.json()["detail"]) == (403, SECOND_FACTOR)
    assert Client().get("/metrics", **bearer).status_code in (401, 403)
    add(root)
    assert root.get("/admin/").status_code == 200
    assert Client().get("/api/v1/rollouts", **bearer).status_code == 200
    assert root.post("/accounts/second-factor/remove/").status_code == 409
    assert SecondFactor.objects.exists()


def test_an_operator_removes_what_is_lost_with_a_reason(world, capsys):
    add(browser("mia"))
    with pytest.raises(SystemExit):
        call_command("second_factor", "mia", "--remove", "--as", "sam", "--reason", "lost")
    with pytest.raises(SystemExit):
        call_command("second_factor", "mia", "--remove", "--as", "root")
    assert SecondFactor.objects.exists()
    call_command("second_factor", "mia", "--remove", "--as", "root", "--reason", "telephone lost, seen in person")
    event = AuditEvent.objects.get(verb="factor.remove")
    assert (event.actor, event.object_name, event.reason) == ("root", "mia", "telephone lost, seen in person")
    assert browser("mia").get("/").status_code == 200


def events(*verbs):
    return [
        (event.verb, event.actor, event.after.get("factor", ""))
        for event in AuditEvent.objects.filter(verb__in=verbs).order_by("pk")
    ]


def test_nobody_is_signed_in_before_the_second_factor_was_shown_and_the_history_says_by_which(world, time_machine):
    key, codes = add(browser("mia"))
    before = len(events("account.sign_in"))
    time_machine.move_to(clock.now() + timedelta(minutes=2))
    other = browser("mia")
    assert len(events("account.sign_in", "account.sign_out")) == before
    assert "device" not in other.cookies, "a browser is known once somebody was in by it"
    assert other.post(SHOW, {"code": code(key)}).status_code == 303
    assert browser("mia").post(SHOW, {"code": codes[0]}).status_code == 303
    assert events("account.sign_in")[before:] == [
        ("account.sign_in", "mia", "authenticator"),
        ("account.sign_in", "mia", "recovery code"),
    ]
    assert "device" in other.cookies
    given_up = browser("mia")
    given_up.post("/accounts/logout/")
    assert not events("account.sign_out"), "who was not in is not out"
    other.post("/accounts/logout/")
    assert events("account.sign_out") == [("account.sign_out", "mia", "")]


def test_a_wrong_code_is_an_event_of_its_own_and_told_to_its_person(world, time_machine):
    from rollouts.models import Notice
    from rollouts.tasks import tell_people

    add(browser("mia"))
    other = browser("mia")
    for _ in range(5):
        assert other.post(SHOW, {"code": "000000"}).status_code == 422
    failed = AuditEvent.objects.get(verb="factor.failed")
    assert (failed.actor, failed.object_name, failed.after["person"]) == ("sign-in", "mia", "mia")
    assert "127.0.0.1" in str(failed.confidential)
    assert events("factor.lock_out") == [("factor.lock_out", "sign-in", "")]
    assert not events("account.sign_in_failed"), "the password was right"
    tell_people()
    told = Notice.objects.filter(event__verb="factor.failed").values_list("person__username", "kind")
    assert list(told) == [("mia", "sign_in")]
    page = " ".join(browser("root").get("/audit/").content.decode().split())
    assert "refused a second factor after the right password: mia" in page
