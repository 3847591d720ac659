"""Every page, in both themes, as each role: no finding of axe, nothing cut off, squeezed, covered or out of the window,
no target too small, no error of a script or in the console (a refusal of the Content-Security-Policy is one)."""

from __future__ import annotations

import pytest

from rollouts.models import Rollout
from tests.browser.looks import axe, misfits
from tests.browser.pages import admin_pages, portal_pages
from tests.walk import FLAG

pytestmark = pytest.mark.browser
#: Pages whose buttons depend on the role; the others look alike to all.
BY_ROLE = ("/", "/rollouts/haiku/", "/approvals/", "/locks/", "/sync/")
WIDTHS = (1440, 1024, 768, 360)
ODD = (320, 720, 2560, 3840)  # 720: 1440 at 200 % zoom
#: What a page says to this person, without what differs at each look.
SAID = """() => {
  const main = (document.querySelector("main") ?? document.body).cloneNode(true);
  for (const node of main.querySelectorAll("input[type=hidden], time")) node.remove();
  return main.outerHTML.replace(/\\s+/g, " ");
}"""
#: Of each row of a table that is a card: how tall it is, which cells take room without text, its head if that
#: fits, and whether what follows on the head begins as if there were something before it.
CARDS = """rows => rows.map(row => {
  const cells = [...row.children].filter(cell => getComputedStyle(cell).display !== "none");
  const head = row.querySelector(".head, th, .strong, td");
  const after = head.matches(".head") ? cells[cells.indexOf(head) + 1] : undefined;
  return {
    height: row.getBoundingClientRect().height,
    empty: cells.filter(cell => !cell.innerText.trim()).length,
    head: head.scrollWidth <= row.clientWidth && head.innerText.trim(),
    parted: Boolean(after) && getComputedStyle(after, "::before").content.startsWith('" ·'),
  };
})"""
#: Faults as elements, and how the measure begins to tell of each. The page's policy lets no style be written into them.
FAULTS = {
    "<p data-style='inline-size: 1em'>one letter a line</p>": "no room for 4 characters",
    "<p>over it</p><p data-style='margin-top: -1.2em'>another</p>": "overlaps",
    "<p data-style='position: relative; inset-inline-start: -300px'>where is it</p>": "beyond the window",
    "<p data-style='inline-size: 200vw'>wide</p>": "wider than the window",
    "<p data-style='inline-size: 5em; overflow: hidden; white-space: nowrap'>more than there is room</p>": "cut off",
    "<button data-style='min-block-size: 0; block-size: 20px'>Press</button>": "smaller than 24",
    "<p><a href='/'>one</a></p><p data-style='margin-top: -6px'><a href='/'>other</a></p>": "smaller than 24",
}
STYLED = """() => {
  for (const node of document.querySelectorAll("[data-style]")) node.style.cssText = node.dataset.style;
}"""


@pytest.fixture
def walked(portal):
    """A rollout in the middle of its last phase, drifting, overridden, with a request that waits."""
    portal.up_to("everyone", "active")
    portal.gitlab.state.set_feature(FLAG, "50", key="percentage_of_actors")
    portal.sync()
    portal.do("advance", "everyone", "root", reason="x", override=True, confirm="haiku")
    portal.do("request", "everyone", "mia", to=100)
    portal.apply(slug="draft", title="A draft", flag="use_draft")
    assert Rollout.objects.count() == 2
    return portal


class Walk:
    """One person's way through pages, and what is wrong with them."""

    def __init__(self, page, url, seen=None, schemes=("light",)):
        self.page, self.url, self.found = page, url, []
        self.schemes = schemes  # in which each width is measured: colours move nothing, drills prove it
        #: What pages said to those who were there before: the same again is not measured again.
        self.seen = {} if seen is None else seen

    def look(self, path, *widths, rules=None):
        """One load; every width, axe at the first one in both themes, in the dark of colours only.

        A page that is closed to this person is passed by. ``rules`` of axe: none are asked for when there are none.
        """
        self.page.set_viewport_size({"width": widths[0], "height": 900})
        status = self.page.goto(self.url + path).status
        if status == 403:
            return
        if status >= 500:
            self.note(path, widths[0], [f"answers {status}"])
        said = self.page.evaluate(SAID)
        if said in self.seen.setdefault(path, set()):
            return
        self.seen[path].add(said)
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            if rules is not None:
                asked = rules if scheme == "light" else ("color-contrast",)
                self.note(path, f"{scheme} {widths[0]}", axe(self.page, *asked))
        for width in widths:
            self.page.set_viewport_size({"width": width, "height": 900})
            for scheme in self.schemes:
                self.page.emulate_media(color_scheme=scheme)
                self.note(path, f"{scheme} {width}", misfits(self.page))

    def note(self, path, where, lines):
        self.found += [f"{path} ({where} px) {line}" for line in lines]

    def is_clean(self):
        assert not self.found + self.page.wrong, "\n".join(self.found + self.page.wrong)


