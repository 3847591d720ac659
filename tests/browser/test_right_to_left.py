"""Pages in a language that is read from right to left: mirrored by logical properties, nothing runs out of the page."""

import pytest

pytestmark = pytest.mark.browser

PAGES = ("/", "/rollouts/haiku/", "/flags/", "/models/", "/approvals/", "/locks/")


@pytest.fixture
def hebrew(portal, sign_in, settings):
    """A page of a reader whose language is Hebrew; no such catalogue is needed to see where things stand."""
    settings.LANGUAGES = [*settings.LANGUAGES, ("he", "Hebrew")]
    portal.up_to("everyone", "active")

    def read(width):
        page = sign_in("mia", width=width)
        page.context.add_cookies([{"name": "language", "value": "he", "url": portal.url}])
        return page

    return read


@pytest.mark.parametrize("width", [1440, 360])
def test_pages_are_mirrored_and_fit(hebrew, portal, width):
    page = hebrew(width)
    for address in PAGES:
        page.goto(f"{portal.url}{address}")
        assert page.locator("html").get_attribute("dir") == "rtl"
        sizes = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert sizes[0] <= sizes[1], f"{address} runs out of the page at {width}: {sizes}"
    if width == 1440:
        brand = page.locator("header.bar b").bounding_box()
        out = page.locator("header.bar .end").bounding_box()
        assert brand["x"] > out["x"], "what comes first stands at the right"
        page.goto(f"{portal.url}/rollouts/haiku/")
        drawn = page.locator("svg:not(.legend svg)").evaluate_all(
            "all => all.map(one => getComputedStyle(one).direction)"
        )
        assert set(drawn) <= {"ltr"}, "pictures keep time from left to right, as they are drawn"
    assert page.wrong == []
