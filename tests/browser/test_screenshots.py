"""Pictures of the demo for the README and for looking at: ``make screenshots``."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from rollouts.models import GitLabInstance

pytestmark = [pytest.mark.browser, pytest.mark.screenshots]
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
PAGES = {
    "portfolio": "/",
    "rollout": "/rollouts/haiku-code-completion/",
    "drifting": "/rollouts/codestral-2508-v4/",
    "new": "/rollouts/new/",
    "dry-run": "/rollouts/haiku-code-completion/phases/everyone/advance/",
    "approvals": "/approvals/",
    "locks": "/locks/",
    "models": "/models/",
    "flags": "/flags/",
    "sync": "/sync/",
    "history": "/audit/",
    "admin": "/admin/",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_of_all_pages(transactional_db, live_server, chromium, settings, scheme, tmp_path):
    settings.ALLOWED_HOSTS, settings.DATA_DIR = ["*"], tmp_path
    settings.GITLAB_URL = "http://127.0.0.1:18001"
    call_command("demo", "--port", "18001")
    assert GitLabInstance.objects.exists()
    FOLDER.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/login/")
    page.fill("#id_username", "root")
    page.fill("#id_password", "rollout")
    page.click("main button")
    for name, path in PAGES.items():
        assert page.goto(live_server.url + path).status == 200
        page.screenshot(path=FOLDER / f"{name}-{scheme}.png", full_page=name != "history")
    context.close()
