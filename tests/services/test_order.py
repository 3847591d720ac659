"""Order between rollouts: who comes after whom, and who never goes side by side, at every door that lets people in."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client

from rollouts.models import AuditEvent, PortfolioRow, RolloutOrder
from rollouts.rules.datetimes import day_in_words
from rollouts.rules.document import DocumentRefused
from rollouts.services import as_of, due, plans, tokens
from rollouts.services.refusals import Refused
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.services.ramps import go, started

pytestmark = pytest.mark.django_db
SOON = {"haiku": "Claude Haiku", "opus": "Claude Opus", "sonnet": "Claude Sonnet"}


@contextmanager
def of(world, slug):
    """The world's steps are those of this rollout."""
    before = world.plan
    world.plan = {**before, "slug": slug, "title": SOON[slug], "flag": f"use_{slug}"}
    try:
        yield world
    finally:
        world.plan = before


def text_of(world, slug, **order):
    with of(world, slug):
        return world.document() + "".join(f"{key}: {value}\n" for key, value in order.items())


def planned(world, slug, **order):
    """A rollout on a flag of its own, whose plan says this of others."""
    flag = {"type": "beta", "group": "group::ai coding", "milestone": "19.3", "default_enabled": False}
    world.gitlab.state.add_flag_definition(f"use_{slug}", **flag)
    plans.apply(text_of(world, slug, **order), by=world.actor("mia"), source="plan.yaml")
    with of(world, slug):
        world.sync()
        world.confirm()
    return world.rollout(slug)


def walk(world, slug, phase, state):
    with of(world, slug):
        world.up_to(phase, state)


def refused_plan(world, slug, **order):
    with pytest.raises(DocumentRefused) as refused:
        plans.apply(text_of(world, slug, **order), by=world.actor("mia"), source="plan.yaml")
    (fault,) = refused.value.faults
    return fault.message


def blocked(world, slug, verb, phase):
    """The sentences about the order for which the transition is refused."""
    with of(world, slug), pytest.raises(Refused) as refused:
        world.do(verb, phase, "mia")
    return {blocker.code: blocker for blocker in refused.value.blockers}


def test_who_comes_after_another_starts_when_that_one_is_complete(world):
    planned(world, "haiku")
    planned(world, "opus", after="[haiku]")
    walk(world, "opus", "team", "approved")
    blockers = blocked(world, "opus", "start", "team")
    assert set(blockers) == {"after"}
    assert blockers["after"].message == "“Claude Haiku” comes first: it is draft."
    assert blockers["after"].url("/rollouts/opus/") == "/rollouts/haiku/"
    walk(world, "haiku", "everyone", "completed")
    with of(world, "opus"):
        world.do("start", "team", "mia")
    assert world.phase("team", "opus").state == "active"


def test_two_that_exclude_each_other_are_never_in_one_phase_nor_on_one_day(world, time_machine):
    planned(world, "haiku")
    planned(world, "opus", not_with="haiku")
    walk(world, "opus", "team", "approved")
    walk(world, "haiku", "team", "active")
    blockers = blocked(world, "opus", "start", "team")
    assert blockers["not_with"].message == "“Claude Haiku” is in Owning team now: the two are never in the same phase."
    walk(world, "haiku", "team", "completed")
    today = blocked(world, "opus", "start", "team")["not_with"]
    assert today.message.startswith("“Claude Haiku” has reached more people today (UTC)")
    with of(world, "haiku"):
        world.up_to("company", "approved")
    world.let_pass(time_machine, days=1)
    with of(world, "opus"):
        world.do("start", "team", "mia")
        world.obey()
    # The plan of the other one says nothing, and it holds for it all the same.
    other = blocked(world, "haiku", "start", "company")["not_with"]
    assert other.message.startswith("“Claude Opus” has reached more people today (UTC)")


def test_where_both_are_in_one_phase_already_the_first_goes_on(world, time_machine):
    planned(world, "haiku")
    planned(world, "opus")
    for slug in ("haiku", "opus"):
        walk(world, slug, "everyone", "active")
    plans.apply(text_of(world, "opus", not_with="[haiku]"), by=world.actor("mia"), source="plan.yaml")
    world.let_pass(time_machine, days=1)
    with of(world, "haiku"):
        world.advance("everyone")
    with of(world, "opus"):
        world.do("request", "everyone", "mia") if world.facts().policy(world.facts().phase("everyone")) else None
    assert "is in All users now" in blocked(world, "opus", "advance", "everyone")["not_with"].message


