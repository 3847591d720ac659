"""Drift from the list to its answers, in a real Chromium: accepted by two people, restored by one, adopted by two."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from rollouts.models import DriftCase

pytestmark = pytest.mark.browser


def well(page, width):
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    broken = Axe().run(page).response["violations"]
    assert [f"{rule['id']}: {node['html'][:150]}" for rule in broken for node in rule["nodes"]] == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 360), ("light", 768)])
def test_a_case_is_accepted_restored_and_another_adopted(portal, sign_in, scheme, width, tmp_path):
    portal.up_to("everyone", "active")
    portal.gitlab.state.set_feature("use_haiku", "25", key="percentage_of_actors")
    portal.gitlab.state.set_feature("use_haiku", "true", project="acme/app")
    portal.sync()
    ahead, foreign = (DriftCase.objects.get(kind=kind) for kind in ("ahead", "foreign_actor"))
    mia, alice = sign_in("mia", scheme=scheme, width=width), sign_in("alice", scheme=scheme, width=width)
    mia.goto(f"{portal.url}/drift/?state=open")
    well(mia, width)
    assert mia.locator("ul.items > li").count() == 2
    mia.screenshot(path=tmp_path / "list.png", full_page=True)
    mia.locator(f"#drift-{foreign.pk} summary", has_text="Accept").click()
    mia.fill(f"#ends-accept-{foreign.pk}", f"{portal.now():%Y-%m-%d}")
    mia.fill(f"#reason-accept-{foreign.pk}", "A demo runs there today.")
    well(mia, width)
    mia.screenshot(path=tmp_path / "dialog.png", full_page=True)
    mia.locator(f"#drift-{foreign.pk} form").get_by_role("button", name="Accept").click()
    mia.wait_for_url("**/rollouts/haiku/**")
    assert "somebody else decides" in mia.locator("main").inner_text()
    well(mia, width)
    alice.goto(f"{portal.url}/waivers/?kind=drift")
    alice.get_by_role("button", name="Grant the waiver").click()
    alice.wait_for_url("**/rollouts/haiku/**")
    mia.reload()
    assert "accepted until" in mia.locator(f"#drift-{foreign.pk}").inner_text()
    mia.locator(f"#drift-{ahead.pk} summary", has_text="Restore").click()
    mia.fill(f"#reason-restore-{ahead.pk}", "Nobody approved it.")
    mia.locator(f"#drift-{ahead.pk} form").get_by_role("button", name="Restore").click()
    mia.wait_for_url("**/rollouts/haiku/#set")
    assert "mia restores the flag" in mia.locator(f"#drift-{ahead.pk}").inner_text()
    mia.locator(f"#drift-{ahead.pk} summary", has_text="Adopt").click()
    mia.fill(f"#reason-adopt-{ahead.pk}", "It runs well there.")
    mia.locator(f"#drift-{ahead.pk} form").get_by_role("button", name="Adopt").click()
    mia.wait_for_url("**#waiver-*")
    well(mia, width)
    mia.screenshot(path=tmp_path / "rollout.png", full_page=True)
    alice.goto(f"{portal.url}/approvals/")
    alice.get_by_role("button", name="Let the plan take it over").click()
    alice.wait_for_url("**/rollouts/haiku/**")
    assert DriftCase.objects.get(pk=ahead.pk).ending == "adopted"
    assert portal.phase("everyone").percentage == 25
    mia.goto(f"{portal.url}/drift/?state=ended")
    assert "adopted" in mia.locator(f"#drift-{ahead.pk}").inner_text()
