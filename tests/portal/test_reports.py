"""Reports for auditors: who asked, who approved, what was live when, what was passed; as page and as JSON."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from rollouts.services import locks, tokens
from tests.api.scripts import Script
from tests.markup import flat
from tests.walk import FLAG, SECRET_TITLE, World

FRIDAY = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _it_began_on_friday(time_machine):
    time_machine.move_to(FRIDAY, tick=True)


@pytest.fixture
def told(_it_began_on_friday, world, time_machine):
    """Two phases; a drift of an hour; an override; a lock; one phase rolled back."""
    world.up_to("company", "active")
    now = World.now().replace(tzinfo=None)
    freeze = {"title": "Freeze", "kind": "once", "zone": "UTC", "starts": now, "ends": now + timedelta(hours=2)}
    locks.add(freeze, by=world.actor("mia"))
    world.gitlab.state.set_feature(FLAG, "60", key="percentage_of_actors")
    world.sync()
    time_machine.move_to(FRIDAY + timedelta(hours=1), tick=True)
    world.gitlab.state.set_feature(FLAG, "0", key="percentage_of_actors")
    world.sync()
    world.do("roll_back", "company", "mia", reason="too slow")
    world.do("retry", "company", "mia")
    world.confirm("company")
    world.do("request", "company", "mia")
    world.approve("company")
    world.do("start", "company", "root", override=True, reason="a fix for all", confirm="haiku")
    return world


def look(world, path, name="vic"):
    client = Client()
    client.force_login(world.people[name])
    return client.get(path)


def words(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode().partition("<main")[2]).split())


def script(world, name="vic"):
    return Script(tokens.issue(world.people[name], "x", world.actor(name))[1])


def test_the_report_of_a_rollout_tells_it_all(told):
    answer = script(told).get("/rollouts/haiku/report")
    assert answer.status_code == 200, answer.content
    report = answer.json()
    first = report["requests"][0]
    assert (first["requested_by"], first["approvals"][0]["by"]) == ("mia", "alice")
    assert first["approvals"][0]["for_this"]
    assert any("Rollout" in one or "Flag" in one for one in first["saw"])
    assert [(one["verb"], one["by"]) for one in report["moves"]] == [
        ("start", "mia"),
        ("complete", "mia"),
        ("start", "mia"),
        ("roll_back", "mia"),
        ("start", "root"),
    ]
    assert report["moves"][0]["for_whom"] == "2 named actors"
    (override,) = report["overrides"]
    assert (override["by"], override["reason"], override["reviewed_by"]) == ("root", "a fix for all", "")
    assert override["passed"]
    assert [one["title"] for one in report["locks"]] == ["Freeze"]
    hour = [one for one in report["drift"] if 3_000 < one["seconds"] < 4_000]
    assert len(hour) == 1
    assert "60 %" in hour[0]["gitlab"]
    assert {one["confirmed_by"] for one in report["evidence"]} == {"mia"}
    assert report["readings_all"] == len(report["readings"]) >= 4


def test_the_page_says_the_same_and_nothing_confidential(told):
    page = look(told, "/rollouts/haiku/report/")
    assert page.status_code == 200
    said = words(page)
    assert "started Owning team" in said
    for part in ("approved by alice", "a fix for all", "Freeze", "too slow", "not reviewed yet", "2 named actors"):
        assert part in said, part
    for name in ("vic", "root"):
        assert SECRET_TITLE not in look(told, "/rollouts/haiku/report/", name).content.decode()
    assert SECRET_TITLE not in json.dumps(script(told).get("/rollouts/haiku/report").json())


def test_what_they_saw_is_told_once_and_then_what_was_new(told):
    first, *others = script(told).get("/rollouts/haiku/report").json()["requests"]
    assert others
    assert not any("was nothing" in one or one.split(": ")[-1] == "nothing" for one in first["saw"])
    assert "What, “phase”: Owning team" in first["saw"]
    page = words(look(told, "/rollouts/haiku/report/"))
    requests = page.partition("What was let in when")[0].split("What they saw ")[1:]
    assert "AI model, “provider”: " in requests[0]
    assert "As for the request before, but for: " in requests[1]
    new = requests[1].partition("All of it")[0]
    assert "What, “phase”: was Owning team, is Whole company." in new
    assert "AI model" not in new  # it is as it was


def test_reports_are_found_from_the_history_and_the_portfolio(told):
    for path in ("/audit/", "/"):
        assert 'href="/reports/"' in look(told, path).content.decode()
    for path, room in (("/reports/", "/audit/"), ("/rollouts/haiku/report/", "/"), ("/audit/proof/", "/audit/")):
        bar = flat(look(told, path)).partition("</nav>")[0]
        assert f'<a href="{room}" aria-current="page">' in bar, path


def test_a_time_over_all_rollouts_is_told_in_numbers_with_their_rows(told):
    report = script(told).get("/reports", {"from": "2026-11-20", "to": "2026-11-20"}).json()
    figures = {one["name"]: one for one in report["figures"]}
    assert [figures[name]["count"] for name in ("made", "begun", "completed")] == [1, 1, 0]
    assert (figures["rolled_back"]["count"], figures["overrides"]["count"], figures["four_eyes"]["count"]) == (1, 1, 0)
    assert figures["phase-1"]["median_seconds"] is not None
    assert figures["rolled_back"]["rows"][0]["rollout"] == "haiku"
    before = script(told).get("/reports", {"from": "2026-10-01", "to": "2026-10-31"}).json()
    assert {one["count"] for one in before["figures"]} == {0}


def test_each_number_of_the_page_leads_to_its_rows(told):
    page = look(told, "/reports/?from=2026-11-20&to=2026-11-20").content.decode()
    for anchor in re.findall(r'href="#([\w-]+)"', page.partition("<main")[2]):
        assert f'id="{anchor}"' in page
    assert 'href="#overrides"' in page
    assert 'href="/rollouts/haiku/report/"' in page


@pytest.mark.parametrize(
    "query", ["from=x&to=2026-11-20", "from=2026-11-20&to=2026-11-19", "from=%F0&to=1", "to=9999-01-01"]
)
def test_a_time_that_is_none_is_refused(told, query):
    assert look(told, f"/reports/?{query}").status_code == 422
    assert script(told).get(f"/reports?{query}").status_code == 422


def test_there_is_no_report_of_what_there_is_not(world):
    assert look(world, "/rollouts/none/report/").status_code == 404
    assert script(world).get("/rollouts/none/report").status_code == 404
    assert Client().get("/reports/").status_code == 302
