"""A page that is open follows what happens, in words too, and never moves what the hand is at."""

from __future__ import annotations

import pytest

from rollouts.tasks import tell_people

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def quick(settings):
    settings.LIVE_SECONDS = 1


def press(page, label):
    page.get_by_role("button", name=label, exact=True).click()


def said(page):
    return page.inner_text("#live [role=status]")


def test_what_one_person_does_others_see_and_hear_without_a_reload(portal, sign_in):
    portal.up_to("team", "requested")
    mia, alice = sign_in("mia"), sign_in("alice")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    mia.evaluate("window.sameVisit = true")
    alice.goto(f"{portal.url}/approvals/")
    press(alice, "Approve Owning team")
    mia.wait_for_selector("button:has-text('Start Owning team')")
    assert "Claude Haiku: alice approved Owning team" in said(mia)
    assert mia.evaluate("window.sameVisit")

    alice.goto(portal.url)
    alice.evaluate("window.sameVisit = true")
    press(mia, "Start Owning team")
    alice.wait_for_function("() => document.querySelector('.row').textContent.includes('active')")
    alice.wait_for_function(
        "() => document.querySelector('#live [role=status]').textContent.includes('mia started Owning team')"
    )
    assert alice.evaluate("window.sameVisit")
    assert not mia.wrong
    assert not alice.wrong


def test_what_the_hand_is_at_does_not_move(portal, sign_in):
    portal.up_to("everyone", "active")
    mia, vic = sign_in("mia"), sign_in("vic", width=360)
    for page in (mia, vic):
        page.goto(f"{portal.url}/rollouts/haiku/")
    button = mia.get_by_role("button", name="Advance to 25 %", exact=True)
    button.focus()
    stood = button.bounding_box()
    pause = mia.locator("summary", has_text="Roll back")
    pause.hover()

    portal.do("pause", "everyone", "root", reason="lunch")
    mia.wait_for_selector("#live .line button")
    assert button.bounding_box() == stood
    assert button.evaluate("node => node === document.activeElement")
    assert "root paused All users" in said(mia)
    assert "1 change: show" in mia.inner_text("#live .line")

    mia.locator("#live .line button").click()
    mia.wait_for_selector("button:has-text('Resume All users')")
    assert not button.count()
    assert mia.locator("#live .line").is_hidden()
    vic.wait_for_selector("main :text('paused'):visible")  # whose hand was nowhere: nothing waited
    assert not vic.locator("#live .line button").count()


def test_what_was_typed_is_kept(portal, sign_in):
    portal.up_to("everyone", "active")
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    mia.locator("summary", has_text="Roll back").click()
    mia.fill("#why-back", "latency doubled")
    mia.mouse.move(5, 5)
    portal.do("pause", "everyone", "root", reason="lunch")
    mia.wait_for_selector("#live .line button")
    mia.locator("#live .line button").click()
    mia.wait_for_selector("button:has-text('Resume All users')")
    assert mia.input_value("#why-back") == "latency doubled"
    assert mia.locator("#why-back").is_visible()


def test_a_server_that_is_away_is_told_and_its_return_too(portal, sign_in):
    portal.up_to("team", "requested")
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    mia.context.set_offline(True)
    mia.wait_for_selector("#live .line:has-text('Not live: the portal does not answer. Last update')")
    assert "Not live" in said(mia)
    portal.do("approve", "team", "alice")
    mia.context.set_offline(False)
    mia.wait_for_selector("button:has-text('Start Owning team')")
    assert "alice approved Owning team" in said(mia)


def test_ages_tick_and_a_hidden_tab_asks_nothing(portal, sign_in):
    portal.up_to("team", "requested")
    mia = sign_in("mia")
    mia.goto(f"{portal.url}/rollouts/haiku/")
    age = mia.locator("main time[data-ago]").first
    before = age.inner_text()
    mia.wait_for_function("([node, before]) => node.textContent !== before", arg=[age.element_handle(), before])
    asked = []
    mia.on("request", lambda request: asked.append(request.url))
    mia.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    mia.wait_for_timeout(2500)
    assert len(asked) <= 1  # one may have been under way


def test_every_page_that_shows_what_happens_follows_it(portal, sign_in):
    portal.up_to("everyone", "active")
    flag = portal.rollout().flag.pk
    mia = sign_in("mia")
    pages = {}
    for path in ("/", "/approvals/", "/timeline/", "/sync/", "/models/", "/flags/", f"/flags/{flag}/"):
        pages[path] = mia.context.new_page()
        pages[path].goto(portal.url + path)
        pages[path].evaluate("window.sameVisit = true")
    portal.do("advance", "everyone", "mia")
    portal.obey()
    for path, page in pages.items():
        page.wait_for_function(
            "() => document.querySelector('#live [role=status]').textContent.includes('Claude Haiku: ')"
        )
        assert page.evaluate("window.sameVisit"), path
    for path in ("/", "/timeline/", f"/flags/{flag}/"):
        pages[path].wait_for_function("() => document.querySelector('main').textContent.includes('25 %')")


def test_the_bell_rings_on_an_open_page_and_is_answered_by_keyboard(portal, sign_in, settings):
    settings.LIVE_SECONDS = 1
    portal.apply()
    page = sign_in("alice")
    assert page.locator(".bell b").count() == 0
    portal.do("request", "team", "mia")
    tell_people()
    page.wait_for_selector(".bell b")
    assert page.locator(".bell").get_attribute("aria-label") == "Notifications: 1 unread"
    page.locator("a.face").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/notifications/")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip().startswith("Mark as read"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".bell:not(:has(b))")
    assert "All is read." in page.inner_text("main")


def test_the_link_of_a_mail_leads_to_its_button_though_one_must_sign_in_first(portal, chromium):
    portal.apply()
    portal.do("request", "team", "mia")
    request = portal.phase("team").requests.get()
    page = chromium.new_context().new_page()
    page.goto(f"{portal.url}/approvals/#request-{request.pk}")
    page.fill("#id_username", "alice")
    page.fill("#id_password", "rollout")
    page.click("main button")
    page.wait_for_url(f"{portal.url}/approvals/#request-{request.pk}")
    page.wait_for_selector(f"#request-{request.pk}:target")
    page.context.close()