def test_a_step_that_begins_by_itself_waits_for_the_day(world, time_machine):
    time_machine.move_to(world.now().replace(hour=9))
    started(world, time_machine)
    planned(world, "opus")
    walk(world, "opus", "team", "active")
    plans.apply(text_of(world, "opus", not_with="haiku"), by=world.actor("mia"), source="plan.yaml")
    go(world, time_machine, minutes=16)
    assert due.work().advanced == []
    assert "“Claude Opus” has reached more people today" in world.phase("everyone").held_by
    row = PortfolioRow.objects.get(rollout__slug="haiku")
    assert row.due_at <= world.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    go(world, time_machine, days=1)
    assert due.work().advanced == ["haiku"]


def test_page_api_command_and_dry_run_tell_it_alike(world, capsys):
    planned(world, "haiku")
    planned(world, "opus", after="[haiku]")
    walk(world, "opus", "team", "approved")
    sentence = "“Claude Haiku” comes first: it is draft."
    browser = signed_in(world, "mia")
    page = flat(browser.get("/rollouts/opus/"))
    assert sentence in page
    assert 'after<a href="/rollouts/haiku/">Claude Haiku</a>' in page
    assert sentence in browser.get("/rollouts/opus/phases/team/start/").content.decode()
    _, token = tokens.issue(world.people["mia"], "order", world.actor("mia"))
    program = Client(headers={"Authorization": f"Bearer {token}"})
    for address in ("/api/v1/rollouts/opus", "/api/v1/rollouts"):
        answer = program.get(address).json()
        told = answer if "order" in answer else next(one for one in answer["items"] if one["slug"] == "opus")
        assert told["order"] == [
            {"order": "after", "slug": "haiku", "title": "Claude Haiku", "state": "draft", "url": "/rollouts/haiku/"}
        ]
    start = "/api/v1/rollouts/opus/phases/team/start"
    really = program.post(start, {}, content_type="application/json")
    assert (really.status_code, really.json()["blockers"][0]["message"]) == (409, sentence)
    tried = program.post(f"{start}?dry_run=true", {}, content_type="application/json").json()
    assert [blocker["message"] for blocker in tried["blockers"]] == [sentence]
    assert {"name": "Order", "words": "after “Claude Haiku”", "ok": False, "at": None} in tried["facts"]
    with pytest.raises(SystemExit):
        call_command("transition", "opus", "team", "start", "--as", "mia", "--dry-run", "--json")
    assert json.loads(capsys.readouterr().out)["blockers"][0]["message"] == sentence
    with pytest.raises(SystemExit):
        call_command("transition", "opus", "team", "start", "--as", "mia")


def test_an_admin_may_pass_it_with_a_reason_and_that_is_kept(world):
    planned(world, "haiku")
    planned(world, "opus", after="[haiku]")
    walk(world, "opus", "team", "approved")
    with of(world, "opus"):
        world.do("start", "team", "root", override=True, confirm="opus", reason="an incident")
    event = AuditEvent.objects.get(verb="phase.start", rollout__slug="opus")
    assert "comes first" in event.after["overridden"][0]


def test_the_plan_says_it_and_reads_back(world):
    planned(world, "haiku")
    planned(world, "sonnet")
    planned(world, "opus", after="haiku", not_with="[sonnet]")
    document = plans.export(world.rollout("opus"))
    assert "after:\n  - haiku\nnot_with:\n  - sonnet\n" in document
    again = plans.apply(document, by=world.actor("mia"), source="plan.yaml")
    assert again.changes == []
    plans.apply(text_of(world, "opus", after="[sonnet]"), by=world.actor("mia"), source="plan.yaml")
    assert [(row.kind, row.other.slug) for row in RolloutOrder.objects.all()] == [("after", "sonnet")]
    of_haiku = AuditEvent.objects.of_rollout("haiku").filter(verb="plan.apply").latest("pk")
    assert of_haiku.rollout.slug == "opus"  # in the history of the other one too


