"""What a person may press, and which of it must happen next."""

from __future__ import annotations

from rollouts.rules import offers
from rollouts.rules.next_action import next_action
from tests.rules.test_guards import COMPANY, MIA, ROOT, TEAM, VIC, approved, at_25, facts, phase


def standing_out(found, name, person):
    (of_name,) = (one for one in found.phases if one.name == name)
    return {offer.verb for offer in offers.of_phase(found, of_name, person) if offer.stands_out}


def test_what_must_happen_next_stands_out_on_its_phase_alone():
    found = facts(approved("team", TEAM), phase("company", "planned", COMPANY))
    assert (next_action(found).verb, next_action(found).phase) == ("start", "team")
    assert standing_out(found, "team", MIA) == {"start"}
    assert standing_out(found, "company", MIA) == set()


def test_a_ramp_goes_on_before_it_is_completed():
    coming = next_action(at_25())
    assert (coming.verb, coming.words) == ("advance", "Advance to 45 %")
    assert standing_out(at_25(), "everyone", MIA) == {"advance"}


def test_who_may_only_look_is_offered_nothing():
    assert offers.of_phase(at_25(), at_25().phases[0], VIC) == ()


def test_only_what_is_blocked_and_can_be_overridden_by_this_person_is_offered_so():
    def overridable(found, person):
        return {offer.verb for offer in offers.of_phase(found, found.phases[0], person) if offer.may_override}

    free, early = at_25(), at_25(confirmed_at=at_25().now)
    assert "advance" not in overridable(free, ROOT)
    assert "advance" in overridable(early, ROOT)
    assert overridable(early, MIA) == set()
