"""A plan that is being written is checked while one types; an answer that is no check never looks like one."""

from __future__ import annotations

import pytest

from rollouts.models import Rollout
from tests.browser.looks import axe, misfits
from tests.walk import FLAG

pytestmark = pytest.mark.browser
SOON = {"timeout": 15_000}


def test_what_it_would_mean_follows_the_form(portal, sign_in):
    portal.up_to("team", "active")
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/rollouts/new/")
    meaning = mia.locator("#prospect")
    assert "While you fill in the form" in meaning.inner_text()
    mia.fill("#id_flag", FLAG)
    meaning.get_by_text("goes live behind the same flag").wait_for(**SOON)
    assert "Still to fill in: Title, Short name, AI model" in mia.inner_text("#prospect-said")
    mia.fill("#id_owners", "mia")
    mia.wait_for_selector("#names-owners option[value='mia alice']", state="attached", **SOON)
    mia.fill("#id_title", "Claude Sonnet")
    mia.fill("#id_rollout", "sonnet")
    mia.fill("#id_model", "claude-haiku")
    mia.fill("#id_flag", "use_sonnet")
    mia.get_by_text("100 % of all users").wait_for(**SOON)
    assert mia.evaluate("document.activeElement.id") == "id_flag"  # nothing takes the hand from where it is
    assert not Rollout.objects.filter(slug="sonnet").exists()
    found = []
    for width in (1440, 1024, 768, 360):
        mia.set_viewport_size({"width": width, "height": 900})
        found += misfits(mia)
    assert not found + axe(mia)
    mia.get_by_role("button", name="Plan it").click()
    mia.wait_for_url(f"{portal.url}/rollouts/sonnet/")
    mia.get_by_role("link", name="copy as new").click()
    mia.wait_for_url("**/rollouts/new/?copy=sonnet")
    assert mia.input_value("#id_rollout") == "sonnet-2"


def test_who_is_signed_out_or_cut_off_meanwhile_is_told_and_keeps_what_was_written(portal, sign_in):
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/rollouts/new/")
    mia.context.set_offline(True)
    mia.fill("#id_title", "Claude")
    mia.get_by_text("Not checked: the portal did not answer.").wait_for(**SOON)
    mia.context.set_offline(False)
    mia.context.clear_cookies(name="sessionid")
    mia.fill("#id_title", "Claude Sonnet")
    mia.get_by_text("Not checked: you are signed out").wait_for(**SOON)
    assert mia.locator("#prospect input").count() == 0  # no page to sign in within the page
    assert mia.input_value("#id_title") == "Claude Sonnet"


def test_without_scripts_a_refused_form_says_what_it_would_mean(portal, sign_in):
    portal.apply()
    mia = sign_in("mia", scripts=False)
    mia.goto(f"{portal.url}/rollouts/new/?copy=haiku")
    mia.fill("#id_flag", "use_copy")
    mia.fill("#id_steps", "50 10 100")
    mia.get_by_role("button", name="Plan it").click()
    assert "It can't be made like this:" in mia.inner_text("#prospect")
    mia.fill("#id_steps", "10 50 100")
    mia.get_by_role("button", name="Plan it").click()
    mia.wait_for_url(f"{portal.url}/rollouts/haiku-2/")
