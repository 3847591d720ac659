"""A real Chromium against a live portal, with a simulated GitLab behind it."""

from __future__ import annotations

import pytest
from playwright.sync_api import sync_playwright

from tests.portal.pages import browser

CHROMIUM = "/usr/bin/chromium"
#: Milliseconds until what a page waits for will not come; a busy machine takes some of them.
PATIENCE = 60_000
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
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def portal(transactional_db, live_server, gitlab, settings):
    """The live portal's address and its world."""
    from tests.walk import World

    settings.ALLOWED_HOSTS = ["*"]
    world = World.build(gitlab)
    world.url = live_server.url
    return world


#: How the browser and htmx begin to tell of an answer that was a refusal, or of none.
ANSWERS = ("Failed to load resource", "htmx:sendError", "htmx:responseError", "htmx:afterRequest", "htmx:timeout")


def listen(context) -> list[str]:
    """What goes wrong on the pages of a context: errors of scripts, refusals of the page's policy, parts that are missing.

    A page that is refused (409) or away is no error of the page: tests ask for such.
    """
    wrong: list[str] = []

    def hear(message):
        is_part = message.text.startswith(ANSWERS[0]) and "/static/" in message.location["url"]
        is_answer = message.text.startswith(ANSWERS) and not is_part
        if message.type == "error" and not is_answer:
            wrong.append(message.text)

    context.on("console", hear)
    context.on("weberror", lambda told: wrong.append(f"{told.page.url if told.page else ''} {told.error}"))
    return wrong


@pytest.fixture
def sign_in(chromium, portal):
    """``sign_in("mia")`` gives a page of a signed-in person; each has a browser context of its own.

    The person has signed in before: the browser starts with the cookies that the form gives.
    No test passes in which a page had an error: ``page.wrong`` is looked at in the end.
    """
    contexts, heard = [], []

    def do(name, *, scheme="light", width=1440, scripts=True):
        context = chromium.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        wrong = listen(context)
        heard.append((name, wrong))
        cookies = browser(name, "rollout").cookies.values()
        context.add_cookies([{"name": each.key, "value": each.value, "url": portal.url} for each in cookies])
        page = context.new_page()
        page.wrong = wrong
        page.goto(f"{portal.url}/")
        return page

    yield do
    for context in contexts:
        context.close()
    found = [f"{name}: {line}" for name, wrong in heard for line in wrong]
    assert not found, "\n".join(found)
