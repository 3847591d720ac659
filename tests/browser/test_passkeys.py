"""Passkeys in a real browser, by the authenticator that Chromium plays (CDP, WebAuthn); and the QR code's picture."""

from __future__ import annotations

import re

import pytest

from rollouts.models import AuditEvent, Passkey, SecondFactor
from tests.browser.looks import axe, misfits

pytestmark = pytest.mark.browser
SHOW = "/accounts/second-factor/"


@pytest.fixture
def desk(chromium, portal, settings):
    """``desk("mia")``: somebody at a browser of their own with a security key in it, signed in by password."""
    settings.PORTAL_URL = portal.url
    contexts = []

    def sit(name, keys=()):
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.wrong = []
        page.on("console", lambda told: told.type == "error" and page.wrong.append(told.text))
        page.key = context.new_cdp_session(page)
        page.key.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True,
                   "automaticPresenceSimulation": True}  # fmt: skip
        page.device = page.key.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
        for key in keys:
            page.key.send("WebAuthn.addCredential", {"authenticatorId": page.device, "credential": key})
        page.goto(f"{portal.url}/accounts/login/")
        page.fill("[name=username]", name)
        page.fill("[name=password]", "rollout")
        page.click("form[action*=login] button, main form button")
        page.wait_for_load_state()
        return page

    yield sit
    for context in contexts:
        context.close()


def keys_of(page):
    return page.key.send("WebAuthn.getCredentials", {"authenticatorId": page.device})["credentials"]


def add(page, url, name="key on the ring"):
    page.goto(f"{url}/accounts/second-factor/passkey/")
    page.fill("#name", name)
    page.get_by_role("button", name="Add it").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    return page.locator("main code").all_inner_texts()


def test_a_passkey_is_added_shown_at_the_next_sign_in_and_removed(portal, desk):
    mia = desk("mia")
    codes = add(mia, portal.url)
    assert len(codes) == 10
    assert Passkey.objects.get().name == "key on the ring"
    assert mia.goto(f"{portal.url}/").status == 200, "whoever added it has shown it"

    other = desk("mia", keys_of(mia))
    assert SHOW in other.url
    assert not misfits(other) + axe(other)
    other.get_by_role("button", name="Use a passkey").click()
    other.wait_for_url(f"{portal.url}/")
    event = AuditEvent.objects.filter(verb="account.sign_in").newest_first()[0]
    assert (event.actor, event.after["factor"]) == ("mia", "passkey")
    assert Passkey.objects.get().used_at is not None

    other.goto(f"{portal.url}/people/mia/")
    assert "“key on the ring”" in other.inner_text("#second-factor")
    assert not misfits(other) + axe(other)
    other.locator("#second-factor li").get_by_role("button", name="Remove it").click()
    other.wait_for_url("**/people/mia/**")
    assert not SecondFactor.objects.exists(), "it was the last"
    assert not mia.wrong + other.wrong


def test_a_key_that_is_none_of_theirs_opens_nothing_and_a_recovery_code_does(portal, desk):
    codes = add(desk("mia"), portal.url)
    other = desk("mia")
    other.get_by_role("button", name="Use a passkey").click()
    other.get_by_text("The browser gave no passkey").wait_for()
    assert SHOW in other.url
    assert "authenticator" not in other.inner_text("main"), "there is none"
    other.fill("#code", codes[0])
    other.get_by_role("button", name="Go on").click()
    other.wait_for_url(f"{portal.url}/")


def test_an_answer_is_taken_once_and_of_a_copied_key_none(portal, desk):
    mia = desk("mia")
    add(mia, portal.url)
    (key,) = keys_of(mia)
    other = desk("mia", [key])
    other.route(
        "**/accounts/second-factor/",
        lambda route: route.fulfill(status=204) if route.request.method == "POST" else route.continue_(),
    )
    with other.expect_response(lambda told: told.request.method == "POST") as held:
        other.get_by_role("button", name="Use a passkey").click()
    assert held.value.status == 204, "the portal never saw it"
    body = held.value.request.post_data
    other.unroute("**/accounts/second-factor/")
    post = """async ([path, body]) => (await fetch(path, {method: "POST", body,
      headers: {"Content-Type": "application/x-www-form-urlencoded"}, redirect: "manual"})).status"""
    assert other.evaluate(post, [SHOW, body]) == 0, "led on: opaque"
    third = desk("mia", [key])
    token = third.locator("form[data-passkey] [name=csrfmiddlewaretoken]").input_value()
    replayed = re.sub(r"csrfmiddlewaretoken=[^&]*", f"csrfmiddlewaretoken={token}", body)
    assert third.evaluate(post, [SHOW, replayed]) == 422, "of another challenge"
    copied = desk("mia", [{**key, "signCount": 0}])
    copied.get_by_role("button", name="Use a passkey").click()
    copied.get_by_text("did not answer as it must").wait_for()
    assert AuditEvent.objects.filter(verb="factor.failed").exists()


def test_the_key_of_an_authenticator_is_a_picture_that_the_policy_allows(portal, desk):
    mia = desk("mia")
    mia.goto(f"{portal.url}/accounts/second-factor/add/")
    picture = mia.get_by_role("img", name="QR code of the key")
    box = picture.locator("svg").bounding_box()
    assert box["width"] >= 180
    assert box["width"] == pytest.approx(box["height"], abs=1)
    assert not misfits(mia) + axe(mia)
    mia.set_viewport_size({"width": 360, "height": 800})
    assert not misfits(mia)
    mia.goto(f"{portal.url}/accounts/second-factor/passkey/")
    assert not misfits(mia) + axe(mia)
    assert not mia.wrong
