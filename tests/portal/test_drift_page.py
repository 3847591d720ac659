"""``/drift/``: all drift cases, filtered, in pages and as a file; on the rollout, over the API and by the command."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from rollouts.models import DriftCase, Waiver
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


def soon(world):
    return f"{world.now() + timedelta(days=5):%Y-%m-%d}"


def test_each_answer_has_its_button_and_tells_what_happened(drifted):
    mia, alice = signed_in(drifted, "mia"), signed_in(drifted, "alice")
    ahead, foreign = (DriftCase.objects.open().get(kind=kind) for kind in ("ahead", "foreign_actor"))
    html = flat(mia.get("/rollouts/haiku/"))
    for case in (ahead, foreign):
        for answer in ("restore", "adopt", "accept"):
            assert f'action="/drift/{case.pk}/{answer}/"' in html
    assert f"/drift/{ahead.pk}/" not in flat(signed_in(drifted, "vic").get("/rollouts/haiku/"))
    answer = mia.post(f"/drift/{foreign.pk}/accept/", {"reason": "a demo", "ends": soon(drifted)})
    waiver = Waiver.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/rollouts/haiku/#waiver-{waiver.pk}")
    assert "drift stands: foreign actor" in flat(alice.get("/approvals/"))
    assert "drift stands: foreign actor" in flat(alice.get("/waivers/?kind=drift"))
    assert alice.post(f"/waivers/{waiver.pk}/grant/").status_code == 303
    assert "accepted until" in flat(mia.get("/rollouts/haiku/"))
    assert mia.post(f"/drift/{ahead.pk}/restore/", {"reason": "back"})["Location"] == "/rollouts/haiku/#set"
    assert "mia restores the flag" in flat(mia.get("/drift/"))


@pytest.mark.parametrize(
    ("who", "answer", "fields", "status", "words"),
    [
        ("vic", "restore", {"reason": "x"}, 403, "takes the role manager"),
        ("mia", "restore", {}, 409, "Restoring needs a reason."),
        ("mia", "accept", {"reason": "x"}, 422, "Say until when"),
        ("mia", "accept", {"reason": "x", "ends": "2020-01-01"}, 422, "that is over"),
        ("mia", "accept", {"reason": "x", "ends": "2099-01-01"}, 422, "for 30 d at most"),
        ("mia", "accept", {"reason": "x", "ends": "tomorrow"}, 422, "is no time that can be asked for"),
        ("mia", "adopt", {"reason": ""}, 409, "A waiver needs a reason."),
        ("mia", "adopt", {"reason": "x"}, 409, "It takes 2 approvals, as the step would"),
        ("mia", "ignore", {"reason": "x"}, 404, ""),
    ],
)
def test_what_makes_no_sense_is_refused_in_words_and_changes_nothing(drifted, who, answer, fields, status, words):
    case = DriftCase.objects.open().get(kind="ahead")
    there = signed_in(drifted, who).post(f"/drift/{case.pk}/{answer}/", fields)
    assert there.status_code == status
    assert words in flat(there)
    assert not Waiver.objects.exists()
    assert DriftCase.objects.get(pk=case.pk).answer == ""


def test_programs_and_commands_answer_alike_and_try_first(drifted):
    programs = {}
    for name in ("mia", "vic"):
        _, token = tokens.issue(drifted.people[name], "drift", drifted.actor(name))
        programs[name] = Client(headers={"Authorization": f"Bearer {token}"})
    case = DriftCase.objects.open().get(kind="foreign_actor")
    here, kind = f"/api/v1/drift/{case.pk}", {"content_type": "application/json"}
    body = {"reason": "a demo"}
    tried = programs["mia"].post(f"{here}/adopt?dry_run=true", body, **kind)
    assert (tried.status_code, tried.json()) == (200, {"dry_run": True, "ok": True, "blockers": []})
    refused = programs["vic"].post(f"{here}/restore?dry_run=true", body, **kind).json()
    assert [one["code"] for one in refused["blockers"]] == ["role"]
    assert programs["vic"].post(f"{here}/restore", body, **kind).status_code == 403
    assert programs["mia"].post(f"{here}/accept", body, **kind).status_code == 422
    assert programs["mia"].post(f"{here}/ignore", body, **kind).status_code == 404
    assert not Waiver.objects.exists()
    made = programs["mia"].post(f"{here}/adopt", body, **kind)
    assert (made.status_code, made.json()["waiver"]["adopts"]) == (201, True)
    assert made.json()["waiver"]["drift_case"] == case.pk
    out = io.StringIO()
    ahead = str(DriftCase.objects.open().get(kind="ahead").pk)
    call_command("drift", "restore", ahead, "--reason", "back", "--as", "mia", "--dry-run", stdout=out)
    assert out.getvalue() == "It would pass. Nothing is changed.\n"
    with pytest.raises(SystemExit) as wrong:
        call_command("drift", "restore", ahead, "--as", "mia")
    assert wrong.value.code == 1
    out = io.StringIO()
    call_command(
        "drift", "accept", ahead, "--reason", "x", "--until", soon(drifted), "--as", "mia", "--json", stdout=out
    )
    assert json.loads(out.getvalue())["waiver"]["state"] == "asked"
    with pytest.raises(CommandError) as unknown:
        call_command("drift", "restore", "999999", "--reason", "x", "--as", "mia")
    assert unknown.value.returncode == 2
