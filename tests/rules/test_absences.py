"""Who is asked instead of whom, at every moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules.absences import Away, blockers_of_away, stand_ins
from rollouts.rules.machine import Role

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
APPROVER = frozenset({Role.APPROVER, Role.VIEWER})
names = st.sampled_from("abcdef")
days = st.integers(-5, 5).map(lambda n: NOW + timedelta(days=n))
aways = st.builds(Away, names, names, days, days)


def kept(wanted):
    """Those of the wanted ones that the rules let in, one after the other."""
    known = []
    for one in wanted:
        if not blockers_of_away(one, known, APPROVER, APPROVER, NOW - timedelta(days=9)):
            known.append(one)
    return known


@given(st.lists(aways, max_size=12), days)
def test_who_is_let_in_is_never_asked_in_a_circle_and_nobody_away_is_asked(wanted, moment):
    known = kept(wanted)
    away = {one.person for one in known if one.holds(moment)}
    found = stand_ins(known, moment)
    assert found.keys() == away, "everybody who is away has somebody: no circle"
    assert not away.intersection(found.values())


@given(st.lists(aways, max_size=12), days)
def test_whatever_is_stored_nobody_away_is_asked_instead(stored, moment):
    found = stand_ins(stored, moment)
    away = {one.person for one in stored if one.holds(moment)}
    assert not away.intersection(found.values())
    assert found.keys() <= away


def codes(wanted, known=(), roles=APPROVER, instead_roles=APPROVER):
    return {each.code for each in blockers_of_away(wanted, known, roles, instead_roles, NOW)}


def test_each_fault_is_named():
    week = (NOW, NOW + timedelta(days=7))
    ok = Away("a", "b", *week)
    assert codes(ok) == set()
    assert codes(Away("a", "a", *week)) == {"name"}
    assert codes(Away("a", "b", *reversed(week))) == {"time"}
    assert codes(Away("a", "b", NOW - timedelta(days=9), NOW)) == {"time"}
    assert codes(Away("a", "b", NOW, NOW + timedelta(days=400))) == {"time"}
    assert codes(ok, instead_roles=frozenset({Role.MANAGER})) == {"name"}
    assert codes(ok, instead_roles=frozenset({Role.ADMIN})) == set()
    assert codes(ok, roles=frozenset({Role.VIEWER})) == {"not_asked"}
    assert codes(ok, [Away("a", "c", *week)]) == {"away_already"}
    assert codes(ok, [Away("b", "c", *week), Away("c", "a", *week)]) == {"circle"}
    assert codes(ok, [Away("b", "a", week[1], week[1] + timedelta(days=1))]) == set()
