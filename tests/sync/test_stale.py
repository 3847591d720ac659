"""What was read too long ago is not known any more: in every view, in the API and in the guards alike."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from rollouts.services import tokens
from rollouts.services.refusals import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def stands(world):
    """What pages and the API say of the one rollout."""
    world.up_to("team", "approved")
    client = Client()
    client.force_login(world.people["mia"])
    _, token = tokens.issue(world.people["mia"], name="test", by=world.actor("root"))

    def ask():
        pages = {path: strip_tags(client.get(path).content.decode()) for path in ("/", "/rollouts/haiku/", "/flags/")}
        told = client.get("/api/v1/rollouts/haiku", headers={"Authorization": f"Bearer {token}"})
        return pages, json.loads(told.content)

    return ask


def test_stale_is_stale_everywhere(world, stands, time_machine):
    pages, told = stands()
    as_filter = pages["/"].count("not known")
    assert told["health"] != "stale"
    time_machine.move_to(timezone.now() + timedelta(minutes=10))
    pages, told = stands()
    assert pages["/"].count("not known") > as_filter
    assert "10 min ago" in pages["/rollouts/haiku/"]
    assert told["health"] == "stale"
    with pytest.raises(Refused) as refused:
        world.do("start", "team", "mia")
    assert "reading_stale" in refused.value.codes
    world.sync()
    pages, told = stands()
    assert pages["/"].count("not known") == as_filter
    assert told["health"] != "stale"
    world.do("start", "team", "mia")
