"""What was read too long ago is not known any more: in every view, in the API and in the guards alike."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from rollouts.services import tokens
from rollouts.services.refusals import Refused
from tests.walk import FLAG

pytestmark = pytest.mark.django_db
PAGES = (
    "/",
    "/?view=board",
    "/rollouts/haiku/",
    "/flags/",
    "/flags/{flag}/",
    "/models/",
    "/timeline/",
    "/approvals/",
    "/sync/",
)
API = ("/rollouts/haiku", f"/flags/{FLAG}", f"/flags/{FLAG}/includes?actor=User:42", "/sync")
SAID = "gitlab was not read for too long: the portal does not know where its flags and issues stand now."


@pytest.fixture
def stands(world):
    """What pages and the API say of the one rollout."""
    world.up_to("team", "approved")
    client = Client()
    client.force_login(world.people["mia"])
    _, token = tokens.issue(world.people["mia"], name="test", by=world.actor("mia"))

    flag = world.rollout().flag.pk

    def ask():
        pages = {path: strip_tags(client.get(path.format(flag=flag)).content.decode()) for path in PAGES}
        door = {"Authorization": f"Bearer {token}"}
        told = {path: json.loads(client.get(f"/api/v1{path}", headers=door).content) for path in API}
        return pages, told

    return ask


def marks(told):
    """What each part of the API says of being stale."""
    (instance,) = told["/sync"]["instances"]
    of_sync = [instance["flags"], *(project["issues"] for project in instance["projects"])]
    flags = [told[f"/flags/{FLAG}"], told[f"/flags/{FLAG}/includes?actor=User:42"]]
    return {one["is_stale"] for one in [*of_sync, *flags]}


def test_stale_is_stale_everywhere(world, stands, time_machine):
    pages, told = stands()
    as_filter = pages["/"].count("not known")
    assert not [path for path, page in pages.items() if SAID in page]
    assert "and all is read" in pages["/sync/"]
    assert told["/rollouts/haiku"]["health"] != "stale"
    assert marks(told) == {False}
    time_machine.move_to(timezone.now() + timedelta(minutes=10))
    pages, told = stands()
    assert all(SAID in page for page in pages.values())
    assert pages["/"].count("not known") > as_filter
    assert "10 min ago" in pages["/rollouts/haiku/"]
    assert "gitlab was not read for too long." in pages["/sync/"]
    assert "all is read" not in pages["/sync/"]
    assert told["/rollouts/haiku"]["health"] == "stale"
    assert marks(told) == {True}
    with pytest.raises(Refused) as refused:
        world.do("start", "team", "mia")
    assert "reading_stale" in refused.value.codes
    world.sync()
    pages, told = stands()
    assert pages["/"].count("not known") == as_filter
    assert told["/rollouts/haiku"]["health"] != "stale"
    assert marks(told) == {False}
    world.do("start", "team", "mia")
