"""AI models and flags in a browser: who is in, a list as a file, and axe on each page in both themes, wide and narrow."""

from __future__ import annotations

from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe

from rollouts.rules.definitions import FlagDefinition
from rollouts.services import imports
from tests.walk import FLAG

pytestmark = pytest.mark.browser


def test_models_and_flags_are_for_everybody(portal, sign_in):
    portal.up_to("everyone", "active")
    long = FlagDefinition("a" * 200, "beta", True, "group::ai coding", "17.1", "Wörter 🚀 " * 50)
    imports.import_flags([long], by=portal.actor("root"))
    rollout = portal.rollout()
    flag, model = f"/flags/{rollout.flag.pk}/", f"/models/{rollout.ai_model.slug}/"

    plain = sign_in("vic", scripts=False)
    plain.goto(f"{portal.url}/flags/?q={FLAG}")
    plain.get_by_role("link", name=FLAG).click()
    plain.fill("#actor", "ann")
    plain.click("#who form[method=get] button")
    assert "is named as an actor, whatever the percentage" in plain.inner_text("#who")
    plain.get_by_text("Ask for a list").click()
    plain.fill("#actors", "1\n2\nnobody")
    with plain.expect_download() as download:
        plain.get_by_role("button", name="Download as CSV").click()
    assert download.value.path().read_text().count("\n") == 4

    for scheme, width in product(("light", "dark"), (360, 1440)):
        page = sign_in("mia", scheme=scheme, width=width)
        for path in ("/models/", model, "/flags/", flag + "?actor=42"):
            page.goto(portal.url + path)
            for summary in page.locator("main summary").all():
                summary.click()
            if path.startswith(flag):
                page.fill("#actors", "1\n2\nnobody")
                with page.expect_navigation():
                    page.locator("#who form[method=post] button").first.click()
            found = Axe().run(page)
            assert found.violations_count == 0, (path, scheme, width, found.generate_report())
            sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert sideways == 0, (path, scheme, width)
        assert page.wrong == []
