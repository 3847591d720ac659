"""What ends with a state: times that last as long as it does, requests on top of it, and what was decided about it."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from rollouts.audit.recording import recorded
from rollouts.models import ApprovalRequest, AuditEvent, ChecklistItem, Phase, RampStep
from rollouts.rules.machine import BY_ITSELF, PHASE_VERBS
from rollouts.services import checklist
from rollouts.services.refusals import Refused

pytestmark = pytest.mark.django_db

TIMES = {
    "requested_at", "approved_at", "started_at", "stepped_at", "confirmed_at", "paused_at", "completed_at", "ended_at",
    "held_since",
}  # fmt: skip
#: Which times a phase has in a state, however it came there.
MAY = {
    "planned": set(),
    "requested": {"requested_at"},
    "approved": {"requested_at", "approved_at"},
    "active": {"requested_at", "approved_at", "started_at", "stepped_at", "confirmed_at", "held_since"},
    "paused": {"requested_at", "approved_at", "started_at", "stepped_at", "confirmed_at", "paused_at"},
    "completed": {"requested_at", "approved_at", "started_at", "stepped_at", "confirmed_at", "completed_at"},
    "skipped": {"ended_at"},
    "rolled_back": {"requested_at", "approved_at", "started_at", "stepped_at", "completed_at", "ended_at"},
}
#: How to get to a state in which a verb may be taken, beside the straight way.
WAYS = [(verb, source) for verb, rule in PHASE_VERBS.items() for source in sorted(rule.sources)]


def times_of(phase):
    return {name for name in TIMES if getattr(phase, name) is not None}


def test_the_table_names_every_time_of_a_phase():
    columns = {field.name for field in Phase._meta.concrete_fields if field.get_internal_type() == "DateTimeField"}
    assert columns == TIMES


@pytest.mark.parametrize(("verb", "source"), WAYS)
def test_after_each_transition_a_phase_has_only_the_times_of_its_state(world, verb, source):
    """With every time that its state may have."""
    name = "team" if verb == "skip" or source in ("planned", "requested", "approved") else "everyone"
    world.plan["steps"] = [1, 50, 100]  # the step to 50 % takes a request of its own
    start = {"paused": "active", "rolled_back": "active"}.get(source, source)
    phase = world.up_to(name, start)
    if source == "active" and verb == "complete":
        world.climb(name)
        world.confirm(name)
    if source == "active" and verb in ("approve", "reject", "withdraw", "advance"):
        world.do("request", name, "mia")
    if verb == "advance":
        world.approve(name)
    if source == "active":
        with recorded("ramp.held", by=world.actor("mia")) as recording:
            held = world.phase(name)
            held.held_by, held.held_since = "something", world.now()
            held.save()
            recording.about = held
    if source in ("paused", "rolled_back"):
        world.do("pause", name, "mia", reason="a fault")
    if source == "rolled_back":
        world.do("roll_back", name, "mia", reason="a fault")
    phase = world.phase(name)
    assert phase.state == source
    by = "alice" if verb in ("approve", "reject") else "mia"
    if verb == "skip":
        world.waive(name)
    world.do(verb, name, by, reason="because")
    for each in Phase.objects.all():
        assert times_of(each) <= MAY[each.state], each.state
        assert bool(each.held_by) is (each.held_since is not None)


def test_what_nobody_presses_leaves_no_times_either(world, time_machine):
    world.up_to("team", "approved")
    assert set(BY_ITSELF) == {"expire", "lapse"}
    time_machine.move_to(ApprovalRequest.objects.get().expires_at + timedelta(days=1))
    world.sync()
    assert (world.phase("team").state, times_of(world.phase("team"))) == ("planned", set())


def test_the_database_holds_no_time_of_a_state_that_is_over(world):
    world.up_to("team", "active")
    world.do("pause", "team", "mia")
    for state in ("rolled_back", "completed", "active"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE rollouts_phase SET state = %s WHERE paused_at IS NOT NULL", [state])


def test_a_rollout_that_is_rolled_back_is_not_completed_any_more(world):
    world.up_to("everyone", "completed")
    assert world.rollout().completed_at is not None
    world.do("roll_back", "everyone", "mia", reason="a fault")
    assert (world.rollout().state, world.rollout().completed_at) == ("underway", None)
    world.do("roll_back", "team", "mia", reason="a fault")
    assert (world.rollout().state, world.rollout().completed_at) == ("rolled_back", None)


@pytest.mark.parametrize("asked", ["requested", "approved"])
def test_a_roll_back_drops_what_was_asked_for_on_top_of_it(world, asked):
    world.up_to("company", "active")
    world.confirm("everyone")
    world.do("request", "everyone", "mia")
    if asked == "approved":
        world.approve("everyone")
    assert world.phase("everyone").state == asked
    before = AuditEvent.objects.latest("pk")
    world.do("roll_back", "company", "mia", reason="it answers nonsense")
    told = AuditEvent.objects.filter(pk__gt=before.pk).order_by("pk").values_list("verb", flat=True)
    assert list(told) == ["phase.roll_back", "drift.began"]  # GitLab is ahead until it is set back
    assert (world.phase("everyone").state, world.phase("everyone").reason) == (
        "planned",
        "Whole company was rolled back",
    )
    request = ApprovalRequest.objects.get(phase__name="everyone")
    assert (request.state, request.reason) == ("dropped", "Whole company was rolled back")
    world.do("retry", "company", "mia")
    world.confirm("company")
    world.do("request", "company", "mia")  # nothing stands in its way
    assert world.phase("company").state == "requested"


@pytest.mark.parametrize("asked", ["requested", "approved"])
def test_abandoning_drops_every_request(world, asked):
    world.up_to("team", asked)
    call_command("transition", "haiku", "rollout", "abandon", "--as", "mia", "--reason", "enough", stdout=StringIO())
    assert not ApprovalRequest.objects.filter(state__in=("open", "granted")).exists()
    assert world.phase("team").state == "planned"


def test_after_completion_nothing_waits_to_be_answered(world):
    world.plan["steps"] = [50, 100]
    world.up_to("everyone", "active")
    world.do("request", "everyone", "mia")
    world.do("roll_back", "everyone", "mia", reason="a fault")
    assert not ApprovalRequest.objects.filter(state__in=("open", "granted")).exists()
    world.gitlab.state.set_feature("use_haiku", "false")
    world.obey()
    world.do("retry", "everyone", "mia")
    world.up_to("everyone", "completed")
    assert not ApprovalRequest.objects.filter(state__in=("open", "granted")).exists()


def test_a_step_that_a_plan_takes_out_is_asked_for_no_more(world):
    world.up_to("everyone", "requested")
    assert ApprovalRequest.objects.get(phase__name="everyone").percentage == 1
    world.apply(steps=[5, 100])
    request = ApprovalRequest.objects.get(phase__name="everyone")
    assert (request.state, request.percentage, request.round) == ("open", 5, 2)
    assert [step.percentage for step in RampStep.objects.order_by("percentage")] == [5, 100]


def exit_item(world, phase="company"):
    return ChecklistItem.objects.filter(phase=world.phase(phase), gate="complete", required=True).first()


def decide(world, item, by="mia"):
    return checklist.confirm(item, by=world.actor(by), evidence="No.")


@pytest.mark.parametrize("state", ["planned", "requested", "approved"])
def test_nothing_is_decided_before_it_could_be_known(world, state):
    world.up_to("company", state)
    for item in ChecklistItem.objects.filter(phase__name="company", gate="complete"):
        with pytest.raises(Refused) as refused:
            decide(world, item)
        assert [blocker.code for blocker in refused.value.blockers] == ["too_early"]
    assert refused.value.blockers[0].message == (
        f"It can't be known yet: Whole company is {state}. Confirm it once GitLab was read at group acme_team_members."
    )
    assert not ChecklistItem.objects.filter(gate="complete").exclude(phase__name="team").exclude(confirmed_at=None)


def test_it_takes_a_reading_and_not_only_a_start(world):
    world.up_to("company", "approved")
    world.do("start", "company", "mia")
    item = exit_item(world)
    with pytest.raises(Refused):
        decide(world, item)
    world.obey()
    assert decide(world, item).confirmed_by == "mia"


def test_the_next_attempt_decides_anew_and_history_keeps_the_first(world):
    world.up_to("company", "active")
    item = exit_item(world)
    decide(world, item)
    world.do("roll_back", "company", "mia", reason="a fault")
    world.do("retry", "company", "mia")
    again = exit_item(world)
    assert (again.pk == item.pk, again.confirmed_at) == (False, None)
    with pytest.raises(Refused):
        decide(world, again)
    assert AuditEvent.objects.filter(verb="item.confirm", object_id=str(item.pk)).exists()
    item.refresh_from_db()
    assert item.confirmed_by == "mia"


def test_every_door_refuses_what_is_too_early(world):
    world.up_to("company", "approved")
    item = exit_item(world)
    mia, root = Client(), Client()
    mia.force_login(world.people["mia"])
    root.force_login(world.people["root"])
    page = mia.get("/rollouts/haiku/").content.decode()
    assert "Confirm it once GitLab was read at group acme_team_members." in page
    assert f"evidence-{item.pk}" not in page
    answer = mia.post(f"/rollouts/haiku/items/{item.pk}/", {"evidence": "No."})
    assert (answer.status_code, b"be known yet" in answer.content) == (409, True)
    picked = {"action": "confirm", "_selected_action": [item.pk], "evidence": "No.", "channel": "", "do": "yes"}
    root.post("/admin/rollouts/checklistitem/", picked)
    item.refresh_from_db()
    assert item.confirmed_at is None
