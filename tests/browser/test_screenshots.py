"""Pictures of all pages of the demo, for the documentation and for looking at: ``make screenshots``."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from rollouts.models import FeatureFlag, GitLabInstance, PlanTemplate, Rollout
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
    monkeypatch.setattr("rollouts.portal.views.history.find", None)
    picture("broken", "/audit/", 500)
    settings.MAINTENANCE = "We move to a larger database until 14:00 UTC."
    picture("maintenance", "/", 503)
    context.close()
