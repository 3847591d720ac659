"""A rollout as it was, in a real Chromium: the slider moves through its events, and nothing breaks on a phone."""

from __future__ import annotations

import os

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.browser
HERE = "/rollouts/haiku/then/"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("light", 768), ("dark", 360)])
def test_the_slider_moves_through_the_events_of_a_rollout(portal, sign_in, scheme, width):
    portal.up_to("company", "active")
    mia = sign_in("mia", scheme=scheme, width=width)
    mia.goto(f"{portal.url}{HERE}?since=2026-01-01")
    assert mia.get_by_role("alert").is_visible(), "before the history begins"
    mia.goto(portal.url + HERE)
    slider = mia.get_by_role("slider")
    slider.focus()
    mia.keyboard.press("Home")
    mia.wait_for_url("**event=1")
    mia.get_by_role("link", name="Later").click()
    mia.wait_for_url("**event=2")
    mia.goto(f"{portal.url}{HERE}?event=15")
    assert mia.locator("main form[method=post]").count() == 0
    assert mia.evaluate("document.documentElement.scrollWidth") <= width
    broken = Axe().run(mia).response["violations"]
    assert not broken, [(each["id"], each["nodes"][0]["html"]) for each in broken]
    if folder := os.environ.get("LOOK"):
        mia.screenshot(path=f"{folder}/then-{scheme}-{width}.png", full_page=True)
