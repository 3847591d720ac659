"""The picture of exposure by keyboard and for screen readers, and the page as it goes on paper, in a real Chromium."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe

from rollouts.models import ReadingGap
from tests.walk import FLAG

pytestmark = pytest.mark.browser
HERE = "/rollouts/haiku/"


@pytest.fixture
def drifting(portal):
    """A ramp at 25 %, an hour unread, and 60 % in GitLab."""
    portal.up_to("everyone", "active")
    portal.advance("everyone")
    portal.obey()
    instance, now = portal.rollout().flag.instance, portal.now()
    ReadingGap.objects.create(instance=instance, since=now - timedelta(seconds=2), until=now - timedelta(seconds=1))
    portal.gitlab.state.set_feature(FLAG, "60", key="percentage_of_actors")
    portal.sync()
    return portal


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 320)])
def test_the_picture_is_read_and_walked_without_a_pointer(drifting, sign_in, scheme, width):
    mia = sign_in("mia", scheme=scheme, width=width)
    mia.goto(drifting.url + HERE)
    assert mia.evaluate("document.documentElement.scrollWidth") <= width
    picture = mia.get_by_role("region", name="Exposure over time")
    picture.focus()
    mia.keyboard.press("Tab")
    mark = mia.locator(".mark-at:focus")
    assert re.search(r"The portal found drift: GitLab at 60 % of actors.*; …", mark.get_attribute("aria-label"))
    assert mark.locator(".said").is_visible()
    assert mia.locator(".said:visible").count() == 1
    row = mia.locator(mark.get_attribute("href"))
    assert not row.is_visible()
    mia.keyboard.press("Enter")
    row.wait_for(state="visible")  # the link opens the table that it leads into
    mia.evaluate(
        "document.querySelectorAll('main details:not(.action-form)').forEach((folded) => (folded.open = true))"
    )
    broken = Axe().run(mia).response["violations"]
    assert [f"{rule['id']}: {node['html'][:150]}" for rule in broken for node in rule["nodes"]] == []
    assert not mia.wrong


def test_on_paper_all_is_unfolded_and_nothing_can_be_pressed(drifting, sign_in):
    mia = sign_in("mia", scheme="dark", width=718)  # A4 between its margins
    mia.goto(drifting.url + HERE)
    mia.emulate_media(media="print", color_scheme="dark")
    assert mia.locator("button:visible, summary.btn:visible, nav:visible, textarea:visible").count() == 0
    assert mia.locator("#exposure-table tbody tr").first.is_visible()
    for folded in ("Decision: do we need more request quota?", "The internal rollout issue exists"):
        assert mia.locator("#checklist").get_by_text(folded).is_visible()
    assert mia.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert mia.evaluate("document.documentElement.scrollWidth") <= 718
    assert "printed by mia" in mia.inner_text("main")
    printed = mia.evaluate("getComputedStyle(document.querySelector('#exposure time[data-at]'), '::after').content")
    assert drifting.now().strftime("%-d %b") in printed
    assert mia.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") <= 5


def test_reports_and_history_print_as_tables_without_their_forms(drifting, sign_in):
    mia = sign_in("mia", scheme="dark", width=718)
    for path, row in (
        (f"{HERE}report/", "#let-in tbody tr"),
        ("/reports/", "#made tbody tr"),
        ("/audit/", ".card tbody tr"),
    ):
        mia.goto(drifting.url + path)
        mia.emulate_media(media="print", color_scheme="dark")
        assert mia.locator("form:visible, button:visible, nav:visible").count() == 0, path
        assert mia.locator(row).first.evaluate("(row) => getComputedStyle(row).display") == "table-row", path
        assert mia.evaluate("document.documentElement.scrollWidth") <= 718, path


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 360)])
def test_a_comparison_is_recorded_and_comments_are_read(portal, sign_in, scheme, width):
    portal.up_to("team", "active")
    state = portal.gitlab.state
    note = state.add_note("acme/app", 14, "Quicker than before. <b>Not</b> markup.\n" + "word " * 120, author="ann")
    for person in ("ann", "bob"):
        state.react("acme/app", 14, "thumbsup", by=person, note=note["id"])
    portal.sync()
    mia = sign_in("mia", scheme=scheme, width=width)
    mia.goto(f"{portal.url}/rollouts/haiku/")
    mia.locator("summary", has_text="Record the comparison").click()
    form = mia.locator("form", has=mia.locator("select[name=verdict]"))
    for name, value in (("latency", "worse"), ("correctness", "better"), ("verdict", "better")):
        form.locator(f"select[name={name}]").select_option(value)
    form.locator("[name=numbers]").fill("p50 ms = 655 / 637\nacceptance % = 20.1 / 19.4")
    form.locator("[name=link]").fill("https://gitlab.example.com/x")
    form.locator("[name=evidence]").fill("See the issue.")
    form.get_by_role("button", name="Record").click()
    mia.wait_for_selector("text=better than the baseline as a whole")
    assert "Quicker than before. <b>Not</b> markup." in mia.locator("#feedback").inner_text()
    assert mia.evaluate("document.documentElement.scrollWidth") <= width
    broken = Axe().run(mia).response["violations"]
    assert [f"{rule['id']}: {node['html'][:150]}" for rule in broken for node in rule["nodes"]] == []
