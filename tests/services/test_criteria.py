"""Criteria of the plan are asked at each step, and what is answered with evidence decides whether it goes on."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from rollouts.models import AuditEvent, ChecklistItem
from rollouts.rules.document import DocumentRefused
from rollouts.services import plans, tokens
from rollouts.services.refusals import Refused
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db
CRITERIA = """
criteria:
  success: Acceptance is no lower than the baseline's.
  continue: Errors stay below 0.5 %.
  pause: p95 is over 1,200 ms.
"""


def planned(world, when="each_step", criteria=CRITERIA):
    """The world's plan, its last phase asking for criteria."""
    return world.document().replace("final_soak: 0}", f"final_soak: 0, criteria: {when}}}") + criteria


@pytest.fixture
def ramp(world):
    """All users at 1 %, GitLab read at it."""
    world.up_to("everyone", "planned")
    plans.apply(planned(world), by=world.actor("mia"), source="plan.yaml")
    world.up_to("everyone", "active")
    return world


def by_page(world, key, answer, who="mia", **more):
    item = ChecklistItem.objects.get(key=key)
    form = {"evidence": "https://grafana.example.com/d/1", "answer": answer, **more}
    return signed_in(world, who).post(f"/rollouts/haiku/items/{item.pk}/", form)


def by_api(world, key, answer, who="mia"):
    _, token = tokens.issue(world.people[who], "monitor", world.actor(who))
    client = Client(headers={"Authorization": f"Bearer {token}"})
    body = json.dumps({"evidence": "seen", "answer": answer})
    return client.post(f"/api/v1/rollouts/haiku/items/{key}/confirm", body, content_type="application/json")


def by_command(key, *more):
    output = io.StringIO()
    call_command("item", "haiku", key, "confirm", "--as", "mia", "--evidence", "seen", *more, stdout=output)
    return output.getvalue()


def in_the_way(world, verb, **more):
    with pytest.raises(Refused) as refused:
        world.do(verb, "everyone", "mia", **more)
    return [blocker.message for blocker in refused.value.blockers]


def test_a_step_goes_on_only_when_its_criteria_are_answered_so(ramp):
    assert in_the_way(ramp, "advance") == [
        "Continue? «Errors stay below 0.5 %.»: not answered yet.",
        "Pause? «p95 is over 1,200 ms.»: not answered yet.",
    ]
    assert by_page(ramp, "continue-1-at-1", "yes").status_code == 303
    answered = by_api(ramp, "pause-1-at-1", "yes")
    assert answered.status_code == 200
    told = {item["key"]: item for item in answered.json()["items"]}["pause-1-at-1"]
    assert (told["answer"], told["criterion"], told["step"], told["done"]) == ("yes", "pause", 1, False)
    assert in_the_way(ramp, "advance") == ["Pause? «p95 is over 1,200 ms.»: yes: seen."]
    item = ChecklistItem.objects.get(key="pause-1-at-1")
    undone = signed_in(ramp, "mia").post(f"/rollouts/haiku/items/{item.pk}/", {"undo": "1", "reason": "better now"})
    assert undone.status_code == 303
    assert "confirmed" in by_command("pause-1-at-1", "--answer", "no")
    ramp.do("advance", "everyone", "mia")
    assert ramp.phase("everyone").percentage == 25
    event = AuditEvent.objects.filter(verb="item.answer").latest("pk")
    assert (event.after["answer"], event.after["evidence"]) == ("no", "seen")


def test_each_step_asks_anew_and_what_an_earlier_one_answered_stays(ramp):
    by_page(ramp, "continue-1-at-1", "yes")
    by_page(ramp, "pause-1-at-1", "no")
    ramp.advance("everyone")
    ramp.obey()
    page = signed_in(ramp, "mia").get("/rollouts/haiku/").content.decode()
    assert "continue-1-at-25" in page
    assert "success-1-at-end" not in page  # nobody is asked before the last step
    assert any("at-25" not in one and "not answered yet" in one for one in in_the_way(ramp, "advance"))
    item = ChecklistItem.objects.get(key="continue-1-at-1")
    refused = signed_in(ramp, "mia").post(f"/rollouts/haiku/items/{item.pk}/", {"undo": "1", "reason": "x"})
    assert refused.status_code == 409
    assert "is past 1 %." in refused.content.decode()
    too_early = by_page(ramp, "success-1-at-end", "yes")
    assert too_early.status_code == 409
    assert "It can&#x27;t be known yet" in too_early.content.decode()


def test_an_answer_is_none_of_what_was_approved(ramp):
    by_page(ramp, "continue-1-at-1", "yes")
    by_page(ramp, "pause-1-at-1", "no")
    ramp.advance("everyone")
    ramp.obey()
    ramp.do("request", "everyone", "mia")
    ramp.approve("everyone")
    by_page(ramp, "continue-1-at-25", "yes")
    by_page(ramp, "pause-1-at-25", "no")
    ramp.do("advance", "everyone", "mia")
    assert ramp.phase("everyone").percentage == 100


