"""All of it by keyboard: everything that can be pressed is reached, in order, and one sees where one is."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser
FOCUSED = """() => {
  const node = document.activeElement, style = getComputedStyle(node), row = node.closest(".row");
  const around = row ? getComputedStyle(row) : style;
  const said = node.closest("svg")?.contains(node) && node.querySelector("text.said"); // a mark in a chart says its words
  const seen = said ? getComputedStyle(said).visibility === "visible" : [style, around].some((each) => each.outlineStyle !== "none" && parseFloat(each.outlineWidth) >= 2);
  const { width, height, top, bottom } = node.getBoundingClientRect();
  return { words: node.outerHTML.slice(0, 120), isBody: node === document.body, seen, isOnScreen: width > 0 && height > 0 && bottom > 0 && top < innerHeight };
}"""
PRESSABLE = """() => [...document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select, textarea")]
  .filter((node) => !node.disabled && node.tabIndex >= 0 && node.checkVisibility({ visibilityProperty: true }) && !node.closest("details:not([open]) > :not(summary)")).length"""


@pytest.mark.parametrize("path", ["/", "/rollouts/haiku/", "/approvals/", "/flags/", "/sync/"])
def test_tab_reaches_everything_and_shows_where_it_is(portal, sign_in, path):
    portal.up_to("team", "requested")
    alice = sign_in("alice")
    alice.goto(portal.url + path)
    alice.evaluate("document.activeElement.blur()")
    count, seen = alice.evaluate(PRESSABLE), []
    for _ in range(count + 30):  # scrolling regions take focus too
        alice.keyboard.press("Tab")
        now = alice.evaluate(FOCUSED)
        if now["isBody"]:
            break
        assert now["seen"], f"no focus to be seen: {now['words']}"
        assert now["isOnScreen"], f"focus out of sight: {now['words']}"
        seen.append(now["words"])
    assert seen[0].startswith('<a class="skip"')
    assert len(seen) >= count, set(seen)


def test_the_skip_link_leads_past_the_bar_and_escape_closes_what_is_open(portal, sign_in):
    portal.up_to("company", "active")
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    mia.keyboard.press("Tab")
    mia.keyboard.press("Enter")
    mia.keyboard.press("Tab")
    assert mia.evaluate("document.activeElement.closest('main') !== null")
    summary = mia.locator("summary", has_text="Roll back")
    summary.focus()
    mia.keyboard.press("Enter")
    mia.locator("#why-back").focus()
    mia.keyboard.press("Escape")
    assert mia.locator("#why-back").is_hidden()
    assert summary.evaluate("node => node === document.activeElement")


def test_in_forced_colours_the_track_is_still_drawn(portal, sign_in):
    portal.up_to("company", "active")
    mia = sign_in("mia")
    mia.emulate_media(forced_colors="active")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    fills = mia.evaluate(
        "[...document.querySelectorAll('.track.page :is(.done, .ground, .now-ground)')].map((node) => getComputedStyle(node).fill)"
    )
    assert len(set(fills)) > 1
