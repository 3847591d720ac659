"""Answers to drift: the flag goes back, it stands for a while, or the plan takes it over; each by somebody else's yes
but the first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollouts.models import AuditEvent, DriftCase, GitLabWrite, Waiver
from rollouts.rules import health
from rollouts.rules.drift_cases import Answer
from rollouts.services import drift_answers, waivers
from rollouts.services.refusals import Refused
from rollouts.sync import outbox
from tests.at_rest import broken_chains, findings, illegal_walks, unsettled
from tests.services.change_locks import once

pytestmark = pytest.mark.django_db
FLAG = "use_haiku"


def set_to(world, value, **target):
    world.gitlab.state.set_feature(FLAG, value, **target)
    world.sync()


@pytest.fixture
def ahead(world):
    """GitLab is at 25 %, the plan at 1 %."""
    world.up_to("everyone", "active")
    set_to(world, "25", key="percentage_of_actors")
    return world


def give(world, answer, by="mia", *, days=5, kind="ahead", reason="a demo runs"):
    case = DriftCase.objects.open().get(kind=kind)
    ends_at = world.now() + timedelta(days=days) if answer == "accept" else None
    return drift_answers.give(Answer(answer), case, by=world.actor(by), reason=reason, ends_at=ends_at)


def codes(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.codes


def grant(world, waiver, by="alice"):
    return waivers.decide("grant", waiver, by=world.actor(by))


def state(world):
    return health.judge(world.facts()).health


def at_rest():
    assert [*unsettled(), *broken_chains(), *findings(), *illegal_walks()] == []


def test_restored_through_the_outbox(ahead, settings):
    settings.GITLAB_WRITES = "flags"
    give(ahead, "restore")
    write = GitLabWrite.objects.get(kind="set_gates")
    assert (write.asked_by, write.is_narrowing, write.wanted["percentage_of_actors"]) == ("mia", True, 1)
    assert codes(give, ahead, "restore") == {"being_written"}
    while outbox.work().ids:
        pass
    ahead.sync()
    case = DriftCase.objects.get()
    assert (case.state, case.ending, case.answered_by) == ("ended", "restored", "mia")
    assert ahead.rollout().drift == "none"
    at_rest()


def test_where_people_set_flags_a_restore_is_noted_and_nothing_is_written(ahead):
    give(ahead, "restore")
    assert not GitLabWrite.objects.filter(kind="set_gates").exists()
    set_to(ahead, "1", key="percentage_of_actors")
    assert DriftCase.objects.get().ending == "restored"


def test_who_may_restore_and_why_not(ahead):
    assert codes(give, ahead, "restore", "vic") == {"role"}
    assert codes(give, ahead, "restore", reason=" ") == {"reason_missing"}
    case = DriftCase.objects.get()
    set_to(ahead, "1", key="percentage_of_actors")
    restore = drift_answers.blockers_of(Answer.RESTORE, case, ahead.actor("mia"))
    assert {one.code for one in restore} == {"case_over"}


def test_accepted_by_somebody_else_for_a_while(ahead, time_machine):
    waiver = give(ahead, "accept")
    assert state(ahead) == "drifting"
    assert codes(grant, ahead, waiver, "mia") >= {"four_eyes"}
    grant(ahead, waiver)
    assert state(ahead) == "accepted"
    case = DriftCase.objects.get()
    assert (case.state, case.waiver_id) == ("open", waiver.pk)
    with pytest.raises(Refused) as refused:  # it stands, and nobody more is let in
        ahead.do("advance", "everyone", "mia")
    assert "not_confirmed" in refused.value.codes
    at_rest()
    ahead.let_pass(time_machine, days=6)
    ahead.sync()
    assert Waiver.objects.get().state == "expired"
    assert state(ahead) == "drifting"
    at_rest()


def test_what_was_accepted_counts_again_when_gitlab_moves(ahead):
    grant(ahead, give(ahead, "accept"))
    set_to(ahead, "60", key="percentage_of_actors")
    assert state(ahead) == "drifting"
    waiver = Waiver.objects.get()
    assert (waiver.state, waiver.closed_by) == ("ended", "approvals")
    assert AuditEvent.objects.filter(verb="waiver.over").count() == 1
    at_rest()


def test_what_has_ended_is_not_asked_any_more(ahead):
    waiver = give(ahead, "accept")
    set_to(ahead, "1", key="percentage_of_actors")
    assert Waiver.objects.get().state == "withdrawn"
    assert codes(grant, ahead, waiver) >= {"state"}
    at_rest()


def test_accepting_takes_an_end_and_no_more_than_a_month(ahead):
    case, mia = DriftCase.objects.get(), ahead.actor("mia")
    for days, code in ((None, "waiver_end"), (-1, "waiver_end"), (31, "waiver_end")):
        ends_at = None if days is None else ahead.now() + timedelta(days=days)
        assert codes(drift_answers.give, Answer.ACCEPT, case, by=mia, reason="x", ends_at=ends_at) == {code}
    assert not Waiver.objects.exists()


def test_the_plan_takes_over_a_step(ahead):
    waiver = give(ahead, "adopt")
    assert codes(grant, ahead, waiver, "mia") >= {"four_eyes"}
    assert ahead.phase("everyone").percentage == 1
    grant(ahead, waiver)
    assert ahead.phase("everyone").percentage == 25
    case = DriftCase.objects.get()
    assert (case.state, case.ending) == ("ended", "adopted")
    assert Waiver.objects.get().state == "adopted"
    assert ahead.rollout().drift == "none"
    ahead.sync()
    assert ahead.phase("everyone").confirmed_at is not None
    assert AuditEvent.objects.filter(verb="waiver.grant").count() == 1
    at_rest()


def test_a_step_that_was_not_planned_is_planned_by_it(ahead):
    set_to(ahead, "10", key="percentage_of_actors")
    grant(ahead, give(ahead, "adopt"))
    steps = ahead.phase("everyone").steps.order_by("percentage").values_list("percentage", flat=True)
    assert list(steps) == [1, 10, 25, 100]


def test_a_jump_takes_as_many_as_the_step_would(ahead):
    set_to(ahead, "60", key="percentage_of_actors")
    assert codes(give, ahead, "adopt") == {"approvals_needed"}


def test_the_plan_takes_over_a_named_actor(world):
    world.up_to("everyone", "active")
    set_to(world, "true", project="acme/app")
    case = DriftCase.objects.open().get()
    grant(world, give(world, "adopt", kind="foreign_actor"))
    assert case.what[0] in world.phase("team").actors
    assert (world.rollout().drift, DriftCase.objects.get().ending) == ("none", "adopted")
    at_rest()


def test_what_moved_since_it_was_asked_is_not_taken_over(ahead):
    waiver = give(ahead, "adopt")
    set_to(ahead, "20", key="percentage_of_actors")
    assert codes(grant, ahead, waiver) == {"moved_since"}
    assert ahead.phase("everyone").percentage == 1


@pytest.mark.parametrize(
    ("value", "target", "kind"),
    [("true", {}, "boolean"), ("false", {}, "behind"), ("30", {"key": "percentage_of_time"}, "wrong_gate")],
)
def test_what_no_phase_can_take_over_says_which_way_there_is(world, value, target, kind):
    world.up_to("everyone", "active")
    set_to(world, value, **target)
    assert codes(give, world, "adopt", kind=kind) == {"not_adoptable"}


def test_one_request_of_a_case_at_a_time(ahead):
    give(ahead, "accept")
    assert codes(give, ahead, "adopt") == {"another_waiver"}
    assert Waiver.objects.count() == 1


def test_under_a_change_lock_nobody_is_let_in_again(world, settings):
    world.up_to("everyone", "active")
    set_to(world, "false")
    once(world)
    settings.GITLAB_WRITES = "flags"
    assert codes(give, world, "restore", kind="behind") == {"change_lock"}
    assert not GitLabWrite.objects.filter(kind="set_gates").exists()


def test_a_flag_that_is_gone_must_come_back_first(world):
    world.up_to("everyone", "active")
    world.gitlab.state.delete_feature(FLAG)
    world.gitlab.state.remove_flag_definition(FLAG)
    world.sync()
    world.sync(full=True)
    assert codes(give, world, "restore", kind="missing") == {"flag_missing"}
