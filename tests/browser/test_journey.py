"""The whole way in a browser, as manager, approver and viewer, the flag moved by hand in between."""

from __future__ import annotations

import pytest

from rollouts.models import Rollout
from tests.browser.conftest import listen

pytestmark = pytest.mark.browser


def press(page, label):
    page.get_by_role("button", name=label, exact=True).click()


def test_somebody_signs_in_by_the_form_and_stands_where_they_wanted_to_go(chromium, portal):
    context = chromium.new_context()
    wrong, page = listen(context), context.new_page()
    page.goto(f"{portal.url}/approvals/")
    page.fill("#id_username", "mia")
    page.fill("#id_password", "rollout")
    page.click("main button")
    page.wait_for_url(f"{portal.url}/approvals/")
    context.close()
    assert wrong == []


def test_a_rollout_goes_from_plan_to_all_users(portal, sign_in):
    mia, alice, sam, vic = sign_in("mia"), sign_in("alice"), sign_in("sam"), sign_in("vic")
    here = f"{portal.url}/rollouts/haiku/"

    mia.get_by_role("link", name="New rollout").click()
    mia.fill("#document", portal.document())
    press(mia, "Apply the document")
    mia.wait_for_url(here)
    assert "is planned" in mia.inner_text("main")
    portal.sync()
    portal.confirm()

    for phase, title in (("team", "Owning team"), ("company", "Whole company"), ("everyone", "All users")):
        portal.confirm(phase)
        mia.goto(here)
        press(mia, f"Ask for {title}")
        assert f"asked for {title}" in mia.inner_text("main")
        for approver in (alice,) if phase != "company" else (alice, sam):
            approver.goto(here)
            press(approver, f"Approve {title}")
        mia.goto(here)
        press(mia, f"Start {title}")
        assert "Waiting for GitLab" in mia.inner_text("#exposure")
        assert "/chatops gitlab run feature set" in mia.inner_text("#exposure")
        portal.obey()
        mia.goto(here)
        assert "Confirmed by GitLab" in mia.inner_text("#exposure")
        if phase == "everyone":
            for percentage in (25, 100):
                if percentage == 100:
                    press(mia, "Ask for 100 %")
                    for approver in (alice, sam):
                        approver.goto(here)
                        press(approver, "Approve 100 %")
                    mia.goto(here)
                press(mia, f"Advance to {percentage} %")
                portal.obey()
                mia.goto(here)
        portal.confirm(phase)
        mia.goto(here)
        press(mia, f"Complete {title}")
        assert f"completed {title}" in mia.inner_text("main")

    assert Rollout.objects.get(slug="haiku").state == "completed"
    vic.goto(f"{portal.url}/audit/?rollout=haiku")
    told = vic.inner_text("main")
    for sentence in (
        "mia asked for All users",
        "alice approved All users at 1 %",
        "sam approved All users at 100 %",
        "mia advanced All users to 25 %",
    ):
        assert sentence in told
    assert not mia.wrong
    assert not alice.wrong


def test_what_blocks_is_shown_and_leads_to_its_cure(portal, sign_in):
    portal.plan["soak"] = "15m"
    portal.up_to("everyone", "active")
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    button = mia.get_by_role("button", name="Advance to 25 %", exact=True)
    assert button.get_attribute("aria-disabled") == "true"
    assert "1 % must stand" in mia.inner_text("#before")


def test_rolling_back_by_keyboard_alone(portal, sign_in):
    portal.up_to("everyone", "active")
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    summary = mia.locator("summary", has_text="Roll back")
    summary.focus()
    mia.keyboard.press("Enter")
    mia.locator("#why-back").focus()
    mia.keyboard.type("latency doubled")
    mia.keyboard.press("Tab")
    mia.keyboard.press("Enter")
    mia.wait_for_selector("text=You rolled back All users.")
    assert portal.phase("everyone").state == "rolled_back"
    assert "latency doubled" in mia.inner_text("main")