def test_what_can_not_be_is_refused_and_changes_nothing(world):
    planned(world, "haiku")
    planned(world, "opus", after="[haiku]")
    planned(world, "sonnet", after="[opus]")
    rows = RolloutOrder.objects.count()
    assert refused_plan(world, "haiku", after="[sonnet]") == (
        "this goes in a circle, each after the next: haiku → sonnet → opus → haiku. Take one of them out of the plan "
        "that it stands in."
    )
    assert refused_plan(world, "haiku", after="[opsu]") == "there is no rollout «opsu». Did you mean `opus`?"
    assert "Write the short name of one" in refused_plan(world, "haiku", not_with="[zzzzzzzzzz]")
    assert "is this rollout itself" in refused_plan(world, "haiku", after="[haiku]")
    assert "is named twice" in refused_plan(world, "haiku", not_with="[opus, opus]")
    assert "is not a slug" in refused_plan(world, "haiku", after="[Not A Slug]")
    assert "must be a list" in refused_plan(world, "haiku", after="{opus: 1}")
    assert RolloutOrder.objects.count() == rows
    with pytest.raises(DocumentRefused):
        plans.check(text_of(world, "haiku", after="[sonnet]"), source="plan.yaml")
    with pytest.raises(DocumentRefused):
        plans.apply(text_of(world, "haiku", after="[sonnet]"), by=world.actor("mia"), source="x", dry_run=True)


def test_an_approval_rests_on_the_order(world):
    planned(world, "haiku")
    planned(world, "opus", after="[haiku]")
    walk(world, "opus", "team", "approved")
    plans.apply(text_of(world, "opus"), by=world.actor("mia"), source="plan.yaml")
    assert world.phase("team", "opus").state == "requested"
    with of(world, "opus"):
        assert "Order: was after haiku, is nothing." in world.facts().phase("team").request.changed


def test_as_it_was_it_was_ordered_so(world, time_machine):
    planned(world, "haiku")
    planned(world, "opus", after="[haiku]")
    planned(world, "sonnet", not_with="[haiku]")
    then = world.now()
    world.let_pass(time_machine, hours=1)
    walk(world, "haiku", "team", "active")
    plans.apply(text_of(world, "opus"), by=world.actor("mia"), source="plan.yaml")
    past = as_of.of("opus", then)
    (neighbour,) = past.facts.neighbours
    assert (neighbour.order, neighbour.slug, neighbour.state, neighbour.widened_at) == ("after", "haiku", "draft", None)
    assert [one.slug for one in as_of.of("haiku", then).facts.neighbours] == ["sonnet"]
    assert world.rollout("opus").orders.count() == 0


def test_who_is_asked_is_warned_of_others_on_the_same_day(world):
    planned(world, "haiku")
    planned(world, "opus")
    walk(world, "haiku", "team", "active")
    walk(world, "opus", "team", "requested")
    day = day_in_words(world.now().date())
    sentence = f"On {day} “Claude Haiku” lets more people in too: the same audience, on the same quota."
    _, token = tokens.issue(world.people["alice"], "same day", world.actor("alice"))
    program = Client(headers={"Authorization": f"Bearer {token}"})
    (told,) = program.get("/api/v1/approvals").json()["items"]
    assert told["same_day"] == [
        {
            "slug": "haiku",
            "title": "Claude Haiku",
            "day": str(world.now().date()),
            "same_audience": True,
            "same_quota": True,
            "words": sentence,
        }
    ]
    browser = signed_in(world, "alice")
    for address in ("/approvals/", "/rollouts/opus/", "/rollouts/opus/phases/team/approve/"):
        assert sentence in browser.get(address).content.decode(), address
    tried = program.post(
        "/api/v1/rollouts/opus/phases/team/approve?dry_run=true", {}, content_type="application/json"
    ).json()
    assert {"name": "On the same day", "words": sentence, "ok": False, "at": None} in tried["facts"]


def test_another_audience_and_quota_is_no_news(world):
    planned(world, "haiku")
    text = text_of(world, "opus").replace("claude-haiku", "claude-opus")
    planned(world, "opus")
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    walk(world, "haiku", "team", "completed")
    walk(world, "opus", "team", "completed")
    walk(world, "opus", "company", "requested")
    page = signed_in(world, "alice").get("/rollouts/opus/").content.decode()
    assert "lets more people in too" not in page
