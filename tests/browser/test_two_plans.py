"""Two people edit one plan in a real Chromium: who comes later sees three versions, and merges."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from rollouts.services import plans

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 768), ("dark", 360)])
def test_who_comes_later_merges_and_both_are_versions(portal, sign_in, scheme, width):
    portal.apply()
    mia = sign_in("mia", scheme=scheme, width=width)
    mia.goto(f"{portal.url}/rollouts/haiku/plan/")
    stood = plans.export(portal.rollout())
    theirs = stood.replace("Claude Haiku", "Claude Haiku 4").replace("42000", "43000")
    plans.apply(theirs, by=portal.actor("root"), source="x")
    mia.fill(
        "#document", stood.replace("42000", "41000").replace("requests_per_minute: 60000", "requests_per_minute: 61000")
    )
    mia.get_by_role("button", name="Apply").click()
    mia.wait_for_selector("#merge")
    assert portal.rollout().peak_requests_per_minute == 43_000
    conflict = mia.locator("#merge dl").inner_text()
    assert [number for number in ("42000", "41000", "43000") if number not in conflict] == []
    merged = mia.input_value("#document")
    assert "Claude Haiku 4" in merged
    assert "41000" in merged
    sound(mia, width)
    mia.get_by_role("button", name="Apply").click()
    mia.wait_for_url("**/rollouts/haiku/")
    rollout = portal.rollout()
    assert (rollout.title, rollout.peak_requests_per_minute) == ("Claude Haiku 4", 41_000)
    mia.goto(f"{portal.url}/rollouts/haiku/plan/#versions")
    versions = mia.locator("#versions .versions > li")
    assert versions.count() == 3
    assert "mia" in versions.nth(0).inner_text()
    assert "root" in versions.nth(1).inner_text()
    assert any("43000" in line for line in versions.nth(0).locator("del").all_inner_texts())
    sound(mia, width)


def sound(page, width):
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    broken = Axe().run(page).response["violations"]
    assert [f"{rule['id']}: {node['html'][:150]}" for rule in broken for node in rule["nodes"]] == []
