"""Drift as a case: opened and ended by what is read, one of each class, each with an event in the same transaction."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, ChecklistItem, DriftCase
from rollouts.models.guarded import StateIsProtected
from rollouts.services import reports, transitions
from tests.at_rest import broken_chains, findings, unsettled

pytestmark = pytest.mark.django_db
FLAG = "use_haiku"


def set_to(world, value, **target):
    world.gitlab.state.set_feature(FLAG, value, **target)
    world.sync()


def cases():
    return list(DriftCase.objects.order_by("pk").values_list("kind", "state", "ending"))


def told():
    return list(AuditEvent.objects.filter(verb__startswith="drift.").order_by("pk").values_list("verb", "object_type"))


def test_a_case_opens_and_ends_by_itself_and_stays_in_the_history(world):
    world.up_to("everyone", "active")
    set_to(world, "50", key="percentage_of_actors")
    case = DriftCase.objects.get()
    assert (case.kind, case.state, case.owner) == ("ahead", "open", "mia")
    assert case.since == world.rollout().drift_since
    assert (str(case.read_words), str(case.plan_words)) != ("", "")
    set_to(world, "60", key="percentage_of_actors")
    assert cases() == [("ahead", "open", "")]  # it is the same one
    set_to(world, "1", key="percentage_of_actors")
    assert cases() == [("ahead", "ended", "itself")]
    set_to(world, "50", key="percentage_of_actors")
    assert cases() == [("ahead", "ended", "itself"), ("ahead", "open", "")]
    assert told() == [("drift.began", "DriftCase"), ("drift.ended", "DriftCase"), ("drift.began", "DriftCase")]
    began = AuditEvent.objects.filter(verb="drift.began").earliest("pk")
    assert began.after[f"Rollout {world.rollout().pk}: {world.rollout().title}"]["drift"] == "ahead"
    assert [*unsettled(), *broken_chains(), *findings()] == []


def test_each_class_is_a_case_of_its_own(world):
    world.up_to("everyone", "active")
    world.gitlab.state.set_feature(FLAG, "50", key="percentage_of_actors")
    set_to(world, "true", project="acme/app")
    assert {(case.kind, tuple(case.what)) for case in DriftCase.objects.open()} >= {("ahead", ())}
    assert sorted(case.kind for case in DriftCase.objects.open()) == ["ahead", "foreign_actor"]
    set_to(world, "false", project="acme/app")
    assert cases() != []
    assert [case.kind for case in DriftCase.objects.open()] == ["ahead"]
    (first, second) = [one["kind"] for one in reports.of_rollout("haiku", world.now()).as_json()["drift"]]
    assert {str(first), str(second)} == {"ahead", "foreign actor"}


def test_what_gitlab_has_not_done_yet_is_no_case_until_it_has_followed_once(world):
    world.up_to("everyone", "approved")
    world.do("start", "everyone", "mia")
    world.sync()
    assert (world.rollout().drift, cases()) == ("behind", [])
    world.obey()
    assert cases() == []
    set_to(world, "false")
    assert [kind for kind, *_ in cases()] == ["behind"]
    world.sync()
    assert cases() == [("behind", "open", "")]
    world.obey()
    assert cases() == [("behind", "ended", "itself")]


def test_the_flag_on_for_everyone_hides_the_gates(world):
    world.up_to("everyone", "active")
    set_to(world, "true")
    assert cases() == [("boolean", "open", "")]


def test_when_the_rollout_is_over_its_cases_are(world):
    world.up_to("everyone", "active")
    set_to(world, "50", key="percentage_of_actors")
    world.do("roll_back", "team", "mia", reason="it was slow")
    assert sorted(kind for kind, *_ in cases()) == ["ahead", "foreign_actor"]
    transitions.perform_on_rollout("abandon", world.rollout(), by=world.actor("mia"), reason="no longer wanted")
    assert sorted(cases()) == [("ahead", "ended", "over"), ("foreign_actor", "ended", "over")]
    assert [*unsettled(), *broken_chains(), *findings()] == []


def test_one_open_case_of_a_class_and_no_state_but_by_a_transition(world):
    world.up_to("everyone", "active")
    set_to(world, "50", key="percentage_of_actors")
    case = DriftCase.objects.get()
    same = {"rollout": case.rollout, "kind": "ahead", "since": case.since, "found_at": case.found_at}
    with pytest.raises(IntegrityError), transaction.atomic(), recorded("x", by=Actor.system_user()):
        DriftCase.objects.create(**same)
    with pytest.raises(StateIsProtected), recorded("x", by=Actor.system_user()):
        DriftCase(**same, state="ended", ending="itself", ended_at=case.found_at).save()
    with pytest.raises(AttributeError):
        case.state = "ended"
    assert case.lasted(case.since + timedelta(hours=2)) == timedelta(hours=2)


def test_an_issue_that_had_to_be_closed_and_is_open_again_is_a_case(world):
    world.up_to("team", "active")
    world.gitlab.state.set_issue("acme/app", 13, state="closed")
    world.sync(full=True)
    with recorded("test", by=world.actor("root")):
        item = ChecklistItem.objects.get(key="internal_rollout")
        item.kind, item.gate, item.phase = "issue_closed", "start", world.phase("team")
        item.save()
    world.sync(full=True)
    assert cases() == []
    world.gitlab.state.set_issue("acme/app", 13, state="opened")
    world.sync(full=True)
    case = DriftCase.objects.get()
    assert (case.kind, case.state, case.what) == ("reopened", "open", [item.title])
    assert world.rollout().drift == "none"
    world.gitlab.state.set_issue("acme/app", 13, state="closed")
    world.sync(full=True)
    assert cases() == [("reopened", "ended", "itself")]
