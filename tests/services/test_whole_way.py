"""One rollout from plan to all users, the flag moved in GitLab by hand at each step."""

from datetime import timedelta

import pytest

from rollouts.models import AuditEvent, FlagReading
from rollouts.services import overrides
from rollouts.services.refusals import Refused

pytestmark = pytest.mark.django_db


def test_a_rollout_goes_from_plan_through_all_phases_to_all_users(world):
    world.up_to("everyone", "completed")
    rollout = world.rollout()
    assert rollout.state == "completed"
    assert rollout.drift == "none"
    assert [phase.state for phase in rollout.phases.all()] == ["completed"] * 3
    told = list(
        AuditEvent.objects.filter(rollout=rollout, verb__startswith="phase.")
        .order_by("pk")
        .values_list("verb", "actor")
    )
    one, two = ("phase.approve", "alice"), ("phase.approve", "sam")
    begin = [("phase.start", "mia"), ("phase.confirmed", "sync")]
    step = [("phase.advance", "mia"), ("phase.confirmed", "sync")]
    ask, complete = ("phase.request", "mia"), ("phase.complete", "mia")
    assert told == [
        *[ask, one, *begin, complete],  # the team: one approver
        *[ask, one, two, *begin, complete],  # the company: two
        *[ask, one, *begin, *step],  # 1 %, 25 %
        *[ask, one, two, *step, complete],  # 100 %: asked for by itself, two
    ]
    assert FlagReading.objects.filter(flag=rollout.flag).count() == 6


def test_the_company_phase_is_never_skipped(world):
    world.up_to("team", "completed")
    with pytest.raises(Refused) as refused:
        world.do("skip", "company", "root", reason="in a hurry")
    assert refused.value.codes == {"not_optional"}


def test_the_team_phase_may_be_skipped_on_a_waiver_with_a_reason(world):
    world.apply()
    with pytest.raises(Refused) as refused:
        world.do("skip", "team", "mia", reason="small change")
    assert refused.value.codes == {"waiver_missing"}
    world.waive("team")
    with pytest.raises(Refused) as refused:
        world.do("skip", "team", "mia")
    assert refused.value.codes == {"reason_missing"}
    assert world.do("skip", "team", "mia", reason="small change").state == "skipped"


def test_nobody_approves_what_they_asked_for(world):
    world.up_to("team", "planned")
    world.do("request", "team", "root")
    with pytest.raises(Refused) as refused:
        world.do("approve", "team", "root")
    assert refused.value.codes == {"four_eyes"}


def test_advance_waits_for_gitlab_and_for_the_soak(world):
    world.plan["soak"] = "15m"
    world.up_to("everyone", "approved")
    world.do("start", "everyone", "mia")
    with pytest.raises(Refused) as refused:
        world.do("advance", "everyone", "mia")
    assert refused.value.codes == {"not_confirmed", "soak"}
    world.obey()
    with pytest.raises(Refused) as refused:
        world.do("advance", "everyone", "mia")
    assert refused.value.codes == {"soak"}
    assert "1 % must stand 1" in str(refused.value)


def test_soak_counts_from_when_gitlab_was_read_there(world, time_machine):
    world.plan["soak"] = "15m"
    world.up_to("everyone", "approved")
    world.do("start", "everyone", "mia")
    asked_at = world.now()
    time_machine.move_to(asked_at + timedelta(minutes=20))
    world.obey()
    with pytest.raises(Refused) as refused:
        world.do("advance", "everyone", "mia")
    assert refused.value.codes == {"soak"}
    time_machine.move_to(asked_at + timedelta(minutes=36))
    with pytest.raises(Refused) as refused:
        world.do("advance", "everyone", "mia")
    assert refused.value.codes == {"reading_stale", "soak"}
    world.sync()  # in between nobody looked
    with pytest.raises(Refused) as refused:
        world.do("advance", "everyone", "mia")
    assert refused.value.codes == {"soak"}
    world.let_pass(time_machine, minutes=15)
    assert world.do("advance", "everyone", "mia").percentage == 25


def test_a_phase_cannot_start_before_its_feedback_issue_exists(world):
    world.up_to("team", "approved")
    world.gitlab.state.delete_issue("acme/app", 14)
    world.sync(full=True)
    assert world.phase("team").state == "requested"
    assert world.facts().phase("team").request.changed == (
        "Checklist, “The internal feedback issue exists”: was done, is open.",
    )
    world.do("approve", "team", "sam")
    with pytest.raises(Refused) as refused:
        world.do("start", "team", "mia")
    assert refused.value.codes == {"item_open"}


