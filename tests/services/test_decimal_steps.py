"""Steps with decimals, as GitLab takes them: through plan, ramp, GitLab, pages, API, command and history, exact."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from rollouts.models import ApprovalRequest, AuditEvent, RampStep
from rollouts.rules.capacity import Capacity, blockers
from rollouts.rules.document import DocumentRefused
from rollouts.rules.exposure import Exposure, enters_at
from rollouts.rules.percentages import as_step, plain_number, share_of
from rollouts.services import facts as facts_of
from rollouts.services import plans, tokens
from rollouts.services.refusals import Refused
from tests.portal.pages import signed_in

STEPS = [0.1, 2.5, 29.001, 100]


@pytest.fixture
def small(world):
    """At 0.1 % of actors, as GitLab was read."""
    world.plan["steps"] = STEPS
    world.up_to("everyone", "active")
    return world


def _set(world):
    return next(one for one in world.gitlab.state.features() if one["name"] == "use_haiku")


@pytest.mark.django_db
def test_a_ramp_with_decimals_goes_all_the_way(small):
    world = small
    facts = world.facts()
    gates = {gate["key"]: gate["value"] for gate in _set(world)["gates"]}
    assert gates["percentage_of_actors"] == 0.1
    assert (facts.is_confirmed, str(facts.phase("everyone").opening.step)) == (True, "0.1")
    world.climb("everyone")
    world.do("complete", "everyone", "mia")
    assert world.rollout().state == "completed"
    steps = AuditEvent.objects.filter(verb="phase.advance").order_by("pk")
    assert [event.after["percentage"] for event in steps] == [2.5, 29.001, 100]
    assert [request.percentage for request in ApprovalRequest.objects.filter(is_start=False)] == [100, as_step(29.001)]


@pytest.mark.django_db
def test_a_plan_with_decimals_comes_out_as_it_went_in(small):
    written = plans.export(small.rollout())
    assert "    steps: [0.1, 2.5, 29.001, 100]\n" in written
    events = AuditEvent.objects.count()
    assert plans.apply(written, by=small.actor("mia"), source="plan.yaml").changes == []
    assert AuditEvent.objects.count() == events
    assert [step.percentage for step in RampStep.objects.order_by("percentage")] == [as_step(step) for step in STEPS]


@pytest.mark.django_db
def test_pages_say_decimals_as_each_language_writes_them(small):
    for path in ("/", "/rollouts/haiku/", "/timeline/", "/flags/"):
        english = signed_in(small, "mia").get(path).content.decode()
        german = signed_in(small, "mia", HTTP_ACCEPT_LANGUAGE="de").get(path).content.decode()
        assert ("0.1 %" in english, "0,1 %" in english) == (True, False), path
        assert ("0,1 %" in german, "0.1 %" in german) == (True, False), path
    for path in ("/rollouts/haiku/", "/rollouts/haiku/phases/everyone/advance/?to=29.001"):
        assert "29,001 %" in signed_in(small, "mia", HTTP_ACCEPT_LANGUAGE="de").get(path).content.decode()


@pytest.mark.django_db
def test_every_door_takes_a_step_with_decimals(small):
    _, token = tokens.issue(small.people["mia"], "script", small.actor("mia"))
    told = Client(headers={"authorization": f"Bearer {token}"}).get("/api/v1/rollouts/haiku").json()["phases"][2]
    assert (told["step"], told["steps"]) == (0.1, STEPS)
    client = Client(headers={"authorization": f"Bearer {token}"})
    address = "/api/v1/rollouts/haiku/phases/everyone/"
    for wrong in ("2.5", 2.50001, 0, 100.1, True):
        answer = client.post(f"{address}advance", json.dumps({"to": wrong}), content_type="application/json")
        assert answer.status_code == 422, wrong
    answer = client.post(f"{address}request", json.dumps({"to": 29.001}), content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert client.get("/api/v1/approvals").json()["items"][0]["percentage"] == 29.001
    out = StringIO()
    call_command("transition", "haiku", "everyone", "withdraw", "--as", "mia", stdout=out)
    call_command("transition", "haiku", "everyone", "advance", "--to", "2.5", "--as", "mia", stdout=out)
    small.obey()
    assert small.facts().is_confirmed
    assert small.phase("everyone").percentage == as_step("2.5")
    answer = signed_in(small, "mia").post("/rollouts/haiku/phases/everyone/request/", {"to": "29.001"})
    assert answer.status_code == 303
    assert small.facts().phase("everyone").request.target.percentage == as_step("29.001")
    for method in ("get", "post"):
        answer = getattr(signed_in(small, "mia"), method)("/rollouts/haiku/phases/everyone/advance/", {"to": "29.0001"})
        assert (answer.status_code, b"no percentage from 0.001" in answer.content) == (409, True)


@pytest.mark.django_db
def test_a_projects_flag_takes_whole_percentages_only(world):
    text = world.document(steps=STEPS).replace("flag: {name: use_haiku}", "flag: {name: use_haiku, project: acme/app}")
    text = text.replace("{groups: [acme_team_members]}", '{actors: ["user:ann"]}')
    with pytest.raises(DocumentRefused) as refused:
        world.apply_text(text)
    assert [str(fault.message) for fault in refused.value.faults] == [
        f"a project's flag takes whole percentages only. Take {step} out, or round it." for step in STEPS[:-1]
    ]


@pytest.mark.django_db
def test_a_jump_is_measured_to_the_thousandth(world):
    world.plan["steps"] = [0.5, 25.5, 50.501, 100]
    world.up_to("everyone", "active")
    facts = world.facts()
    assert facts.policy(facts.phase("everyone")) is None  # 25 points are not more than 25
    world.advance("everyone")
    world.obey()
    with pytest.raises(Refused) as refused:
        world.do("advance", "everyone", "mia")
    assert [blocker.code for blocker in refused.value.blockers] == ["approval_missing"]


@pytest.mark.django_db
def test_what_needs_exactly_the_quota_is_no_blocker(world):
    world.plan["steps"] = [7, 100]
    text = world.document().replace("requests_per_minute: 60000", "requests_per_minute: 3528")
    world.apply_text(text)
    facts = facts_of.for_rollout(world.rollout(), world.now())
    assert facts.capacity == Capacity(3528, 42000, margin=20)  # 2,940 and a fifth of it
    assert [blocker.code for blocker in blockers(facts.capacity, share_of(as_step(7)), "7 %")] == []
    page = signed_in(world, "mia").get("/rollouts/haiku/").content.decode()
    assert "2,940" in page
    assert "needs 2,940" not in page


thousandths = st.integers(1, 100_000)


@given(thousandths, st.integers(0, 2_000_000_000), st.integers(1, 2_000_000_000))
def test_capacity_is_exact_and_says_what_it_judges_by(percentage, peak, quota):
    reach = share_of(as_step(str(plain_number(as_step(percentage / 1000)))))
    found = blockers(Capacity(quota, peak), reach, "It")
    assert bool(found) is (peak * percentage > quota * 100_000)
    if found:
        assert Capacity(quota, peak).needed(reach) > quota


@given(thousandths, st.text(min_size=1, max_size=20))
def test_who_is_in_is_judged_by_thousandths(percentage, actor):
    number = int(enters_at(actor, flag="f") * 1000)
    exposure = Exposure(percentage_of_actors=as_step(percentage / 1000))
    assert exposure.includes(actor, flag="f") is (number < percentage)
    assert Exposure.from_json(json.loads(json.dumps(exposure.as_json()))) == exposure


@given(thousandths)
def test_a_step_stays_itself_through_text_number_and_json(percentage):
    step = as_step(percentage / 1000)
    assert step * 1000 == percentage
    assert as_step(str(step)) == as_step(json.loads(json.dumps(plain_number(step)))) == step
    assert "E" not in str(step)
    assert not (("." in str(step)) and str(step).endswith("0"))
