"""A real Chromium against a live portal, with a simulated GitLab behind it."""

from __future__ import annotations

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def portal(transactional_db, live_server, gitlab, settings):
    """The live portal's address and its world."""
    from tests.walk import World

    settings.ALLOWED_HOSTS = ["*"]
    world = World.build(gitlab)
    world.url = live_server.url
    return world


@pytest.fixture
def sign_in(chromium, portal):
    """``sign_in("mia")`` gives a page of a signed-in person; each has a browser context of its own."""
    contexts = []

    def do(name, *, scheme="light", width=1440, scripts=True):
        context = chromium.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.wrong = []
        page.on("console", lambda message: page.wrong.append(message.text) if message.type == "error" else None)
        page.goto(f"{portal.url}/accounts/login/")
        page.fill("#id_username", name)
        page.fill("#id_password", "rollout")
        page.click("main button")
        page.wait_for_url(f"{portal.url}/")
        return page

    yield do
    for context in contexts:
        context.close()
