"""Every page, in both themes, as each role: no finding of axe, nothing cut off, nothing wider than the window, no error
in the console (a refusal of the Content-Security-Policy is one)."""

from __future__ import annotations

import pytest

from rollouts.models import Rollout
from tests.browser.looks import axe, misfits
from tests.browser.pages import admin_pages, portal_pages
from tests.walk import FLAG

pytestmark = pytest.mark.browser
#: Pages whose buttons depend on the role; the others look alike to all.
BY_ROLE = ("/", "/rollouts/haiku/", "/approvals/", "/locks/", "/sync/")


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

    def __init__(self, page, url):
        self.page, self.url, self.found = page, url, []

    def look(self, path, *widths, rules=()):
        """At each width; axe at the first of them. A page that is closed to this person is passed by."""
        self.page.set_viewport_size({"width": widths[0], "height": 900})
        status = self.page.goto(self.url + path).status
        if status == 403:
            return
        if status >= 500:
            self.note(path, widths[0], [f"answers {status}"])
        self.note(path, widths[0], axe(self.page, *rules))
        for width in widths:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.note(path, width, misfits(self.page))

    def note(self, path, width, lines):
        self.found += [f"{path} ({width} px) {line}" for line in lines]

    def is_clean(self):
        in_console = [line for line in self.page.wrong if "404" not in line and "403" not in line]
        assert not self.found + in_console, "\n".join(self.found + in_console)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_the_portal_is_open_to_all_and_fits(walked, sign_in, scheme):
    people, wide = walked.people, (1440, 360, 320, 720, 3840)  # 720: 1440 at 200 % zoom
    walk = Walk(sign_in("root", scheme=scheme), walked.url)
    for path in [*portal_pages(people["root"]), "/api/v1/docs", "/nothing/"]:
        walk.look(path, *(wide if path in BY_ROLE else (1440, 360)))
    walk.is_clean()
    for name in ("mia", "alice", "vic") if scheme == "light" else ("mia",):
        walk = Walk(sign_in(name, scheme=scheme), walked.url)
        for path in BY_ROLE:
            walk.look(path, 360)
        walk.is_clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_the_admin_is_open_to_all_and_fits(walked, sign_in, scheme):
    walk = Walk(sign_in("root", scheme=scheme), walked.url)
    for path in admin_pages():
        walk.look(path, 1440, 360, rules=() if scheme == "light" else ("color-contrast",))
    walk.is_clean()
