"""What must happen next, and whose turn it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from rollouts.rules import guards, health
from rollouts.rules.approval_policy import Policy
from rollouts.rules.checklist import Gate, ItemKind, Verdict
from rollouts.rules.expected import Presence
from rollouts.rules.exposure import NOBODY, Exposure
from rollouts.rules.facts import ItemFacts
from rollouts.rules.machine import Role
from rollouts.rules.next_action import Waits, next_action
from rollouts.rules.people import ANYBODY, Person
from tests.rules.situations import (
    ALICE,
    COMPANY,
    EVERYONE,
    MIA,
    NOW,
    ROOT,
    TEAM,
    VIC,
    approved,
    asked,
    at_25,
    facts,
    given,
    phase,
    reading,
)

IN_TEAM = reading(Exposure(actors=frozenset({"User:1"})))


def item(title, *, done=False, gate=Gate.START):
    return ItemFacts(title, title, ItemKind.MANUAL, "team", gate, True, Verdict(done, "not confirmed yet"))


def told(found):
    action = next_action(found)
    return str(action.words), str(action.detail), action.verb, str(action.waits.words) if action.waits else None


def test_a_rollout_that_is_over_waits_for_nobody():
    found = facts(phase("team", "planned", TEAM), state="abandoned")
    assert told(found) == ("Nothing", "The rollout is abandoned.", "", None)


def test_drift_that_somebody_else_let_stand_waits_for_its_end_and_no_longer():
    until = NOW + timedelta(hours=2)
    found = facts(phase("team", "planned", TEAM), reading=reading(Exposure(boolean=True)))
    held = replace(found, accepted=frozenset({"boolean"}), accepted_until=until)
    assert told(held) == ("Nothing until 23 Nov 14:00 UTC", "the drift is accepted", "", None)
    assert health.judge(held).health == "accepted"
    for counts in (
        replace(held, now=until),
        replace(held, accepted=frozenset({"ahead"})),
        replace(held, accepted_until=None),
    ):
        assert health.judge(counts).health == "drifting"
        assert told(counts)[0].startswith("Set the flag back to")


def test_a_flag_that_is_ahead_is_set_back_before_anything_else():
    found = facts(phase("team", "planned", TEAM), reading=reading(Exposure(boolean=True)))
    words, _, verb, whose = told(found)
    assert (words.startswith("Set the flag back to"), verb, whose) == (True, "", "a manager")


def test_less_than_planned_is_waiting_while_a_phase_runs_and_drift_once_all_are_done():
    team = phase("team", "active", TEAM)
    assert told(facts(team))[0].startswith("Set the flag to")
    done = phase("team", "completed", TEAM)
    assert told(facts(done, state="completed"))[0].startswith("Set the flag back to")


def test_when_all_is_done_the_flag_goes_and_then_the_rollout_closes():
    done = phase("team", "completed", TEAM)
    assert told(facts(done, state="completed", reading=IN_TEAM))[0] == "Remove the flag"
    gone = facts(done, state="completed", reading=reading(presence=Presence.UNKNOWN))
    assert told(gone) == ("Close the rollout", "the flag is gone", "close", "a manager")


def test_what_is_open_is_named_with_how_much_more_there_is():
    planned = phase("team", "planned", TEAM)
    assert told(facts(planned)) == ("Ask for Team", "nothing is missing", "request", "a manager")
    one = facts(planned, items=(item("Plan"), item("Done", done=True), item("Later", gate=Gate.COMPLETE)))
    assert told(one) == ("Still open: Plan", "not confirmed yet", "", "a manager")
    three = facts(planned, items=(item("Plan"), item("Dashboard"), item("Channel")))
    assert told(three)[:2] == ("Still open: Plan", "not confirmed yet, and 2 more")


def requested(**more):
    return facts(phase("team", "requested", TEAM, request=asked(**more)))


def test_a_request_waits_for_approvers_who_are_not_in_it():
    assert told(requested())[1:] == ("asked by mia", "approve", "an approver")
    two = requested(policy=Policy(needed=2), given=given(ALICE))
    assert told(two)[1] == "asked by mia, 1 of 2 approvals"
    assert next_action(two).waits.never == {"mia", "alice"}
    seen_before = requested(policy=Policy(needed=2), given=given(ALICE, digest="earlier"), authors=frozenset({"sam"}))
    assert next_action(seen_before).waits.never == {"mia", "sam"}
    free = requested(policy=Policy(requester_may=True, author_may=True), authors=frozenset({"sam"}))
    assert next_action(free).waits.never == frozenset()


@pytest.mark.parametrize("more", [{"expires_at": NOW}, {"stands": "b"}])
def test_a_request_that_is_settled_first_waits_for_nobody(more):
    assert next_action(requested(**more)).waits is None


def test_an_approved_phase_starts_or_says_what_it_lacks_first():
    assert told(facts(approved("team", TEAM))) == ("Start Team", "approved", "start", "a manager")
    blocked = facts(approved("team", TEAM), items=(item("Plan"), item("Dashboard")))
    assert told(blocked)[:3] == (
        "Before Team starts",
        str(guards.blockers("start", blocked, "team", ANYBODY)[0].message),
        "",
    )
    assert "Plan" in told(blocked)[1]


def test_the_flag_follows_and_then_the_next_step_or_the_end():
    assert told(at_25())[:3] == ("Advance to 45 %", "nothing blocks it", "advance")
    company = phase("company", "active", COMPANY, confirmed_at=NOW)
    whole = facts(company, reading=reading(Exposure(groups=frozenset({"staff"}))))
    assert told(whole)[:3] == ("Complete Company", "nothing blocks it", "complete")
    behind = facts(phase("company", "active", COMPANY), reading=reading(NOBODY))
    words, detail, verb, _ = told(behind)
    assert (words.startswith("Set the flag to"), detail.startswith("GitLab: "), verb) == (True, True, "")


def test_a_soak_alone_waits_for_time_and_says_until_when():
    early = next_action(at_25(confirmed_at=NOW - timedelta(hours=1)))
    assert (early.waits, early.verb, early.until) == (None, "advance", NOW + timedelta(hours=23))
    locked = next_action(replace(at_25(confirmed_at=NOW - timedelta(hours=1)), locks_unread=("releases",)))
    assert locked.until is None


def test_a_step_that_needs_approval_is_asked_for():
    at_45 = phase("everyone", "active", replace(EVERYONE, step=45), confirmed_at=NOW - timedelta(hours=1))
    found = facts(at_45, reading=reading(Exposure(percentage_of_actors=Decimal(45))))
    assert told(found)[::2] == ("Ask for 100 %", "request")


@pytest.mark.parametrize(
    ("state", "words", "detail", "verb"),
    [("paused", "Resume Team", "paused", "resume"), ("rolled_back", "Try Team again", "rolled back", "retry")],
)
def test_a_phase_that_stands_still_goes_on_by_its_verb(state, words, detail, verb):
    found = facts(phase("team", state, TEAM), reading=IN_TEAM if state == "paused" else reading())
    assert told(found)[:3] == (words, detail, verb)


def test_where_a_rollout_has_owners_it_is_their_turn():
    owned = facts(phase("team", "planned", TEAM), owners=("mia", "kim"))
    assert told(owned)[3] == "kim or mia"
    assert [next_action(owned).waits.admits(person) for person in (MIA, ALICE, ROOT)] == [True, False, False]


def test_who_fits_by_role_or_group_and_is_not_in_it():
    waits = Waits(frozenset({Role.APPROVER}), frozenset({"release"}), never=frozenset({"alice"}))
    assert waits.words == "an approver or the group release"
    release = Person("kim", "kim", frozenset({Role.VIEWER}), groups=frozenset({"release"}))
    twin = replace(release, twins=frozenset({"alice"}))
    assert [waits.admits(person) for person in (ROOT, release, VIC, MIA, ALICE, twin)] == [True, True, *[False] * 4]