BOTH = pytest.param(("light", "dark"), marks=[pytest.mark.drill, pytest.mark.timeout(1200)])
SCHEMES = pytest.mark.parametrize("schemes", [("light",), BOTH], ids="+".join)


@SCHEMES
def test_every_page_of_the_portal_is_open_to_all_and_fits(walked, sign_in, schemes):
    seen = {}
    for name in ("root", "mia", "alice", "vic"):
        walk = Walk(sign_in(name), walked.url, seen, schemes)
        for path in [*portal_pages(walked.people[name]), "/api/v1/docs", "/nothing/"]:
            is_by_role = path in BY_ROLE
            walk.look(path, *WIDTHS, *(ODD if is_by_role else ()), rules=() if is_by_role or name == "root" else None)
        walk.is_clean()


@SCHEMES
def test_every_page_of_the_admin_is_open_to_all_and_fits(walked, sign_in, schemes):
    seen = {}
    for name in ("root", "mia"):
        walk = Walk(sign_in(name), walked.url, seen, schemes)
        for path in admin_pages():
            walk.look(path, *WIDTHS, rules=() if name == "root" else None)
        walk.is_clean()


def test_a_phone_shows_the_list_first_and_the_rest_behind_a_button(walked, sign_in):
    """The bar is one line, filters are folded with the number in force, rows of tables are cards."""
    mia = sign_in("mia")
    mia.set_viewport_size({"width": 360, "height": 800})
    mia.goto(f"{walked.url}/?health=drifting&phase=everyone")
    assert mia.locator(".bar").bounding_box()["height"] < 70
    assert mia.locator(".row").first.bounding_box()["y"] < 450
    assert not mia.get_by_role("link", name="Timeline").is_visible()
    assert not mia.get_by_label("Phase").is_visible()
    assert mia.get_by_role("button", name="Filters").inner_text().split()[1] == "2"

    mia.get_by_role("button", name="Filters").press("Enter")
    mia.get_by_label("Phase").select_option("")
    mia.keyboard.press("Escape")
    assert not mia.get_by_label("Phase").is_visible()
    mia.get_by_role("button", name="Filters").click()
    assert not misfits(mia)
    mia.get_by_role("button", name="Show").click()
    mia.wait_for_url(lambda url: "phase" not in url)

    mia.get_by_role("button", name="Menu").press("Enter")
    assert not misfits(mia)
    mia.get_by_role("link", name="History").click()
    mia.wait_for_url("**/audit/")
    table = mia.locator("table.cards").first
    assert table.evaluate("node => node.scrollWidth <= node.parentElement.clientWidth")
    named = table.locator("td[data-label]:not(:empty)").first
    assert "From" in named.evaluate("node => getComputedStyle(node, '::before').content")


@pytest.mark.parametrize(("path", "most"), [("/audit/", 115), ("/flags/", 150), ("/models/", 180), ("/sync/", 90)])
def test_a_card_on_a_phone_is_short_says_its_head_in_full_and_has_no_empty_line(walked, sign_in, path, most):
    """``most``: how many pixels a card of this list takes on the average; a cell a line takes about twice that."""
    mia = sign_in("mia")
    mia.set_viewport_size({"width": 360, "height": 800})
    mia.goto(walked.url + path)
    cards = mia.locator("table.cards tbody tr:visible").evaluate_all(CARDS)
    assert cards
    assert sum(card["height"] for card in cards) / len(cards) <= most
    assert not [card for card in cards if card["empty"]]
    assert all(card["head"] for card in cards)
    assert not [card for card in cards if card["parted"]]


def test_a_rollouts_page_says_each_thing_once_in_columns_that_balance(walked, sign_in):
    mia = sign_in("mia")
    mia.goto(f"{walked.url}/rollouts/haiku/")
    assert mia.locator("main").inner_text().count("do we need more request quota?") <= 1
    mia.set_viewport_size({"width": 1440, "height": 900})
    left, right = (
        mia.locator(f".cols > :nth-child({at})").evaluate(
            "node => node.lastElementChild.getBoundingClientRect().bottom - node.getBoundingClientRect().top"
        )
        for at in (1, 2)
    )
    assert right < 1.6 * left
    mia.set_viewport_size({"width": 2560, "height": 1300})
    assert mia.locator("main").bounding_box()["width"] > 2000
    assert mia.locator(".cols > .record").bounding_box()["y"] == mia.locator(".cols > :first-child").bounding_box()["y"]


def test_what_does_not_fit_is_found(portal, sign_in):
    """The measure itself: each kind of fault, made on purpose."""
    mia = sign_in("mia")
    for made, told in FAULTS.items():
        mia.goto(f"{portal.url}/nothing/")
        assert not misfits(mia)
        mia.evaluate("([made]) => document.querySelector('main').insertAdjacentHTML('beforeend', made)", [made])
        mia.evaluate(STYLED)
        assert any(line.startswith(told) for line in misfits(mia)), told
