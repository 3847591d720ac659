"""``/drift/``: all drift cases, filtered, in pages and as a file; on the rollout, over the API and by the command."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from rollouts.models import DriftCase
from rollouts.portal.views import drift as view
from rollouts.services import tokens
from tests.markup import flat
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db


def set_to(world, value, **target):
    world.gitlab.state.set_feature("use_haiku", value, **target)
    world.sync()


@pytest.fixture
def drifted(world):
    """One case that ended, and two that are open."""
    world.up_to("everyone", "active")
    set_to(world, "50", key="percentage_of_actors")
    set_to(world, "1", key="percentage_of_actors")
    world.gitlab.state.set_feature("use_haiku", "50", key="percentage_of_actors")
    set_to(world, "true", project="acme/app")
    return world


def test_the_list_is_filtered_paged_and_a_file_of_the_same(drifted, monkeypatch):
    vic = signed_in(drifted, "vic")

    def shown(query=""):
        return sorted((row.case.kind, row.case.state) for row in vic.get(f"/drift/{query}").context["rows"])

    ended, ahead, foreign = ("ahead", "ended"), ("ahead", "open"), ("foreign_actor", "open")
    assert shown() == [ended, ahead, foreign]
    for query in ("?state=open", "?state=open&owner=mia&rollout=haiku&q=use_haiku"):
        assert shown(query) == [ahead, foreign], query
    assert shown("?kind=ahead") == [ended, ahead]
    assert shown("?owner=nobody") == shown("?q=sonnet") == []
    wrong = vic.get("/drift/?state=odd&kind=strange&rollout=none")
    assert (wrong.status_code, list(wrong.context["rows"])) == (422, [])
    rows = list(csv.DictReader(b"".join(vic.get("/drift.csv?kind=foreign_actor")).decode().splitlines()))
    assert [(row["class"], row["owner"], row["state"]) for row in rows] == [("foreign_actor", "mia", "open")]
    assert rows[0]["what"].startswith("Project:")
    assert vic.get("/drift.csv?state=odd").status_code == 422
    monkeypatch.setattr(view, "PAGE", 2)
    page = vic.get("/drift/")
    assert {row.case.state for row in page.context["rows"]} == {"open"}
    assert shown(f"?after={page.context['page'].next}") == [ended]
    html = flat(vic.get("/rollouts/haiku/"))
    assert "foreign actor" in html
    assert "ended: by itself" in html


def test_the_number_of_queries_does_not_grow_with_the_rows(drifted, django_assert_max_num_queries):
    client = signed_in(drifted, "vic")
    client.get("/drift/")
    with django_assert_max_num_queries(12):
        client.get("/drift/")


def test_a_program_and_a_command_tell_the_same(drifted):
    _, token = tokens.issue(drifted.people["vic"], "drift", drifted.actor("vic"))
    program = Client(headers={"Authorization": f"Bearer {token}"})
    listed = program.get("/api/v1/drift?state=open").json()["items"]
    assert [(one["kind"], one["owner"], one["ended_at"]) for one in listed] == [
        (case.kind, "mia", None) for case in DriftCase.objects.open()
    ]
    assert program.get(f"/api/v1/drift/{listed[0]['id']}").json()["kind"] == listed[0]["kind"]
    assert program.get("/api/v1/drift/999999").status_code == 404
    assert program.get("/api/v1/drift?kind=odd").status_code == 422
    out = io.StringIO()
    call_command("drift", "list", "--state", "open", "--json", stdout=out)
    assert [one["id"] for one in json.loads(out.getvalue())["items"]] == [one["id"] for one in listed]
    out = io.StringIO()
    call_command("drift", "list", "--kind", "foreign_actor", stdout=out)
    assert "haiku (mia): foreign actor, open since" in out.getvalue()
    with pytest.raises(CommandError, match="odd"):
        call_command("drift", "list", "--state", "odd")
