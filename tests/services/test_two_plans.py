"""Two people change one plan: nobody's change is taken back without a word."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from rollouts.audit.recording import recorded
from rollouts.models import AIModel
from rollouts.rules.plan_merge import merge
from rollouts.services import plan_versions, plans, tokens
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.services.refusing import refused

BASE = "title: A\nowners:\n- mia\npeak: 1\n"
LINES = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8).map(lambda lines: "".join(f"{x}\n" for x in lines))


def test_what_each_changed_is_in_both_merged():
    merged = merge(BASE, BASE.replace("title: A", "title: B"), BASE.replace("peak: 1", "peak: 2"))
    assert (merged.text, merged.conflicts) == ("title: B\nowners:\n- mia\npeak: 2\n", ())


def test_where_both_changed_the_same_mine_stands_and_is_told():
    merged = merge(BASE, BASE.replace("title: A", "title: B"), BASE.replace("title: A", "title: C"))
    (conflict,) = merged.conflicts
    assert (conflict.base, conflict.mine, conflict.theirs) == (("title: A",), ("title: B",), ("title: C",))
    assert merged.text.startswith("title: B\n")


@given(LINES, LINES)
def test_who_changed_nothing_takes_over_what_the_other_did(base, other):
    for mine, theirs in ((base, other), (other, base), (other, other)):
        merged = merge(base, mine, theirs)
        assert (merged.text.strip("\n"), merged.conflicts) == (other.strip("\n"), ())


def stands(world):
    return world.rollout().title, world.rollout().peak_requests_per_minute


@pytest.mark.django_db
def test_the_page_shows_three_versions_and_merges_them(world):
    world.apply()
    mia, root = signed_in(world, "mia"), signed_in(world, "root")
    begun = mia.get("/rollouts/haiku/plan/").context
    form = {"base": begun["base"], "expect": begun["expect"]}
    changed = begun["text"].replace("Claude Haiku", "Claude Haiku 4")
    assert root.post("/rollouts/haiku/plan/", {**form, "document": changed}).status_code == 303
    mine = begun["text"].replace("42000", "41000")
    answer = mia.post("/rollouts/haiku/plan/", {**form, "document": mine})
    assert answer.status_code == 412
    assert "Two plans at once" in flat(answer)
    assert stands(world) == ("Claude Haiku 4", 42_000)
    again = {name: answer.context[name] for name in ("base", "expect")}
    assert mia.post("/rollouts/haiku/plan/", {**again, "document": answer.context["text"]}).status_code == 303
    assert stands(world) == ("Claude Haiku 4", 41_000)


@pytest.mark.django_db
def test_a_program_and_a_command_say_which_plan_they_looked_at(world, capsys, tmp_path):
    world.apply()
    _, token = tokens.issue(world.people["mia"], "plans", world.actor("mia"))
    program = Client(headers={"Authorization": f"Bearer {token}"})
    read = program.get("/api/v1/rollouts/haiku/plan")
    document, tag = read.json()["document"], read["ETag"]
    assert tag == f'"{read.json()["digest"]}"'
    here, kind = "/api/v1/rollouts/haiku/plan", {"content_type": "application/yaml"}
    one = document.replace("Claude Haiku", "One")
    assert program.put(here, one, headers={"If-Match": tag}, **kind).status_code == 200
    late = program.put(here, document, headers={"If-Match": tag}, **kind)
    assert (late.status_code, late.json()["blockers"][0]["code"]) == (412, "plan_changed")
    assert program.put(here, document, headers={"If-Match": f"{tag}, {tag}"}, **kind).status_code == 400
    assert world.rollout().title == "One"
    call_command("plan", "export", "haiku", "--digest")
    digest = capsys.readouterr().out.strip()
    file = tmp_path / "plan.yaml"
    file.write_text(one.replace("title: One", "title: Two"))
    for expect, title in ((tag.strip('"'), "One"), (digest, "Two")):
        try:
            call_command("plan", "apply", str(file), "--as", "mia", "--expect", expect)
        except SystemExit as wrong:
            assert (wrong.code, title) == (1, "One")
        assert world.rollout().title == title


@pytest.mark.django_db
def test_a_plan_that_is_expected_and_is_not_there_is_not_made(world):
    wrong = refused(plans.apply, world.document(), by=world.actor("mia"), source="x", expect="0" * 64)
    assert wrong.codes == {"plan_changed"}


def versions_at_each_door(world, capsys):
    """What page, API and command tell of the plan's versions: digests, who, and who approved, the newest first."""
    _, token = tokens.issue(world.people["mia"], "plans", world.actor("mia"))
    page = signed_in(world, "mia").get("/rollouts/haiku/plan/").context["versions"].as_json()
    program = Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/rollouts/haiku/plan/versions").json()
    call_command("plan", "versions", "haiku", "--json")
    command = json.loads(capsys.readouterr().out)
    assert program == command == {"slug": "haiku", **page}
    return page["versions"]


@pytest.mark.django_db
def test_the_versions_of_a_plan_tell_who_made_them_and_who_approved_which(world, capsys):
    world.up_to("team", "active")
    first = plans.export(world.rollout())
    plans.apply(first.replace("Claude Haiku", "Claude Haiku 4"), by=world.actor("root"), source="x")
    plans.apply(first.replace("42000", "41000"), by=world.actor("mia"), source="x")
    plans.apply(first.replace("42000", "41000"), by=world.actor("mia"), source="x")  # again: no version
    world.do("pause", "team", "mia", reason="no change of the plan")
    newest, second, oldest = versions_at_each_door(world, capsys)
    assert [one["by"] for one in (oldest, second, newest)] == ["mia", "root", "mia"]
    assert [one["is_first"] for one in (oldest, second, newest)] == [True, False, False]
    assert (oldest["document"], newest["digest"]) == (first, plans.digest_of(world.rollout()))
    assert [(one["by"], one["what"]) for one in oldest["approvals"]] == [("alice", "Owning team")]
    assert second["approvals"] == newest["approvals"] == []
    assert {"-title: Claude Haiku", "+title: Claude Haiku 4"} <= set(second["difference"])
    assert {"-  peak_requests_per_minute: 42000", "+  peak_requests_per_minute: 41000"} <= set(newest["difference"])


@pytest.mark.django_db
def test_what_another_door_changed_of_a_plan_is_a_version_too(world, capsys):
    world.apply()
    model = AIModel.objects.get(slug=world.rollout().ai_model.slug)
    with recorded("model.edit", by=world.actor("root"), about=model):
        model.quota_requests_per_minute = 90_000
        model.save()
    newest, _ = versions_at_each_door(world, capsys)
    assert (newest["by"], newest["verb"]) == ("root", "model.edit")
    assert "+    requests_per_minute: 90000" in newest["difference"]


@pytest.mark.django_db
def test_of_many_versions_the_newest_are_told_without_more_queries(world):
    world.apply()
    text = plans.export(world.rollout())
    counts = []
    for last in (3, 23):
        for peak in range(last):
            plans.apply(text.replace("42000", f"{last}{peak + 10}"), by=world.actor("mia"), source="x")
        with CaptureQueriesContext(connection) as asked:
            told = plan_versions.of(world.rollout())
        counts.append(len(asked))
    assert (len(told.rows), told.are_more, told.rows[-1].is_first) == (20, True, False)
    assert told.rows[-1].difference
    assert counts[0] == counts[1]
