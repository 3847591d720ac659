"""Small comforts that must not lie: copy buttons, keys after a live change, paper, counts of ticked boxes, red errors."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


def test_copy_buttons_are_there_only_where_they_work(portal, sign_in):
    portal.up_to("everyone", "active")
    portal.do("advance", "everyone", "mia")  # so there is a command to give
    here = f"{portal.url}/rollouts/haiku/"
    mia = sign_in("mia")
    mia.context.grant_permissions(["clipboard-read", "clipboard-write"])
    mia.goto(here)
    button = mia.locator("[data-copy]").first
    button.click()
    mia.wait_for_function(
        "() => [...document.querySelectorAll('[data-copy]')].some(one => one.textContent === 'Copied')"
    )
    assert mia.evaluate("navigator.clipboard.readText()") == mia.locator(".command code").first.inner_text()

    refused = sign_in("mia")  # where the browser refuses, the text is marked for copying by hand
    refused.goto(here)
    refused.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    refused.locator("[data-copy]").first.click()
    refused.wait_for_function("() => getSelection().toString() !== ''")
    assert refused.locator("[data-copy]").first.inner_text() == "Copy"

    plain = sign_in("mia", scripts=False)
    by_http = sign_in("mia")  # a page that came by plain http has no clipboard
    by_http.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined })")
    for page in (plain, by_http):
        page.goto(here)
        assert page.locator(".command code").count()
        assert page.locator("[data-copy]").count()
        assert not page.locator("[data-copy]:visible").count()


def test_the_inbox_hears_its_keys_after_a_live_change(portal, sign_in, settings):
    settings.LIVE_SECONDS = 1
    portal.up_to("team", "completed")
    portal.confirm("company")
    alice = sign_in("alice")
    alice.goto(f"{portal.url}/approvals/")
    assert "Nothing waits for you." in alice.inner_text("main")
    alice.evaluate("window.sameVisit = true")
    portal.do("request", "company", "mia")
    alice.wait_for_selector("[data-request]")
    alice.keyboard.press("j")
    assert alice.evaluate("document.activeElement.matches('[data-request]')")
    portal.do("approve", "company", "sam")  # the card changes under her hand
    alice.mouse.move(5, 5)
    alice.evaluate("document.activeElement.blur()")
    alice.wait_for_selector("main :text('sam')")
    assert alice.evaluate("window.sameVisit")
    alice.keyboard.press("j")
    alice.keyboard.press("a")
    assert alice.evaluate("document.activeElement.matches('[data-approve]')")


def test_on_paper_models_say_for_whom_they_are_live(portal, sign_in):
    portal.up_to("company", "active")
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/models/")
    told = mia.locator(".live-for li").first
    assert told.is_visible()
    mia.emulate_media(media="print")
    assert told.is_visible()
    assert not mia.locator("#live").is_visible()


def test_ticked_boxes_of_the_admin_are_counted(portal, sign_in):
    for slug in ("haiku", "opus"):
        portal.apply(slug=slug, title=f"Claude {slug}", flag=f"use_{slug}")
    root = sign_in("root")
    root.goto(f"{portal.url}/admin/rollouts/rollout/")
    boxes = root.locator("input[name=_selected_action]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    assert root.inner_text(".action-counter") == f"2 of {boxes.count()} selected"


def test_errors_look_like_errors_on_pages_and_in_the_admin(portal, sign_in):
    portal.apply()
    root = sign_in("root")
    root.goto(f"{portal.url}/?q=haiku")
    root.get_by_text("Keep this view").click()
    root.fill("#view-name", " ")
    root.get_by_role("button", name="Keep", exact=True).click()
    alert = root.get_by_role("alert")
    assert "Give the view a name" in alert.inner_text()
    red = "node => getComputedStyle(node).borderTopColor"
    root.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<p class=\"notice go\">done</p>')")
    assert alert.evaluate(red) != root.locator(".notice.go").evaluate(red)

    root.goto(f"{portal.url}/admin/rollouts/rollout/")
    root.select_option("select[name=action]", index=1)
    root.get_by_role("button", name="Go", exact=True).click()
    assert "notice wait" in root.locator("main .notice").first.get_attribute("class")  # nothing was ticked
