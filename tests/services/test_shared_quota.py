"""One quota, several rollouts: what all of them ask together, with the margin, is what the guard compares."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.test import Client

from rollouts.audit.recording import recorded
from rollouts.rules.capacity import Capacity, blockers
from rollouts.rules.document import DocumentRefused
from rollouts.services import as_of, facts, plans, tokens
from rollouts.services.refusals import Refused
from tests.markup import flat
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db


def other(world, slug, peak):
    """Another rollout of the same model on a flag of its own; nobody is in by it yet."""
    text = world.document(slug=slug, title=slug, flag=f"use_{slug}")
    text = text.replace("peak_requests_per_minute: 42000", f"peak_requests_per_minute: {peak}")
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    return world.rollout(slug)


def live_at_100(world):
    """The world's rollout is complete for all users."""
    world.up_to("everyone", "completed")


def test_what_another_rollout_asks_counts_and_the_margin_with_it(world):
    live_at_100(world)
    second = other(world, "opus", 9_000)
    capacity = facts.for_rollout(second, world.now()).capacity
    assert (capacity.others, capacity.untold, capacity.margin) == (Decimal(42_000), 0, 20)
    assert not capacity.carries_reach(Decimal(1))  # (9,000 + 42,000) and a fifth: 61,200 of 60,000
    assert capacity.carries_reach(Decimal("0.88"))
    assert capacity.carries_reach(Decimal(0))
    message = blockers(capacity, Decimal(1), "100 %")[0].message
    assert message == (
        "100 % needs 9,000 requests a minute and other rollouts of the model ask 42,000: 61,200 with a margin of 20 %, "
        "the quota is 60,000. Ask the provider for more quota."
    )
    assert facts.for_rollout(world.rollout(), world.now()).capacity.others == 0  # nobody is in by the second yet


def test_of_whom_nobody_has_said_what_they_ask_is_said(world):
    live_at_100(world)
    text = plans.export(world.rollout()).replace("workload:\n  peak_requests_per_minute: 42000\n", "")
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    capacity = facts.for_rollout(other(world, "opus", 9_000), world.now()).capacity
    assert (capacity.others, capacity.untold) == (0, 1)


def test_a_quota_of_zero_is_refused(world):
    text = world.document().replace("requests_per_minute: 60000", "requests_per_minute: 0")
    with pytest.raises(DocumentRefused) as refused:
        plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    assert "must be at least 1" in refused.value.faults[0].message


def test_the_step_that_the_quota_does_not_carry_is_refused_with_the_margin(world):
    world.up_to("everyone", "active")
    world.advance("everyone")
    world.obey()
    with recorded("model.quota", by=world.actor("root")):
        model = world.rollout().ai_model
        model.quota_requests_per_minute = 45_000
        model.save()
    world.do("request", "everyone", "mia", to=100)
    world.approve("everyone")
    page = signed_in(world, "mia").get("/rollouts/haiku/").content.decode()
    assert "50,400 with a margin of 20 %" in page
    assert 'class="stack"' in page
    with pytest.raises(Refused) as refused:
        world.do("advance", "everyone", "mia")
    assert refused.value.codes == {"capacity_short"}
    assert "50,400 with a margin of 20 %" in refused.value.blockers[0].message


def test_an_unknown_quota_blocks_where_the_template_demands_it():
    unknown = Capacity(None, 42_000)
    assert [one.code for one in blockers(unknown, Decimal(1), "100 %")] == ["capacity_unknown"]
    assert blockers(replace(unknown, is_demanded=False), Decimal(1), "100 %") == []
    assert "not known" in unknown.words


def capacity_at_each_door(world, capsys):
    """What page, API and command tell; the same."""
    _, token = tokens.issue(world.people["mia"], "look", world.actor("mia"))
    api = Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/rollouts/haiku/capacity").json()
    call_command("capacity", "haiku", "--json")
    told = json.loads(capsys.readouterr().out)
    told["steps"][0]["at"] = api["steps"][0]["at"]  # which is now, and later each time
    assert told == api
    page = signed_in(world, "mia").get("/rollouts/haiku/").context["page"].capacity
    rows = [(row.needed, row.is_short, row.ask_by and row.ask_by.isoformat(), row.is_late) for row in page.rows]
    assert rows == [(one["needed"], one["is_short"], one["ask_by"], one["is_late"]) for one in api["steps"]]
    return api


def test_a_larger_quota_is_asked_for_so_long_before_the_step_as_it_takes(world, capsys):
    soon = (world.now() + timedelta(days=20)).replace(microsecond=0)
    text = world.document(steps=f"[1, 100], schedule: [{{step: 100, at: {soon.isoformat()}}}]")
    text = text.replace("requests_per_minute: 60000", "requests_per_minute: 40000, lead_time: 14d")
    plans.apply(text, by=world.actor("mia"), source="x")
    assert "lead_time: 2w" in plans.export(world.rollout())
    told = capacity_at_each_door(world, capsys)
    assert told["lead_time_seconds"] == 14 * 24 * 3600
    first, last = told["steps"]
    assert (first["is_short"], first["ask_by"]) == (False, None)
    assert datetime.fromisoformat(last["ask_by"]) == datetime.fromisoformat(last["at"]) - timedelta(days=14)
    assert (last["is_short"], last["is_late"]) == (True, False)
    plans.apply(text.replace("14d", "30d"), by=world.actor("mia"), source="x")
    assert capacity_at_each_door(world, capsys)["steps"][1]["is_late"]
    assert "quota was to be asked for by" in flat(signed_in(world, "mia").get("/rollouts/haiku/"))


@pytest.mark.parametrize("wrong", ["-1d", "14", "3 years", "x"])
def test_what_is_no_lead_time_is_refused_with_its_line(world, wrong):
    text = world.document().replace("requests_per_minute: 60000", f"requests_per_minute: 60000, lead_time: {wrong}")
    with pytest.raises(DocumentRefused) as refused:
        plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    assert refused.value.faults[0].line


def test_what_others_asked_of_the_quota_is_told_of_any_moment(world):
    live_at_100(world)
    second = other(world, "opus", 9_000)
    then = world.now()
    assert as_of.of("opus", then).facts.capacity == facts.for_rollout(second, then).capacity
    assert as_of.of("opus", then).facts.capacity.others == 42_000
    world.do("roll_back", "everyone", "mia", reason="slow")
    assert facts.for_rollout(world.rollout("opus"), world.now()).capacity.others == 0
    assert as_of.of("opus", then).facts.capacity.others == 42_000
