"""The portfolio by keyboard and by mouse: move, open, search; filters answer at once; views are kept."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


def test_the_portfolio_by_keyboard(portal, sign_in):
    for slug, title in (("haiku", "Claude Haiku"), ("opus", "Claude Opus"), ("sonnet", "Claude Sonnet")):
        portal.apply(slug=slug, title=title, flag=f"flag_{slug}")
    page = sign_in("mia")
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = page.locator(":focus")
    second = page.locator(".row .name").nth(1)
    assert focused.inner_text() == second.inner_text()
    page.keyboard.press("k")
    first = page.locator(".row .name").first
    assert page.locator(":focus").inner_text() == first.inner_text()
    title = first.inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/rollouts/**")
    assert page.locator("h1").inner_text() == title
    page.go_back()
    page.keyboard.press("/")
    page.keyboard.type("opus")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=opus*")
    assert page.locator(".row .name").all_inner_texts() == ["Claude Opus"]
    page.get_by_text("Keep this view").click()
    page.get_by_label("Name").fill("Opus only")
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("link", name="Opus only").wait_for()
    page.goto(f"{portal.url}/")
    page.get_by_label("Health").select_option("stale")  # answers by itself
    page.wait_for_url("**health=stale**")
    assert "state=" not in page.url  # an address says only what was chosen
    assert "sort=" not in page.url
    page.get_by_role("link", name="Board").click()
    page.wait_for_url("**view=board**")
    assert page.locator(".tile .name").count() == 3
    page.get_by_role("link", name="Opus only").click()
    page.wait_for_url("**q=opus**")
    assert page.locator(".row .name").all_inner_texts() == ["Claude Opus"]
    assert page.wrong == []
