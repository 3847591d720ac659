"""Guards: every blocker at once, in words; four eyes and the role can't be overridden."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from rollouts.rules import approval_policy, guards, progress
from rollouts.rules.approval_policy import PhasePolicy, Policy
from rollouts.rules.approvals import Given
from rollouts.rules.capacity import Capacity
from rollouts.rules.checklist import Gate, ItemKind, Verdict
from rollouts.rules.expected import Audience, FlagReading, Opening, Presence
from rollouts.rules.exposure import NOBODY, Exposure
from rollouts.rules.facts import ItemFacts
from rollouts.rules.guards import Wish
from rollouts.rules.machine import PHASE_VERBS, PhaseState, Role
from rollouts.rules.ramp import Ramp, Step
from rollouts.rules.waivers import WaiverFacts
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
    codes,
    facts,
    given,
    phase,
    reading,
)


@pytest.mark.parametrize("verb", sorted(PHASE_VERBS))
@pytest.mark.parametrize("state", list(PhaseState))
def test_each_verb_is_refused_from_every_state_but_its_own(verb, state):
    found = codes(verb, facts(phase("team", state, TEAM, optional=True)), "team", ROOT, reason="because")
    assert ("state" in found) is (state not in PHASE_VERBS[verb].sources)


@pytest.mark.parametrize("verb", sorted(PHASE_VERBS))
def test_a_viewer_may_do_nothing(verb):
    for state in PHASE_VERBS[verb].sources:
        assert "role" in codes(verb, facts(phase("team", state, TEAM)), "team", VIC, reason="because")


def test_who_asked_may_not_approve_even_as_an_admin():
    by_root = facts(phase("team", "requested", TEAM, request=asked(requested_by="root")))
    assert codes("approve", by_root, "team", ROOT) == {"four_eyes"}
    assert codes("approve", by_root, "team", ALICE) == set()
    assert "four_eyes" in codes("approve", by_root, "team", ROOT, reason="I insist", override=True)


def test_who_wrote_the_plan_may_not_approve_it_unless_the_policy_says_so():
    by_alice = asked(authors=frozenset({"alice"}))
    assert codes("approve", facts(phase("team", "requested", TEAM, request=by_alice)), "team", ALICE) == {"four_eyes"}
    lenient = replace(by_alice, policy=Policy(author_may=True))
    assert codes("approve", facts(phase("team", "requested", TEAM, request=lenient)), "team", ALICE) == set()


def test_an_approval_is_for_what_was_seen():
    moved = facts(phase("team", "requested", TEAM, request=asked(stands="b", changed=("Plan: was x, is y.",))))
    (blocker,) = guards.blockers("approve", moved, "team", ALICE, Wish(seen="a"))
    assert blocker.code == "void"
    assert "Plan: was x, is y." in blocker.message


def test_what_was_approved_before_a_change_starts_nothing():
    moved = facts(phase("team", "approved", TEAM, request=asked(stands="b", given=given(ALICE))))
    assert codes("start", moved, "team", MIA) == {"approval_void"}
    assert "approval_void" in codes("start", moved, "team", ROOT, reason="now", override=True)


def test_an_approver_who_lost_the_role_no_longer_counts():
    left = Given("alice", NOW, "a", frozenset({Role.VIEWER}))
    lost = facts(phase("team", "approved", TEAM, request=asked(given=(left,))))
    assert codes("start", lost, "team", MIA) == {"approval_lost"}


def test_one_person_counts_once():
    twice = facts(phase("team", "requested", TEAM, request=asked(given=given(ALICE, ALICE), policy=Policy(needed=2))))
    assert codes("approve", twice, "team", ALICE) == {"decided"}
    assert not twice.phase("team").request.is_granted(NOW)


def test_an_expired_request_is_neither_approved_nor_used():
    late = asked(expires_at=NOW - timedelta(minutes=3), given=given(ALICE))
    assert "expired" in codes("approve", facts(phase("team", "requested", TEAM, request=late)), "team", ROOT)
    assert codes("start", facts(phase("team", "approved", TEAM, request=late)), "team", MIA) == {"approval_expired"}


def test_a_step_from_half_of_all_on_needs_a_request_of_its_own():
    ramp = Ramp((Step(25, timedelta(0)), Step(50, timedelta(0)), Step(100, timedelta(0))))
    everyone = phase("everyone", "active", replace(EVERYONE, ramp=ramp, step=25), confirmed_at=NOW)
    standing = facts(everyone, reading=reading(Exposure(percentage_of_actors=Decimal(25))))
    (missing,) = guards.blockers("advance", standing, "everyone", MIA)
    assert (missing.code, missing.message.partition(" needs ")[0]) == ("approval_missing", "Everyone to 50 %")
    target = standing.target(everyone)
    two = asked(target=target, policy=Policy(needed=2), given=given(ALICE, ROOT))
    approved = facts(replace(everyone, request=two), reading=standing.reading)
    assert codes("advance", approved, "everyone", MIA) == set()
    assert codes("advance", approved, "everyone", MIA, to=100) == {"approval_missing"}


@pytest.mark.parametrize(
    ("steps", "at", "to", "needed"),
    [
        ((1, 10, 25), 1, 10, None),
        ((1, 26, 27), 1, 27, 2),  # passes over 26 %
        ((1, 26, 27), 1, 26, None),  # 25 points
        ((1, 27, 28), 1, 27, 2),  # 26 points
    ],
)
def test_a_jump_needs_a_second_approver(steps, at, to, needed):
    ramp = Ramp(tuple(Step(step, timedelta(0)) for step in steps))
    opening = replace(EVERYONE, ramp=ramp, step=at, state="active")
    target = approval_policy.target(opening, Exposure(percentage_of_actors=Decimal(at)), is_start=False, to=to)
    policy = PhasePolicy().for_target(target)
    assert (policy.needed if policy else None) == needed


def test_all_at_once_is_a_jump():
    target = approval_policy.target(Opening("planned", Audience.ALL_AT_ONCE), NOBODY, is_start=True)
    assert PhasePolicy().for_target(target).needed == 2


def test_one_request_at_a_time():
    two = facts(phase("team", "requested", TEAM, request=asked()), phase("company", "planned", COMPANY))
    assert codes("request", two, "company", MIA) == {"another_request"}
    unused = facts(approved("team", TEAM), phase("company", "planned", COMPANY))  # it may go back to waiting
    assert codes("request", unused, "company", MIA) == {"another_request"}


def test_start_names_every_blocker_at_once():
    blocked = facts(
        phase("team", "planned", TEAM, optional=True),
        approved("company", COMPANY, unresolved=("user:zed",)),
        items=(
            ItemFacts(
                "plan", "Rollout plan", ItemKind.ISSUE, None, Gate.START, True, Verdict(False, "no issue is linked")
            ),
            ItemFacts("note", "A note", ItemKind.MANUAL, "company", Gate.START, False, Verdict(False, "open")),
        ),
        reading=reading(Exposure(boolean=True), age=timedelta(minutes=9)),
        capacity=Capacity(None, 42_000),
        others_live=("Another rollout",),
    )
    assert codes("start", blocked, "company", MIA) == {
        "item_open",
        "earlier_phase_open",
        "reading_stale",
        "flag_ahead",
        "flag_shared",
        "actors_unresolved",
        "capacity_unknown",
    }


def test_a_flag_that_gitlab_does_not_know_can_not_start():
    unknown = facts(approved("team", TEAM), reading=FlagReading(Presence.UNKNOWN, None, NOW, NOW))
    assert codes("start", unknown, "team", MIA) == {"flag_missing"}


def test_a_skipped_optional_phase_lets_the_next_one_start():
    two = facts(phase("team", "skipped", TEAM, optional=True), approved("company", COMPANY))
    assert codes("start", two, "company", MIA) == set()


def test_an_admin_may_override_start_with_a_reason_and_nobody_else():
    stale = facts(approved("team", TEAM), reading=reading(age=timedelta(hours=1)))
    sure = {"override": True, "confirm": "haiku"}
    assert codes("start", stale, "team", ROOT, reason="incident", **sure) == set()
    assert codes("start", stale, "team", ROOT, **sure) == {"reason_missing"}
    assert codes("start", stale, "team", MIA, reason="please", **sure) == {"role"}
    assert codes("start", stale, "team", ROOT, reason="incident", override=True) == {"confirmation_missing"}


def test_advance_goes_on_when_soak_is_over_and_gitlab_stands_exactly_there():
    assert codes("advance", at_25(), "everyone", MIA) == set()


def test_advance_before_the_soak_is_over_says_how_long():
    early = at_25(confirmed_at=NOW - timedelta(hours=20))
    (blocker,) = guards.blockers("advance", early, "everyone", MIA)
    assert blocker.message == "25 % must stand 4 h more."


def test_advance_with_the_flag_elsewhere_says_where_it_is():
    elsewhere = replace(at_25(), reading=reading(Exposure(percentage_of_actors=Decimal(50))))
    (blocker,) = guards.blockers("advance", elsewhere, "everyone", MIA)
    assert (blocker.code, blocker.message) == (
        "not_confirmed",
        "GitLab is at 50 % of actors, the plan at 25 % of actors.",
    )


def test_advance_needs_capacity_for_the_next_step():
    short = replace(at_25(), capacity=Capacity(10_000, 42_000))
    (blocker,) = guards.blockers("advance", short, "everyone", MIA)
    assert blocker.code == "capacity_short"
    assert "45 % needs 18,900 requests a minute, the quota is 10,000" in blocker.message


def test_percentage_of_time_never_satisfies_a_step():
    timed = replace(at_25(), reading=reading(Exposure(percentage_of_time=Decimal(25))))
    assert "not_confirmed" in codes("advance", timed, "everyone", MIA)


def test_complete_needs_all_users_for_the_final_soak():
    assert "not_whole" in codes("complete", at_25(), "everyone", MIA)
    whole = phase(
        "everyone",
        "active",
        replace(EVERYONE, step=100),
        confirmed_at=NOW - timedelta(hours=25),
        final_soak=timedelta(days=1),
    )
    boolean_on = facts(whole, reading=reading(Exposure(boolean=True)))
    assert codes("complete", boolean_on, "everyone", MIA) == set()
    early = facts(replace(whole, confirmed_at=NOW - timedelta(hours=1)), reading=reading(Exposure(boolean=True)))
    assert codes("complete", early, "everyone", MIA) == {"soak"}


@pytest.mark.parametrize("step", [None, 1, 99, Decimal("99.999")])
def test_less_than_all_is_not_whole(step):
    at_step = facts(phase("everyone", "active", replace(EVERYONE, step=step), confirmed_at=NOW))
    assert "not_whole" in codes("complete", at_step, "everyone", MIA)


@pytest.mark.parametrize(
    ("state", "opening", "confirmed_at", "is_known"),
    [
        ("active", replace(EVERYONE, step=100), NOW, True),
        ("paused", replace(EVERYONE, step=100), NOW, True),
        ("active", replace(EVERYONE, step=100), None, False),
        ("active", replace(EVERYONE, step=1), NOW, False),
        ("active", replace(EVERYONE, step=45), NOW, False),
        ("completed", replace(EVERYONE, step=100), NOW, False),
        ("approved", COMPANY, NOW, False),
        ("active", COMPANY, NOW, True),
    ],
)
def test_what_decides_about_an_end_is_known_once_gitlab_was_read_at_all_that_the_phase_opens(
    state, opening, confirmed_at, is_known
):
    blockers = progress.blockers_of_exit_item(phase("everyone", state, opening, confirmed_at=confirmed_at))
    assert [blocker.code for blocker in blockers] == ([] if is_known else ["too_early"])
    if opening.ramp and not is_known:
        assert "100 % of actors" in blockers[0].message


def test_complete_needs_its_decisions():
    open_decision = ItemFacts(
        "quota", "More quota?", ItemKind.DECISION, "company", Gate.COMPLETE, True, Verdict(False, "not decided yet")
    )
    company = phase("company", "active", COMPANY, confirmed_at=NOW)
    waiting = facts(company, items=(open_decision,), reading=reading(Exposure(groups=frozenset({"staff"}))))
    (blocker,) = guards.blockers("complete", waiting, "company", MIA)
    assert (blocker.code, blocker.where) == ("item_open", "#item-company-quota")


def test_only_an_optional_phase_is_skipped_on_a_waiver_and_only_with_a_reason():
    assert codes("skip", facts(phase("company", "planned", COMPANY)), "company", MIA, reason="no") == {"not_optional"}
    team = phase("team", "planned", TEAM, optional=True)
    assert codes("skip", facts(team), "team", MIA, reason="no") == {"waiver_missing"}
    waiver = WaiverFacts(1, "granted", "mia", "alice", "no", NOW + timedelta(days=1))
    assert codes("skip", facts(replace(team, waiver=waiver)), "team", MIA) == {"reason_missing"}
    assert codes("skip", facts(replace(team, waiver=waiver)), "team", MIA, reason="no") == set()
    over = replace(waiver, ends_at=NOW)
    assert codes("skip", facts(replace(team, waiver=over)), "team", MIA, reason="no") == {"waiver_over"}


def test_the_way_back_is_always_open():
    dark = replace(at_25(), reading=FlagReading(Presence.UNREAD, None, None, None), state="underway")
    assert codes("roll_back", dark, "everyone", MIA, reason="latency") == set()
    assert codes("roll_back", dark, "everyone", MIA) == {"reason_missing"}


def test_a_rollout_with_people_on_it_is_neither_abandoned_nor_closed():
    assert {b.code for b in guards.rollout_blockers("abandon", at_25(), MIA, reason="x")} == {"phase_live"}
    done = replace(at_25(), state="completed")
    assert {b.code for b in guards.rollout_blockers("close", done, MIA)} == {"flag_still_set"}
    gone = replace(done, reading=FlagReading(Presence.UNKNOWN, None, NOW, NOW))
    assert guards.rollout_blockers("close", gone, MIA) == []


@pytest.mark.parametrize(
    ("ends", "presence", "is_overdue"),
    [
        (None, Presence.SET, False),
        (NOW.date(), Presence.SET, False),
        (NOW.date() - timedelta(days=1), Presence.SET, True),
        (NOW.date() - timedelta(days=1), Presence.UNKNOWN, False),
    ],
)
def test_a_flag_that_has_outlived_its_type_is_overdue(ends, presence, is_overdue):
    assert facts(lifetime_ends=ends, reading=reading(presence=presence)).is_overdue is is_overdue


@pytest.mark.parametrize("to", [1, 25, 26])
def test_no_step_goes_where_it_stands_or_back(to):
    opening = replace(EVERYONE, step=Decimal(25))
    assert approval_policy.target(opening, NOBODY, is_start=False, to=Decimal(to)) is None
    assert approval_policy.target(opening, NOBODY, is_start=False, to=Decimal(100)).passes_over == (45,)
    assert approval_policy.target(opening, NOBODY, is_start=True).percentage == 1


def test_a_ramp_without_a_step_lets_nobody_in():
    assert EVERYONE.exposure == NOBODY
    assert COMPANY.reach_at(None) == 0
