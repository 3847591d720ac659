"""Guards: every blocker at once, in words; four eyes and the role can't be overridden."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from rollouts.rules import guards
from rollouts.rules.capacity import Capacity
from rollouts.rules.checklist import Gate, ItemKind, Verdict
from rollouts.rules.expected import Audience, FlagReading, Opening, Presence
from rollouts.rules.exposure import NOBODY, Exposure
from rollouts.rules.facts import ItemFacts, Person, PhaseFacts, RolloutFacts
from rollouts.rules.machine import PHASE_VERBS, PhaseState, Role
from rollouts.rules.ramp import Ramp, Step

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MIA = Person("mia", "mia", frozenset({Role.MANAGER}))
ALICE = Person("alice", "alice", frozenset({Role.APPROVER}))
ROOT = Person("root", "root", frozenset({Role.ADMIN}))
VIC = Person("vic", "vic", frozenset({Role.VIEWER}))
RAMP = Ramp((Step(1, timedelta(minutes=15)), Step(25, timedelta(hours=24)), Step(100, timedelta(0))))


def phase(name, state, opening, **more):
    return PhaseFacts(
        name=name,
        title=name.capitalize(),
        state=state,
        opening=replace(opening, state=state),
        **{"optional": False, **more},
    )


TEAM = Opening("planned", Audience.ACTORS, actors=frozenset({"User:1"}))
COMPANY = Opening("planned", Audience.GROUPS, groups=frozenset({"staff"}))
EVERYONE = Opening("planned", Audience.PERCENTAGE, ramp=RAMP)


def reading(exposure=NOBODY, *, age=timedelta(seconds=40), presence=Presence.SET):
    return FlagReading(presence, exposure, NOW - timedelta(days=2), NOW - age)


def facts(*phases, **more):
    return RolloutFacts(
        **{
            "state": "underway",
            "phases": phases,
            "items": (),
            "flag": "use_haiku",
            "reading": reading(),
            "capacity": Capacity(60_000, 42_000),
            "freshness": timedelta(minutes=5),
            "now": NOW,
            **more,
        }
    )


def codes(verb, found, name, person, **more):
    return {blocker.code for blocker in guards.blockers(verb, found, name, person, **more)}


def at_25(confirmed_at=NOW - timedelta(hours=26), **more):
    everyone = phase("everyone", "active", replace(EVERYONE, step=25), confirmed_at=confirmed_at)
    return facts(everyone, reading=reading(Exposure(percentage_of_actors=Decimal(25))), **more)


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
    asked = facts(phase("team", "requested", TEAM, requested_by="root"))
    assert codes("approve", asked, "team", ROOT) == {"four_eyes"}
    assert codes("approve", asked, "team", ALICE) == set()
    assert "four_eyes" in codes("approve", asked, "team", ROOT, reason="I insist", override=True)


def test_a_request_is_stale_when_what_was_asked_for_changed():
    asked = facts(phase("team", "requested", TEAM, requested_by="mia", asked_digest="a", digest="b"))
    assert codes("approve", asked, "team", ALICE) == {"request_stale"}
    approved = facts(phase("team", "approved", TEAM, asked_digest="a", digest="b"))
    assert "request_stale" in codes("start", approved, "team", MIA)


def test_one_request_at_a_time():
    two = facts(phase("team", "requested", TEAM), phase("company", "planned", COMPANY))
    assert codes("request", two, "company", MIA) == {"another_request"}


def test_start_names_every_blocker_at_once():
    blocked = facts(
        phase("team", "planned", TEAM, optional=True),
        phase("company", "approved", COMPANY, unresolved=("user:zed",)),
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
    unknown = facts(phase("team", "approved", TEAM), reading=FlagReading(Presence.UNKNOWN, None, NOW, NOW))
    assert codes("start", unknown, "team", MIA) == {"flag_missing"}


def test_a_skipped_optional_phase_lets_the_next_one_start():
    two = facts(phase("team", "skipped", TEAM, optional=True), phase("company", "approved", COMPANY))
    assert codes("start", two, "company", MIA) == set()


def test_an_admin_may_override_start_with_a_reason_and_nobody_else():
    stale = facts(phase("team", "approved", TEAM), reading=reading(age=timedelta(hours=1)))
    assert codes("start", stale, "team", ROOT, reason="incident", override=True) == set()
    assert codes("start", stale, "team", ROOT, override=True) == {"reason_missing"}
    assert codes("start", stale, "team", MIA, reason="please", override=True) == {"role"}


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
    short = replace(at_25(), capacity=Capacity(20_000, 42_000))
    (blocker,) = guards.blockers("advance", short, "everyone", MIA)
    assert blocker.code == "capacity_short"
    assert "100 % needs 42,000 requests a minute, the quota is 20,000" in blocker.message


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


def test_complete_needs_its_decisions():
    open_decision = ItemFacts(
        "quota", "More quota?", ItemKind.DECISION, "company", Gate.COMPLETE, True, Verdict(False, "not decided yet")
    )
    company = phase("company", "active", COMPANY, confirmed_at=NOW)
    waiting = facts(company, items=(open_decision,), reading=reading(Exposure(groups=frozenset({"staff"}))))
    (blocker,) = guards.blockers("complete", waiting, "company", MIA)
    assert (blocker.code, blocker.where) == ("item_open", "#item-company-quota")


def test_only_an_optional_phase_is_skipped_and_only_with_a_reason():
    assert codes("skip", facts(phase("company", "planned", COMPANY)), "company", MIA, reason="no") == {"not_optional"}
    assert codes("skip", facts(phase("team", "planned", TEAM, optional=True)), "team", MIA) == {"reason_missing"}


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
