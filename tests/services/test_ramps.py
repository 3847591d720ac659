"""Ramps that run themselves: when the time has come and nothing blocks, exactly once, and by what the plan says now."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollouts.models import AuditEvent, RampStep
from rollouts.rules.next_action import next_action
from rollouts.services import due, plans, portfolio_rows, ramps
from rollouts.services.refusals import Refused
from tests.portal.pages import signed_in
from tests.services.change_locks import once
from tests.services.ramps import AUTO, go, started
from tests.walk import FLAG

pytestmark = pytest.mark.django_db


def test_a_step_begins_by_itself_when_its_soak_is_over(world, time_machine):
    started(world, time_machine)
    assert due.work().advanced == []
    go(world, time_machine, minutes=16)
    assert due.work().advanced == ["haiku"]
    assert due.work().advanced == []  # the new step is not confirmed yet
    phase = world.phase("everyone")
    assert (phase.percentage, phase.held_by) == (10, "")  # waiting for GitLab is no trouble yet
    event = AuditEvent.objects.get(verb="phase.advance")
    go(world, time_machine, minutes=16)
    due.work()
    assert "GitLab is at 1 % of actors" in world.phase("everyone").held_by
    assert (event.actor_kind, event.actor, event.after["percentage"]) == ("job", "ramp", 10)


def test_one_ramp_that_breaks_holds_no_other(world, time_machine, monkeypatch):
    started(world, time_machine)
    go(world, time_machine, minutes=16)
    looked, look = [], ramps.take_next

    def breaks_once(rollout, *more):
        looked.append(rollout)
        if len(looked) == 1:
            raise RuntimeError("a fault of ours")
        look(rollout, *more)

    monkeypatch.setattr(ramps, "take_next", breaks_once)
    assert due.work().advanced == []
    assert "The portal itself failed" in world.phase("everyone").held_by
    time_machine.move_to(world.now() + portfolio_rows.AGAIN)
    assert due.work().advanced == ["haiku"]


def test_a_step_by_hand_waits_for_a_hand_and_is_said_to_be_due(world, time_machine):
    started(world, time_machine, ramp="steps: [1, 10, 20, 100]")
    go(world, time_machine, minutes=16)
    assert due.work() == due.Done()
    told = next_action(world.facts())
    assert (told.words, told.waits.admits(world.actor("mia").person)) == ("Advance to 10 %", True)


@pytest.mark.parametrize("what", ["drift", "stale", "lock", "unapproved"])
def test_what_holds_a_step_is_said_once_and_freed_once(world, time_machine, what):
    started(world, time_machine, ramp="auto: true, steps: [1, 50, 100]" if what == "unapproved" else AUTO)
    go(world, time_machine, minutes=16)
    lock = None
    if what == "drift":
        world.gitlab.state.set_feature(FLAG, "7", key="percentage_of_actors")
        world.sync()
    elif what == "stale":
        time_machine.move_to(world.now() + timedelta(minutes=6))
    elif what == "lock":
        lock = once(world)
    for _ in range(3):
        assert due.work().advanced == []
    phase = world.phase("everyone")
    words = {
        "drift": "GitLab is at 7 % of actors",
        "stale": "The newest reading is 6 min old",
        "lock": "Change lock: code freeze",
        "unapproved": "needs 2 approvals",
    }[what]
    assert words in phase.held_by
    assert phase.held_since is not None
    assert AuditEvent.objects.filter(verb="ramp.held").count() == 1
    if lock:
        from rollouts.services import locks

        locks.end(lock, by=world.actor("mia"), reason="over")
        assert due.work().advanced == ["haiku"]
        assert world.phase("everyone").held_by == ""


def test_a_step_never_begins_before_its_planned_time_and_an_edited_time_is_what_holds(world, time_machine):
    started(world, time_machine)
    planned = (world.now() + timedelta(hours=3)).replace(second=0, microsecond=0)

    def schedule(at):
        ramp = f"{AUTO}, schedule: [{{step: 10, at: '{at:%Y-%m-%dT%H:%MZ}'}}]"
        text = world.document().replace("steps: [1, 10, 20, 100]", ramp)
        plans.apply(text, by=world.actor("mia"), source="plan.yaml")

    schedule(planned)
    go(world, time_machine, hours=1)
    assert due.work() == due.Done()  # patience is no trouble: nothing is held
    schedule(planned + timedelta(hours=2))
    time_machine.move_to(planned + timedelta(minutes=1))
    world.sync()
    assert due.work().advanced == []  # the old time is no time any more
    time_machine.move_to(planned + timedelta(hours=2, minutes=1))
    world.sync()
    assert due.work().advanced == ["haiku"]


def test_a_live_ramp_takes_a_new_schedule_but_no_other_steps_or_soaks(world, time_machine):
    started(world, time_machine)
    text = world.document()
    for other in ("steps: [1, 30, 100]", "steps: [1, 10, 20, 100], schedule: [{step: 10, soak: 0}]"):
        with pytest.raises(Refused) as refused:
            plans.apply(text.replace("steps: [1, 10, 20, 100]", other), by=world.actor("mia"), source="plan.yaml")
        assert refused.value.codes == {"phase_in_flight"}
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    assert not RampStep.objects.filter(phase=world.phase("everyone"), percentage__gt=1, auto=True).exists()


def test_a_paused_or_rolled_back_ramp_stands_still(world, time_machine):
    started(world, time_machine)
    go(world, time_machine, minutes=16)
    world.do("pause", "everyone", "mia", reason="looking")
    assert due.work() == due.Done()
    world.do("resume", "everyone", "mia")
    world.do("roll_back", "everyone", "mia", reason="no")
    assert due.work() == due.Done()


def test_the_ramp_can_be_seen_with_its_times(world, time_machine):
    started(world, time_machine)
    page = signed_in(world, "vic").get("/rollouts/haiku/").content.decode()
    assert "The ramp as planned" in page
    assert "by itself" in page
    assert "Expected: 1 %" in page
