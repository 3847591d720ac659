"""One quota, several rollouts: what all of them ask together, with the margin, is what the guard compares."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from rollouts.audit.recording import recorded
from rollouts.rules.capacity import Capacity, blockers
from rollouts.rules.document import DocumentRefused
from rollouts.services import facts, plans
from rollouts.services.refusals import Refused
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
