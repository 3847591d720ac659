"""``/waivers/``: all of them, filtered, in pages and as a file; asked for and decided by forms and over the API."""

from __future__ import annotations

import csv
from datetime import timedelta

import pytest
from django.test import Client

from rollouts.models import Waiver
from rollouts.portal.views import waivers as view
from rollouts.services import tokens
from tests.markup import flat
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db


def ask(client, **fields):
    form = {"what": "team/", "reason": "small change", "ends": "2099-01-01", **fields}
    return client.post("/rollouts/haiku/waivers/", form)


def soon(world):
    return f"{world.now() + timedelta(days=20):%Y-%m-%d}"


def test_it_is_asked_for_on_the_rollout_and_granted_by_another(world):
    world.apply()
    mia, alice = signed_in(world, "mia"), signed_in(world, "alice")
    assert "Skip Owning team" in flat(mia.get("/rollouts/haiku/"))
    assert "Ask for a waiver" not in flat(signed_in(world, "vic").get("/rollouts/haiku/"))
    answer = ask(mia, ends=soon(world))
    waiver = Waiver.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/rollouts/haiku/#waiver-{waiver.pk}")
    assert "mia asked for it: somebody else must decide." in flat(mia.get("/waivers/"))
    assert "Waivers that somebody asks for" in flat(alice.get("/approvals/"))
    assert mia.post(f"/waivers/{waiver.pk}/grant/").status_code == 409
    assert alice.post(f"/waivers/{waiver.pk}/grant/").status_code == 303
    assert "granted" in flat(mia.get("/rollouts/haiku/"))
    assert mia.post("/rollouts/haiku/phases/team/skip/", {"reason": "as said"}).status_code == 303


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"ends": "2099-01-01"}, 422, "for 90 d at most"),
        ({"ends": "2020-01-01"}, 422, "that is over"),
        ({"ends": "tomorrow"}, 422, "is no time that can be asked for"),
        ({"ends": ""}, 422, "Say until when"),
        ({"reason": ""}, 409, "A waiver needs a reason."),
        ({"what": "company/"}, 409, "be waived: the template says so"),
        ({"what": "nowhere/"}, 404, ""),
        ({"what": "team/nothing"}, 404, ""),
        ({"what": ""}, 404, ""),
    ],
)
def test_what_makes_no_sense_is_refused_in_words_and_changes_nothing(world, fields, status, words):
    world.apply()
    answer = ask(signed_in(world, "mia"), **{"ends": soon(world), **fields})
    assert answer.status_code == status
    assert words in flat(answer)
    assert not Waiver.objects.exists()


def test_the_list_is_filtered_paged_and_a_file_of_the_same(world, monkeypatch):
    world.apply()
    world.skip("team")
    world.waive("", "considerations", granted=False)
    vic = signed_in(world, "vic")

    def shown(query=""):
        return [str(row.waiver) for row in vic.get(f"/waivers/{query}").context["rows"]]

    item, skipped = "The considerations for adding a model were reviewed", "Owning team is skipped"
    assert shown() == [item, skipped]
    for query in ("?state=stands", "?state=granted", "?kind=phase", "?who=alice", "?q=owning"):
        assert shown(query) == [skipped], query
    assert shown("?state=asked") == [item]
    assert shown("?rollout=haiku&kind=item") == [item]
    wrong = vic.get("/waivers/?state=odd&rollout=none")
    assert (wrong.status_code, list(wrong.context["rows"])) == (422, [])
    rows = list(csv.DictReader(b"".join(vic.get("/waivers.csv?kind=phase")).decode().splitlines()))
    assert [(row["phase"], row["asked_by"], row["decided_by"]) for row in rows] == [("team", "mia", "alice")]
    assert vic.get("/waivers.csv?state=odd").status_code == 422
    monkeypatch.setattr(view, "PAGE", 1)
    page = vic.get("/waivers/")
    assert [str(row.waiver) for row in page.context["rows"]] == [item]
    assert shown(f"?after={page.context['page'].next}") == [skipped]


def test_the_number_of_queries_does_not_grow_with_the_rows(world, django_assert_max_num_queries):
    world.apply()
    world.sync()
    client = signed_in(world, "alice")
    world.skip("team")
    for item in ("considerations",):
        world.waive("", item, granted=False)
    client.get("/waivers/")
    with django_assert_max_num_queries(16):
        client.get("/waivers/")


def test_a_program_asks_tries_and_decides_alike(world):
    world.apply()
    programs = {}
    for name in ("mia", "alice", "vic"):
        _, token = tokens.issue(world.people[name], "waivers", world.actor(name))
        programs[name] = Client(headers={"Authorization": f"Bearer {token}"})
    here = "/api/v1/rollouts/haiku/waivers"
    body = {"phase": "team", "reason": "small", "ends": soon(world)}
    kind = {"content_type": "application/json"}
    tried = programs["mia"].post(f"{here}?dry_run=true", body, **kind)
    assert (tried.status_code, tried.json()) == (200, {"dry_run": True, "ok": True, "blockers": []})
    tried = programs["vic"].post(f"{here}?dry_run=true", body, **kind).json()
    assert [one["code"] for one in tried["blockers"]] == ["role"]
    assert programs["vic"].post(here, body, **kind).status_code == 403
    made = programs["mia"].post(here, body, **kind)
    assert (made.status_code, made.json()["state"]) == (201, "asked")
    number = made.json()["id"]
    assert [one["code"] for one in made.json()["may"]["grant"]] == ["role", "four_eyes"]
    assert programs["mia"].post(f"/api/v1/waivers/{number}/grant", {}, **kind).status_code == 409
    assert programs["alice"].post(f"/api/v1/waivers/{number}/grant?dry_run=true", {}, **kind).json()["ok"]
    assert Waiver.objects.get().state == "asked"
    assert programs["alice"].post(f"/api/v1/waivers/{number}/refuse", {}, **kind).status_code == 409
    granted = programs["alice"].post(f"/api/v1/waivers/{number}/grant", {"note": "until then"}, **kind).json()
    assert (granted["stands"], granted["decided_by"], granted["note"]) == (True, "alice", "until then")
    assert programs["alice"].post(f"/api/v1/waivers/{number}/extend", {}, **kind).status_code == 404
    assert programs["alice"].post("/api/v1/waivers/999999/grant", {}, **kind).status_code == 404
    listed = programs["vic"].get("/api/v1/waivers?state=stands").json()
    assert [one["id"] for one in listed["items"]] == [number]
    assert programs["vic"].get("/api/v1/waivers?state=odd").status_code == 422
    items = programs["vic"].get("/api/v1/rollouts/haiku/items").json()["items"]
    assert {one["waived"] for one in items} == {""}