def test_the_phase_completes_when_it_is_answered_whether_it_is_a_success(ramp):
    for step in ("1", "25"):
        by_page(ramp, f"continue-1-at-{step}", "yes")
        by_page(ramp, f"pause-1-at-{step}", "no")
        ramp.advance("everyone")
        ramp.obey()
    for item in ChecklistItem.objects.filter(phase__name="everyone", gate="complete", confirmed_at=None):
        if not item.is_automatic and not item.criterion:
            by_page(ramp, item.key, "")
    by_page(ramp, "success-1-at-end", "no")
    by_page(ramp, "continue-1-at-end", "yes")
    by_page(ramp, "pause-1-at-end", "no")
    in_words = in_the_way(ramp, "complete")
    assert in_words == ["Success? «Acceptance is no lower than the baseline's.»: no: https://grafana.example.com/d/1."]
    item = ChecklistItem.objects.get(key="success-1-at-end")
    signed_in(ramp, "mia").post(f"/rollouts/haiku/items/{item.pk}/", {"undo": "1", "reason": "measured anew"})
    by_page(ramp, "success-1-at-end", "yes")
    ramp.do("complete", "everyone", "mia")
    assert ramp.phase("everyone").state == "completed"


@pytest.mark.parametrize("answer", ["", "maybe"])
def test_an_answer_is_yes_or_no(ramp, answer):
    refused = by_page(ramp, "continue-1-at-1", answer)
    assert refused.status_code == 409
    assert "Say whether it holds: answer yes or no." in refused.content.decode()
    assert by_api(ramp, "continue-1-at-1", answer).status_code == (409 if not answer else 422)
    with pytest.raises((CommandError, SystemExit)):
        by_command("continue-1-at-1", *(["--answer", answer] if answer else []))
    assert ChecklistItem.objects.get(key="continue-1-at-1").confirmed_at is None


def test_a_viewer_answers_nothing(ramp):
    assert by_page(ramp, "continue-1-at-1", "yes", who="vic").status_code == 403
    assert by_api(ramp, "continue-1-at-1", "yes", who="vic").status_code == 403


def test_nobody_goes_on_by_taking_the_question_away(ramp):
    for changed in (planned(ramp).replace("below 0.5 %", "below 50 %"), ramp.document(), ramp.document() + CRITERIA):
        with pytest.raises(Refused) as refused:
            plans.apply(changed, by=ramp.actor("mia"), source="plan.yaml")
        assert "can't change any more" in str(refused.value)
    assert ChecklistItem.objects.get(key="continue-1-at-1").title == "Errors stay below 0.5 %."


def test_before_a_phase_starts_the_plan_says_what_it_asks(world):
    world.up_to("everyone", "planned")
    plans.apply(planned(world), by=world.actor("mia"), source="plan.yaml")
    fewer = planned(world, "at_end").replace("below 0.5 %", "below 0.1 %")
    plans.apply(fewer, by=world.actor("mia"), source="plan.yaml")
    assert ChecklistItem.objects.get(criterion="continue").title == "Errors stay below 0.1 %."
    plans.apply(world.document(), by=world.actor("mia"), source="plan.yaml")
    assert not ChecklistItem.objects.filter(kind="criterion").exists()


def test_a_retry_asks_all_of_it_anew(ramp):
    by_page(ramp, "continue-1-at-1", "yes")
    ramp.do("roll_back", "everyone", "mia", reason="errors")
    ramp.do("retry", "everyone", "mia")
    anew = ramp.phase("everyone")
    assert anew.criteria_asked == "each_step"
    assert set(anew.items.filter(kind="criterion").values_list("answer", flat=True)) == {""}
    assert anew.items.filter(key="continue-1-at-25", step=25, criterion="continue", gate="advance").exists()


def test_a_phase_at_its_end_only(world):
    world.up_to("everyone", "planned")
    plans.apply(planned(world, "at_end"), by=world.actor("mia"), source="plan.yaml")
    keys = ChecklistItem.objects.filter(kind="criterion").values_list("key", flat=True)
    assert sorted(keys) == ["continue-1-at-end", "pause-1-at-end", "success-1-at-end"]
    assert plans.document_of(world.rollout()).phase("everyone").criteria == "at_end"


@pytest.mark.parametrize(
    ("when", "criteria", "says"),
    [
        ("each_step", "", "there is nothing to answer"),
        ("each_step", "criteria:\n  pause:\n" + "".join(f"    - p{n}\n" for n in range(50)), "this asks 150 questions"),
        ("always", CRITERIA, "each_step"),
    ],
)
def test_a_plan_that_asks_for_what_nobody_can_answer_is_refused(world, when, criteria, says):
    with pytest.raises(DocumentRefused) as refused:
        plans.apply(planned(world, when, criteria), by=world.actor("mia"), source="plan.yaml")
    assert says in str(refused.value)
    assert not ChecklistItem.objects.exists()
