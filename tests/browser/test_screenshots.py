"""Pictures of all pages of the demo, for the documentation and for looking at: ``make screenshots``."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from rollouts.models import FeatureFlag, GitLabInstance, Notice, OwedMail, PlanTemplate, Rollout
from rollouts.portal.mails import compose
from rollouts.services import notices
from tests.browser.pictures import small

pytestmark = [pytest.mark.browser, pytest.mark.screenshots]
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
WIDE, NARROW, TALL = 1440, 360, 2000
ROLLOUT = "/rollouts/haiku-code-completion/"
#: As an admin sees them.
PAGES = {
    "portfolio": "/",
    "board": "/?view=board",
    "rollout": ROLLOUT,
    "drifting": "/rollouts/codestral-2508-v4/",
    "plan": f"{ROLLOUT}plan/",
    "dry-run": f"{ROLLOUT}phases/everyone/advance/",
    "new": "/rollouts/new/",
    "timeline": "/timeline/",
    "approvals": "/approvals/",
    "locks": "/locks/",
    "models": "/models/",
    "model": "/models/{model}/",
    "flags": "/flags/",
    "flag": "/flags/{flag}/?actor=User:42",
    "sync": "/sync/",
    "history": "/audit/",
    "notifications": "/notifications/",
    "notification-settings": "/notifications/settings/",
    "api": "/api/v1/docs",
    "admin": "/admin/",
    "admin-rollout": "/admin/rollouts/rollout/{rollout}/change/",
    "admin-template": "/admin/rollouts/plantemplate/{template}/change/",
}
#: Also as a telephone shows them.
ON_A_PHONE = ("portfolio", "rollout", "timeline", "approvals", "models", "flag", "sync", "admin")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_of_all_pages(
    transactional_db, live_server, chromium, settings, scheme, tmp_path, django_user_model, monkeypatch
):
    settings.ALLOWED_HOSTS, settings.DATA_DIR = ["*"], tmp_path
    settings.GITLAB_URL = "http://127.0.0.1:18001"
    call_command("demo", "--port", "18001")
    assert GitLabInstance.objects.exists()
    settings.SENDS_MAIL = True
    User.objects.filter(is_active=True).update(email="somebody@example.com")
    notices.work()
    FOLDER.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(color_scheme=scheme, viewport={"width": WIDE, "height": 900})
    blank, page = context.new_page(), context.new_page()

    def picture(name, path, status=200, width=WIDE):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.goto(live_server.url + path).status == status, path
        shown = page.evaluate("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": min(max(shown, 500), TALL)}
        (FOLDER / f"{name}-{scheme}.png").write_bytes(small(blank, page.screenshot(full_page=True, clip=clip)))

    def sign_in(name):
        page.goto(f"{live_server.url}/accounts/login/")
        page.fill("#id_username", name)
        page.fill("#id_password", "rollout")
        page.click("main button")

    picture("login", "/accounts/login/")
    sign_in("vic")
    picture("not-allowed", "/admin/", 403)
    context.clear_cookies()
    sign_in("root")
    haiku = Rollout.objects.select_related("ai_model", "flag").get(slug="haiku-code-completion")
    known = {
        "model": haiku.ai_model.slug,
        "flag": FeatureFlag.objects.get(pk=haiku.flag.pk).pk,
        "rollout": haiku.pk,
        "template": PlanTemplate.objects.order_by("pk")[0].pk,
    }
    for name, path in PAGES.items():
        picture(name, path.format(**known))
    for name in ON_A_PHONE:
        picture(f"{name}-phone", PAGES[name].format(**known), width=NARROW)
    page.emulate_media(media="print", color_scheme=scheme)
    picture("print", ROLLOUT, width=800)
    page.emulate_media(media="screen", color_scheme=scheme)

    picture("not-found", "/rollouts/nothing/", 404)
    picture("not-this-way", "/sync/now/", 405)
    monkeypatch.setattr("rollouts.portal.views.history.HistoryFilter", None)
    picture("broken", "/audit/", 500)
    settings.MAINTENANCE = "We move to a larger database until 14:00 UTC."
    picture("maintenance", "/", 503)
    mails_of_the_demo(settings, context, blank, scheme)
    context.close()


def mails_of_the_demo(settings, context, blank, scheme):
    """Three mails as mail programs show them: somebody is asked, somebody is answered, and a digest."""
    settings.MAINTENANCE = ""
    page = context.new_page()
    for name, mails in some_mails().items():
        page.set_viewport_size({"width": 700, "height": 500})
        page.set_content(compose(mails).alternatives[0][0])
        for width in (320, 700):
            page.set_viewport_size({"width": width, "height": 500})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        (FOLDER / f"mail-{name}-{scheme}.png").write_bytes(small(blank, page.screenshot(full_page=True)))


def some_mails():
    """By name: made of what the demo's people are told."""
    told = Notice.objects.filter(dropped=False).select_related("event__rollout", "person").order_by("pk")
    owed = {notice.pk: OwedMail(pk=notice.pk, notice=notice) for notice in told}
    asked = [mail for mail in owed.values() if mail.notice.kind == "asked"]
    others = [mail for mail in owed.values() if mail.notice.kind != "asked"]
    assert asked
    assert others
    of_one = [mail for mail in owed.values() if mail.notice.person == others[0].notice.person][:3]
    digest = [OwedMail(pk=mail.pk, notice=mail.notice, in_digest=True) for mail in of_one]
    return {"asked": asked[:1], "told": others[-1:], "digest": digest}