def test_drift_appears_is_told_and_heals(world):
    world.up_to("everyone", "active")
    world.gitlab.state.set_feature("use_haiku", "50", key="percentage_of_actors")
    world.sync()
    rollout = world.rollout()
    assert rollout.drift == "ahead"
    assert rollout.drift_since is not None
    assert world.phase("everyone").confirmed_at is None
    world.gitlab.state.set_feature("use_haiku", "1", key="percentage_of_actors")
    world.sync()
    assert world.rollout().drift == "none"
    assert world.phase("everyone").confirmed_at is not None
    verbs = list(AuditEvent.objects.filter(rollout=rollout).order_by("-pk").values_list("verb", flat=True)[:6])
    there, back = ["flag.read", "phase.unconfirmed", "drift.began"], ["flag.read", "phase.confirmed", "drift.ended"]
    assert verbs[::-1] == there + back


def test_roll_back_works_with_gitlab_down_and_takes_the_later_phases_along(world):
    world.up_to("everyone", "active")
    world.gitlab.stop()
    done = world.do("roll_back", "company", "mia", reason="latency doubled")
    assert done.state == "rolled_back"
    assert world.phase("everyone").state == "rolled_back"
    assert world.phase("team").state == "completed"
    rollout = world.rollout()
    assert (rollout.state, rollout.drift) == ("underway", "ahead")
    again = world.do("retry", "company", "mia")
    assert (again.attempt, again.state) == (2, "planned")


def test_a_changed_plan_voids_approvals_and_asks_again(world):
    world.up_to("everyone", "approved")
    world.apply(steps=[5, 100])
    phase = world.phase("everyone")
    assert (phase.state, phase.approved_by) == ("requested", "")
    request = world.facts().phase("everyone").request
    assert request.counting() == ()
    assert "What, “percentage”: was 1 %, is 5 %." in request.changed
    with pytest.raises(Refused) as refused:
        world.do("approve", "everyone", "alice", looked_at="0" * 64)
    assert refused.value.codes == {"void"}
    world.do("approve", "everyone", "alice", looked_at=request.stands)
    assert world.do("start", "everyone", "mia").percentage == 5


def test_a_running_phase_is_not_planned_anew(world):
    world.up_to("everyone", "active")
    with pytest.raises(Refused) as refused:
        world.apply(steps=[1, 99, 100])
    assert refused.value.codes == {"phase_in_flight"}
    assert [step.percentage for step in world.phase("everyone").steps.all()] == [1, 25, 100]


def test_an_override_is_loud(world):
    world.plan["soak"] = "15m"
    world.up_to("everyone", "active")
    done = world.do("advance", "everyone", "root", reason="incident 1", override=True, confirm="haiku")
    assert done.percentage == 25
    debt = done.overrides.get()
    assert (debt.by, debt.reviewed_by) == ("root", "")
    assert timedelta(days=2.9) < debt.due_at - world.now() < timedelta(days=3.1)
    event = AuditEvent.objects.filter(verb="phase.advance").latest("pk")
    assert event.reason == "incident 1"
    assert "must stand" in event.after["overridden"][0]
    for by, verdict, code in (("root", "fine", "four_eyes"), ("mia", "fine", "role"), ("alice", " ", "reason_missing")):
        with pytest.raises(Refused) as refused:
            overrides.review(debt, by=world.actor(by), verdict=verdict)
        assert refused.value.codes == {code}
    assert overrides.review(debt, by=world.actor("alice"), verdict="It was right.").reviewed_by == "alice"


def test_who_was_slower_is_told_so(world):
    phase = world.up_to("team", "planned")
    seen = phase.version
    world.do("request", "team", "mia", seen=seen)
    with pytest.raises(Refused) as refused:
        world.do("request", "team", "mia", seen=seen)
    assert refused.value.codes == {"changed_meanwhile"}
    assert AuditEvent.objects.filter(verb="phase.request").count() == 1


def test_close_waits_until_the_flag_is_gone(world):
    from rollouts.rules import health
    from rollouts.rules.next_action import next_action
    from rollouts.services import transitions

    world.up_to("everyone", "completed")
    with pytest.raises(Refused) as refused:
        transitions.perform_on_rollout("close", world.rollout(), by=world.actor("mia"))
    assert refused.value.codes == {"flag_still_set"}
    world.gitlab.state.delete_feature("use_haiku")
    world.sync()  # the code still asks for it, and it is off by default: nobody sees the model any more
    facts = world.facts()
    assert health.judge(facts).health == "drifting"
    assert next_action(facts).words.startswith("Set the flag back to 100 % of actors")
    world.gitlab.state.remove_flag_definition("use_haiku")
    world.sync(full=True)
    facts = world.facts()
    assert (health.judge(facts).health, next_action(facts).words) == ("as_planned", "Close the rollout")
    assert transitions.perform_on_rollout("close", world.rollout(), by=world.actor("mia")).state == "closed"


def test_a_walk_goes_on_from_where_a_phase_stands(world):
    """What tests stand on: ``up_to`` after ``up_to`` walks the rest of the way only."""
    for state in ("requested", "approved", "active"):
        world.up_to("team", state)
    world.up_to("company", "active")
    assert [phase.state for phase in world.rollout().phases.all()] == ["completed", "active", "planned"]
