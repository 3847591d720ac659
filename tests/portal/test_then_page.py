"""The page of a rollout as it was: what it would have said, with nothing to press, and what has changed since."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.test import Client

from rollouts.models import AuditEvent
from rollouts.services import tokens
from tests.api.scripts import Script
from tests.walk import FLAG, SECRET_TITLE, World

FRIDAY = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _it_began_on_friday(time_machine):
    time_machine.move_to(FRIDAY - timedelta(hours=5), tick=True)


@pytest.fixture
def friday(_it_began_on_friday, world, time_machine):
    """Asked for on Friday morning, approved on Friday, started on Monday."""
    world.up_to("team", "requested")
    time_machine.move_to(FRIDAY, tick=True)
    world.do("approve", "team", "alice")
    time_machine.move_to(FRIDAY + timedelta(days=3), tick=True)
    world.sync()
    world.do("start", "team", "mia")
    world.obey()
    return world


def look(world, query="", name="root"):
    client = Client()
    client.force_login(world.people[name])
    return client.get(f"/rollouts/haiku/then/{query}")


def words(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode().partition("<main")[2]).split())


def test_what_had_to_be_done_then_is_not_offered_now(friday, time_machine):
    friday.gitlab.state.set_feature(FLAG, "60", key="percentage_of_actors")
    friday.sync()
    drifted = f"{friday.now():%Y-%m-%dT%H:%M:%S.%fZ}"
    client = Client()
    client.force_login(friday.people["mia"])
    now = client.get("/rollouts/haiku/").content.decode()
    assert 'id="set"' in now
    time_machine.move_to(FRIDAY + timedelta(days=4), tick=True)
    then = look(friday, f"?at={drifted}", "mia").content.decode()
    assert "What was next then:</b>" in then
    assert 'id="set"' not in then
    assert 'href="#set"' not in then
    assert 'class="command' not in then
    assert 'class="command' in now
    assert "GitLab read" not in then.partition("</header>")[0]  # it is of now, and the page is not


def test_the_page_says_what_it_said_then_and_nothing_can_be_pressed(friday):
    page = look(friday, "?at=2026-11-20T14:01")
    told = words(page)
    assert page.status_code == 200
    assert "As it was on Fri 20 Nov 2026, 14:01 UTC" in told
    assert "approved by alice" in told
    assert "Could approve alice, root, sam" in told
    assert " s ago" in told, "ages are of then: of an approval a minute before"
    assert " d ago" not in told
    main = page.content.decode().partition("<main")[2].partition("<footer")[0]
    assert 'method="post"' not in main
    assert "/phases/" not in main
    assert "waiting for GitLab" not in told
    assert "Live-Version" not in page.headers


def test_an_earlier_moment_of_the_same_day_says_less(friday):
    told = words(look(friday, "?at=2026-11-20T13:59"))
    assert "asked for by mia" in told
    assert "0 of 1 approval" in told


def test_the_slider_counts_the_rollouts_events(friday):
    events = AuditEvent.objects.of_rollout("haiku").order_by("at", "pk")
    approved = [event.verb for event in events].index("phase.approve") + 1
    assert "approved by alice" in words(look(friday, f"?event={approved}"))
    assert "approved by alice" not in words(look(friday, f"?event={approved - 1}"))
    page = look(friday, f"?event={approved}").content.decode()
    assert f'max="{events.count()}"' in page
    assert f'href="?event={approved + 1}"' in page


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("?at=nonsense", "no time that can be asked for"),
        ("?at=2026-11-01", "before the history of haiku begins"),
        ("?at=2027-01-01", "yet to come"),
        ("?event=0", "none of them"),
        ("?event=99999", "none of them"),
        ("?event=-1", "none of them"),
        ("?event=%F0%9F%98%80", "none of them"),
        ("?since=2026-12-01", "before the other one"),
        ("?at=" + "9" * 5000, "no time that can be asked for"),
    ],
)
def test_a_moment_that_nobody_can_tell_of_is_refused_with_the_page_of_now(friday, query, why):
    page = look(friday, query)
    assert page.status_code == 422
    assert why in words(page)
    assert "As it is now" in words(page)


def test_what_has_changed_since_friday_is_a_table(friday):
    told = words(look(friday, "?since=2026-11-20T13:59"))
    assert "What changed since Fri 20 Nov 2026, 13:59 UTC" in told
    assert "State draft underway" in told
    assert "Owning team requested active" in told


def test_the_plan_of_then_is_a_document(friday):
    friday_plan = look(friday, f"?at={quote((FRIDAY + timedelta(minutes=1)).isoformat())}&format=yaml")
    assert friday_plan.status_code == 200
    assert b"rollout: haiku" in friday_plan.getvalue()


def test_what_is_confidential_is_told_by_role_in_the_past_too(friday):
    friday.gitlab.state.set_issue("acme/app", 11, title=f"{SECRET_TITLE}, still")
    friday.sync()
    for name, sees in (("vic", False), ("alice", True), ("root", True)):
        page = look(friday, "?since=2026-11-20T13:00", name)
        assert (SECRET_TITLE in page.content.decode()) is sees, name


def test_the_page_of_now_shows_the_way_and_says_the_same(friday):
    client = Client()
    client.force_login(friday.people["vic"])
    assert "/rollouts/haiku/then/" in client.get("/rollouts/haiku/").content.decode()
    assert look(friday).status_code == 200
    assert World.now().date().isoformat() == "2026-11-23"
    assert Client().get("/rollouts/haiku/then/").status_code == 302
    assert client.get("/rollouts/none/then/").status_code == 404


def test_the_portfolio_as_it_was_tells_each_rollout_that_was_there(friday):
    friday.apply(slug="second", title="Second", flag="another")
    client = Client()
    client.force_login(friday.people["vic"])
    page = client.get("/then/?at=2026-11-20T14:01")
    told = words(page)
    assert "As it was on Fri 20 Nov 2026, 14:01 UTC 1 rollout" in told
    assert "Claude Haiku draft Owning team" in told
    assert "Second" not in told
    assert "2 rollouts" in words(client.get("/then/"))
    assert "/rollouts/haiku/then/?at=2026-11-20T14%3A01%3A00%2B00%3A00" in page.content.decode()
    for query, why in (
        ("?at=2026-11-01", "The history begins"),
        ("?at=2030-01-01", "yet to come"),
        ("?at=x", "no time"),
    ):
        refused = client.get(f"/then/{query}")
        assert refused.status_code == 422
        assert why in words(refused)


def test_the_api_pages_through_the_portfolio_of_then(friday):
    friday.apply(slug="second", title="Second", flag="another")
    script = Script(tokens.issue(friday.people["vic"], "x", friday.actor("vic"))[1])
    then = script.get("/rollouts", {"as_of": "2026-11-20T14:01Z"}).json()
    assert [(one["slug"], one["phases"][0]["state"]) for one in then["items"]] == [("haiku", "approved")]
    now = World.now().isoformat()
    assert [one["slug"] for one in script.every("/rollouts", as_of=now, limit=1)] == ["haiku", "second"]
    for wrong in ({"as_of": "2026-11-20T14:01"}, {"as_of": "2026-01-01T00:00Z"}, {"as_of": now, "cursor": "x"},
                  {"as_of": now, "state": "open"}):  # fmt: skip
        assert script.get("/rollouts", wrong).status_code == 422, wrong
