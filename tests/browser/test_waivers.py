"""A waiver from the form to the skipped phase, in a real Chromium, by two people."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 360)])
def test_one_asks_and_another_grants_and_the_phase_is_skipped(portal, sign_in, scheme, width):
    portal.apply()
    mia, alice = sign_in("mia", scheme=scheme, width=width), sign_in("alice", scheme=scheme, width=width)
    mia.goto(f"{portal.url}/rollouts/haiku/#waivers")
    mia.locator("#waivers summary").click()
    mia.select_option("#waive-what", "team/")
    mia.fill("#waive-ends", f"{portal.now():%Y-%m-%d}")
    mia.fill("#waive-reason", "They use it every day.")
    mia.locator("#waivers form button").click()
    assert "somebody else decides" in mia.locator("main").inner_text()
    alice.goto(f"{portal.url}/waivers/")
    assert alice.evaluate("document.documentElement.scrollWidth") <= width
    broken = Axe().run(alice).response["violations"]
    assert [f"{rule['id']}: {node['html'][:150]}" for rule in broken for node in rule["nodes"]] == []
    alice.get_by_role("button", name="Grant the waiver").click()
    alice.wait_for_url("**/rollouts/haiku/**")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    broken = Axe().run(mia).response["violations"]
    assert [f"{rule['id']}: {node['html'][:150]}" for rule in broken for node in rule["nodes"]] == []
    mia.locator("summary", has_text="Skip Owning team").click()
    mia.fill("#reason-skip", "as granted")
    mia.get_by_role("button", name="Skip Owning team").click()
    assert portal.phase("team").state == "skipped"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 360)])
def test_a_loose_end_leads_to_what_ends_it(portal, sign_in, scheme, width):
    portal.apply()
    portal.sync()
    portal.people["mia"].is_active = False
    portal.people["mia"].save()
    root = sign_in("root", scheme=scheme, width=width)
    root.goto(f"{portal.url}/loose-ends/")
    assert root.evaluate("document.documentElement.scrollWidth") <= width
    broken = Axe().run(root).response["violations"]
    assert [f"{rule['id']}: {node['html'][:150]}" for rule in broken for node in rule["nodes"]] == []
    root.screenshot(path=f"/tmp/h14_ends_{scheme}.png", full_page=True)
    root.get_by_role("link", name="Name another owner in the plan").click()
    root.wait_for_url("**/rollouts/haiku/plan/")
