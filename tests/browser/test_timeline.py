"""The timeline in a browser: both themes, narrow and wide, by keyboard, without scripts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe

from rollouts.services import transitions
from tests.portal.schedules import planned
from tests.walk import World

pytestmark = pytest.mark.browser


def test_the_timeline_is_there_for_everybody(portal, sign_in):
    portal.plan["soak"] = "2d"
    portal.up_to("everyone", "active")
    late = World.now() + timedelta(days=3)
    for slug, title in (("long", "Ein sehr langer Name ohne Ende " * 6), ("short", "Gemini")):
        rollout = portal.apply(slug=slug, title=title, flag=slug, steps=planned(late))
        transitions.perform("request", rollout.phases.get(name="team"), by=portal.actor("mia"))
    mia = sign_in("mia", scripts=False)
    mia.goto(f"{portal.url}/timeline/")
    mia.locator(".zooms a", has_text="Quarter").click()
    assert mia.locator(".zooms [aria-current]").inner_text() == "Quarter"
    assert "both widen on" in mia.inner_text(".collisions")
    mia.locator("#feeds summary").first.click()
    mia.get_by_role("button", name="Make my feed addresses").click()
    assert "/feeds/" in mia.inner_text("#feeds code >> nth=0")
    for scheme, width in (("light", 360), ("dark", 1440)):
        mia = sign_in("mia", scheme=scheme, width=width)
        mia.goto(f"{portal.url}/timeline/?zoom=quarter")
        mia.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found = [
            f"{rule['id']}: {node['html'][:150]}"
            for rule in Axe().run(mia).response["violations"]
            for node in rule["nodes"]
        ]
        assert not found
        assert mia.evaluate("document.documentElement.scrollWidth") <= width
        assert mia.locator(".timeline svg[role=img] rect[class^=bar-]").count() >= 4
        region = mia.locator(".timeline")
        if width == 360:
            region.focus()
            for _ in range(5):
                mia.keyboard.press("ArrowRight")
            mia.wait_for_function("() => document.querySelector('.timeline').scrollLeft > 0")
        mia.locator(".tname a", has_text="Claude Haiku").focus()
        mia.keyboard.press("Enter")
        mia.wait_for_url(f"{portal.url}/rollouts/haiku/")
        assert not mia.wrong
