"""Pages at the edges of what they must show: nothing yet, one, very many, very long, every sign, right-to-left."""

from __future__ import annotations

import pytest

from tests import edges
from tests.browser.looks import axe, misfits
from tests.browser.pages import portal_pages

pytestmark = pytest.mark.browser


def test_long_names_signs_many_items_and_steps_fit_everywhere(portal, sign_in):
    slugs = edges.build(portal)
    edges.long_model()
    portal.sync()
    portal.plan["slug"] = "unbroken"
    portal.do("request", "team", "mia")
    mia = sign_in("mia")
    paths = dict.fromkeys(path for slug in slugs for path in portal_pages(portal.people["mia"], slug))
    found = []
    for path in [*paths, "/models/long-model/"]:
        mia.goto(portal.url + path)
        for width in (1440, 360):
            mia.set_viewport_size({"width": width, "height": 900})
            found += [f"{path} ({width} px) {line}" for line in misfits(mia)]
    mia.goto(f"{portal.url}/rollouts/many/")
    found += axe(mia)
    assert mia.get_by_text("Check 59:").count()
    assert not found, "\n".join(found)
    assert not mia.wrong


def test_five_hundred_rollouts_and_none(portal, sign_in):
    mia = sign_in("mia")
    assert "No rollouts yet" in mia.inner_text("main")
    assert not misfits(mia) + axe(mia)
    edges.build(portal)
    edges.multiply(portal, 500)
    mia.goto(portal.url)
    assert "Copy" in mia.inner_text("main")
    for path in ("/", "/?q=Copy", "/flags/", "/models/", "/timeline/"):
        mia.goto(portal.url + path)
        for width in (1440, 360):
            mia.set_viewport_size({"width": width, "height": 900})
            assert not misfits(mia), path
    assert not [line for line in mia.wrong if "404" not in line]
