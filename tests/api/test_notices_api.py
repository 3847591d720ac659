"""The bell for programs: the same notices as the page's, at the same buttons, each person their own."""

from __future__ import annotations

import pytest

from rollouts.tasks import tell_people
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db


def test_it_tells_what_the_page_tells_and_nobody_elses(world, script, settings):
    settings.PORTAL_URL = "https://rollouts.example.com"
    world.apply()
    world.do("request", "team", "mia")
    tell_people()
    told = script("alice").get("/notifications").json()
    [one] = told["items"]
    assert one.items() >= {
        "kind": "asked", "verb": "phase.request", "by": "mia", "rollout": "haiku", "phase": "team",
        "to_do": "Approve or reject it.", "read_at": None,
    }.items()  # fmt: skip
    assert one["until"]
    rows = signed_in(world, "alice").get("/notifications/").context["rows"]
    assert [one["url"]] == [settings.PORTAL_URL + row.url for row in rows]
    assert one["url"].startswith("https://rollouts.example.com/approvals/#request-")
    assert (told["next"], script("mia").get("/notifications").json()["items"]) == (None, [])
    world.do("withdraw", "team", "mia", reason="not yet")
    tell_people()
    assert script("alice").get("/notifications").json()["items"] == []


def test_a_cursor_of_another_list_and_names_that_are_nobodys_are_refused(world, script):
    for address in ("/notifications?cursor=x", "/notifications?unread=1", "/notifications?limit=0"):
        assert script("vic").get(address).status_code == 422, address
