"""Where rollouts wait: each part of a phase's time is spent on one thing, and page, API and command tell the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules.locks import Window
from rollouts.rules.machine import PhaseState
from rollouts.rules.waits import Spent, Stretch, spent, usual
from rollouts.services import tokens, waits
from tests.api.scripts import Script
from tests.markup import flat
from tests.portal.pages import signed_in

MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hours):
    return MONDAY + hours * HOUR


def test_what_each_hour_was_spent_on():
    stretches = [
        Stretch("Team", at(0), at(2), PhaseState.PLANNED),
        Stretch("Team", at(2), at(5), PhaseState.REQUESTED, is_asked=True),
        Stretch("Team", at(5), at(9), PhaseState.APPROVED),
        Stretch("Team", at(9), at(10), PhaseState.ACTIVE),
        Stretch("Team", at(10), at(20), PhaseState.ACTIVE, soaked_at=at(16)),
        Stretch("Team", at(20), at(21), PhaseState.PAUSED),
    ]
    assert spent(stretches, [Window(at(6), at(8)), Window(at(15), at(17))]) == {
        ("Team", Spent.CHECKLIST): 2 * HOUR,
        ("Team", Spent.APPROVAL): 3 * HOUR,
        ("Team", Spent.LOCK): 3 * HOUR,
        ("Team", Spent.GITLAB): HOUR,
        ("Team", Spent.SOAK): 6 * HOUR,
        ("Team", Spent.HELD): 6 * HOUR,
    }


@given(
    st.lists(
        st.tuples(
            st.integers(1, 50),
            st.sampled_from(list(PhaseState)),
            st.none() | st.integers(-20, 80),
            st.booleans(),
        ),
        max_size=20,
    )
)
def test_the_parts_are_the_whole(lengths):
    now, stretches = 0, []
    for hours, state, soaked, is_asked in lengths:
        soaked_at = None if soaked is None else at(now + soaked)
        stretches.append(Stretch("Team", at(now), at(now + hours), state, soaked_at, is_asked))
        now += hours
    parts = spent(stretches, [Window(at(3), at(9)), Window(at(20), at(44))])
    assert sum(parts.values(), timedelta(0)) == now * HOUR
    assert all(length > timedelta(0) for length in parts.values())


def test_who_spent_nothing_on_it_counts_with_nothing():
    key = ("Team", Spent.LOCK)
    assert usual([{key: HOUR}, {}, {key: 3 * HOUR}])[key] == HOUR


@pytest.fixture
def completed(world, time_machine):
    """The owning team's start waits two hours for its yes and three for a hand; the rest takes no time to tell of."""
    time_machine.move_to(MONDAY, tick=True)
    world.up_to("team", "requested")
    world.let_pass(time_machine, hours=2)
    world.approve("team")
    world.let_pass(time_machine, hours=3)
    world.up_to("everyone", "completed")
    return world


@pytest.mark.django_db
def test_page_api_and_command_tell_where_they_wait_and_the_lead_time_by_month(completed, capsys):
    since, until = MONDAY - timedelta(days=1), completed.now() + HOUR
    lengths = {(wait.phase, wait.what): wait.length for wait in waits.of_period(since, until)}
    minute = timedelta(minutes=1)
    assert abs(lengths["Owning team", Spent.APPROVAL] - 2 * HOUR) < minute
    assert abs(lengths["Owning team", Spent.HELD] - 3 * HOUR) < minute
    rollout = completed.rollout()
    whole = rollout.completed_at - rollout.created_at
    assert abs(sum(lengths.values(), timedelta(0)) - whole) < timedelta(seconds=2)  # events are told a moment later
    _, token = tokens.issue(completed.people["mia"], "report", completed.actor("mia"))
    report = Script(token).get("/reports", {"from": "2026-11-15", "to": "2026-11-30"}).json()
    assert {(one["phase"], one["what"]) for one in report["waits"]} == {(p, str(w)) for p, w in lengths}
    ((month, count),) = [(one["month"], one["count"]) for one in report["months"]]
    assert (month, count) == ("2026-11", 1)
    call_command("report", "--from", "2026-11-15", "--to", "2026-11-30", "--json")
    assert json.loads(capsys.readouterr().out)["waits"] == report["waits"]
    call_command("report", "--from", "2026-11-15", "--to", "2026-11-30")
    assert "Owning team: waiting for approval: 2 h (median of 1)" in capsys.readouterr().out
    page = flat(signed_in(completed, "mia").get("/reports/?from=2026-11-15&to=2026-11-30"))
    assert "Where rollouts wait" in page
    assert "Lead time by month" in page
    assert 'class="own" width="100.00%"' in page


@pytest.mark.django_db
def test_where_nothing_was_completed_nothing_is_told(world, capsys):
    world.apply()
    assert waits.of_period(world.now() - HOUR, world.now() + HOUR) == ()
    with pytest.raises(Exception, match="ends before it begins"):
        call_command("report", "--from", "2026-11-30", "--to", "2026-11-15")