def test_the_inbox_by_keyboard_alone(portal, sign_in):
    portal.up_to("company", "requested")
    alice, sam = sign_in("alice"), sign_in("sam")
    alice.goto(f"{portal.url}/approvals/")
    alice.keyboard.press("j")
    alice.keyboard.press("a")
    alice.keyboard.press("Enter")
    alice.wait_for_selector("text=You approved Whole company of Claude Haiku.")
    assert "Nothing waits for you." in alice.inner_text("main")
    sam.goto(f"{portal.url}/approvals/")
    assert "1 of 2" in sam.inner_text("main")
    sam.keyboard.press("j")
    sam.keyboard.press("r")
    sam.keyboard.type("the feedback says no")
    sam.keyboard.press("Tab")
    sam.keyboard.press("Enter")
    sam.wait_for_selector("text=You rejected Whole company of Claude Haiku.")
    assert portal.phase("company").state == "planned"
    assert not alice.wrong
    assert not sam.wrong


def test_rolling_back_from_the_plan_and_the_dry_run(portal, sign_in):
    portal.up_to("company", "active")
    mia = sign_in("mia")
    for path in ("plan/", "phases/company/complete/"):
        mia.goto(f"{portal.url}/rollouts/haiku/{path}")
        assert mia.locator("summary", has_text="Roll back").is_visible()
    mia.locator("summary", has_text="Roll back").focus()
    mia.keyboard.press("Enter")
    mia.locator("#why-back").focus()
    mia.keyboard.type("wrong answers")
    mia.keyboard.press("Tab")
    mia.keyboard.press("Enter")
    mia.wait_for_selector("text=You rolled back Whole company.")
    assert "chatops" in mia.inner_text("#exposure")


def test_a_roll_back_with_writes_shows_its_progress(portal, sign_in, settings):
    from rollouts.sync import outbox

    settings.GITLAB_WRITES = "flags"
    portal.up_to("company", "active")
    outbox.work()
    portal.do("roll_back", "company", "mia", reason="wrong answers")
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    assert "Set use_haiku to" in mia.inner_text("#writes")
    assert "waiting" in mia.inner_text("#writes")
    outbox.work()
    mia.reload()
    assert "done" in mia.inner_text("#writes")
    assert portal.rollout().drift == "none"


def test_an_override_needs_a_second_confirmation_and_a_review(portal, sign_in):
    portal.plan["soak"] = "15m"
    portal.up_to("everyone", "active")
    root, alice = sign_in("root"), sign_in("alice")
    root.goto(f"{portal.url}/rollouts/haiku/")
    root.locator("summary", has_text="Override").click()
    root.fill("#override-advance", "incident 1")
    press(root, "Advance to 25 % anyway")
    assert portal.phase("everyone").percentage == 1  # the box is not ticked: the browser holds the form
    root.get_by_label("I mean it").check()
    press(root, "Advance to 25 % anyway")
    root.wait_for_selector("text=You advanced All users.")
    assert "A second person must review it" in root.inner_text("main")
    assert not root.locator("summary", has_text="Review it").count()
    alice.goto(f"{portal.url}/rollouts/haiku/")
    alice.locator("summary", has_text="Review it").click()
    alice.locator("textarea[name=verdict]").fill("It was right.")
    press(alice, "Close the review")
    assert "Reviewed by alice" in alice.inner_text("main")


def test_times_are_in_the_readers_zone(portal, chromium, sign_in):
    portal.up_to("team", "requested")
    mia = sign_in("mia")
    mia.fill("#zone", "Asia/Kolkata")
    mia.get_by_role("button", name="Change", exact=True).click()
    mia.goto(f"{portal.url}/rollouts/haiku/")
    assert "+0530" in mia.locator("time").first.get_attribute("title") or "IST" in mia.locator(
        "time"
    ).first.get_attribute("title")


def test_everything_works_without_javascript(portal, sign_in):
    portal.up_to("team", "planned")
    mia = sign_in("mia", scripts=False)
    mia.goto(f"{portal.url}/rollouts/haiku/")
    press(mia, "Ask for Owning team")
    assert "You asked for Owning team." in mia.inner_text("main")


def test_two_people_press_at_once_and_the_slower_one_is_told(portal, sign_in):
    portal.up_to("team", "requested")
    alice, sam = sign_in("alice"), sign_in("sam")
    for page in (alice, sam):
        page.goto(f"{portal.url}/rollouts/haiku/")
    press(alice, "Approve Owning team")
    press(sam, "Approve Owning team")
    assert "Somebody was faster" in sam.inner_text("main")
    assert portal.phase("team").approved_by == "alice"
