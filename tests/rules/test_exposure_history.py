"""Exposure over time: what was not read is never drawn, the plan rises but for roll backs, drift is not waiting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from rollouts.rules import exposure_history
from rollouts.rules.expected import Drift
from rollouts.rules.exposure import EVERYONE, NOBODY, Exposure
from rollouts.rules.exposure_history import ExposureStretch, Move, Read

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FRESH = timedelta(minutes=5)
END = NOON + 240 * HOUR


def at(hours):
    return NOON + hours * HOUR


def share(percentage):
    return Exposure(percentage_of_actors=Decimal(percentage))


hours = some.integers(0, 240)
exposures = some.sampled_from([NOBODY, EVERYONE, share(1), share(25), Exposure(groups=frozenset({"acme"})), None])
readings = some.lists(some.builds(Read, hours.map(at), exposures), max_size=12)
gaps = some.lists(
    some.tuples(hours, some.integers(1, 40)).map(lambda gap: (at(gap[0]), at(gap[0] + gap[1]))), max_size=6
)


@given(readings, gaps, hours.map(at))
def test_what_was_not_read_is_in_no_stretch(reads, unread, until):
    found = exposure_history.read(reads, unread, until)
    assert all(one.end <= two.start for one, two in pairwise(found))
    for stretch in found:
        assert stretch.start < stretch.end <= until
        assert not any(start < stretch.end and end > stretch.start for start, end in unread)
        assert any(read.at <= stretch.start and read.exposure == stretch.exposure for read in reads)


@given(readings, gaps, some.lists(some.tuples(hours, some.integers(0, 100)), max_size=8))
def test_plan_and_readings_side_by_side_leave_no_moment_out_and_invent_none(reads, unread, steps):
    plan = exposure_history.planned([Move(at(hour), 0, share(percentage)) for hour, percentage in steps], NOON, END)
    read = exposure_history.read(reads, unread, END)
    pieces = exposure_history.compared(plan, read)
    assert (pieces[0].start, pieces[-1].end) == (NOON, END)
    assert all(one.end == two.start for one, two in pairwise(pieces))
    for piece in pieces:
        held = exposure_history.at(read, piece.start)
        assert piece.is_known == (held is not None)
        if held is not None:
            assert (held.exposure, held.end >= piece.end) == (piece.read, True)
        else:
            assert not piece.drifts


@given(
    some.lists(
        some.tuples(some.integers(1, 200), some.integers(0, 2), some.sampled_from(["climb", "climb", "roll_back"])),
        max_size=20,
        unique_by=lambda move: move[0],
    )
)
def test_the_plan_only_falls_when_somebody_rolls_back(told):
    levels, moves, fell_at = [0, 0, 0], [], set()
    for hour, position, what in sorted(told):
        if what == "roll_back":
            levels[position:] = [0] * (3 - position)
            moves.append(Move(at(hour), position, None))
            fell_at.add(at(hour))
        else:
            levels[position] = min(100, levels[position] + 10)
            moves.append(Move(at(hour), position, share(levels[position])))
    plan = exposure_history.planned(moves, NOON, END)
    assert (plan[0].start, plan[-1].end) == (NOON, END)
    for before, after in pairwise(plan):
        assert before.end == after.start
        assert after.reach >= before.reach or after.start in fell_at
    assert plan[-1].reach * 100 == max(levels)


def test_a_night_without_readings_is_a_gap_and_a_reading_by_hand_holds_in_it_for_a_while():
    reads = [Read(at(0), share(10)), Read(at(6), share(25)), Read(at(12), share(25))]
    unread = exposure_history.holes((at(0), at(14)), [(at(4), at(10))], [(at(6), at(6) + FRESH)])
    found = exposure_history.read(reads, unread, at(14))
    assert found == (
        ExposureStretch(at(0), at(4), share(10)),
        ExposureStretch(at(6), at(6) + FRESH, share(25)),
        ExposureStretch(at(10), at(12), share(25)),
        ExposureStretch(at(12), at(14), share(25)),
    )
    never_else = exposure_history.holes((at(6), at(9)), [(at(0), at(9))], [(at(6), at(6) + FRESH)])
    only_by_hand = exposure_history.read([Read(at(6), share(25))], never_else, at(9))
    assert only_by_hand == (ExposureStretch(at(6), at(6) + FRESH, share(25)),)


def test_behind_is_waiting_until_gitlab_has_followed_once_and_drift_afterwards():
    plan = exposure_history.planned([Move(at(1), 2, share(25))], at(0), at(10))
    reads = [Read(at(0), NOBODY), Read(at(2), share(25)), Read(at(5), share(10)), Read(at(7), share(50))]
    told = [
        (piece.start, piece.kind, piece.waits)
        for piece in exposure_history.compared(plan, exposure_history.read(reads, [], at(9)))
    ]
    assert told == [
        (at(0), Drift.NONE, False),
        (at(1), Drift.BEHIND, True),
        (at(2), Drift.NONE, False),
        (at(5), Drift.BEHIND, False),
        (at(7), Drift.AHEAD, False),
        (at(9), Drift.NONE, False),
    ]
    (episode,) = exposure_history.episodes(exposure_history.compared(plan, exposure_history.read(reads, [], at(9))))
    assert (episode[0].start, episode[-1].end) == (at(5), at(9))


def test_a_roll_back_takes_later_phases_with_it_and_others_in_is_drift_at_once():
    moves = [
        Move(at(1), 0, Exposure(actors=frozenset({"User:1"}))),
        Move(at(2), 2, share(50)),
        Move(at(3), 1, None),
    ]
    plan = exposure_history.planned(moves, at(0), at(6))
    assert plan[-1].exposure == Exposure(actors=frozenset({"User:1"}))
    (drifted,) = exposure_history.episodes(
        exposure_history.compared(plan, (ExposureStretch(at(2), at(5), plan[2].exposure),))
    )
    assert [(piece.start, piece.end) for piece in drifted] == [(at(3), at(5))]


def test_drift_that_changes_without_a_break_is_one_episode_and_after_a_break_another():
    plan = exposure_history.planned([Move(at(0), 2, share(25))], at(0), at(10))
    there = [(1, 50), (2, 25), (4, 50), (5, 75), (6, 100), (7, 25)]
    reads = exposure_history.read([Read(at(0), share(25)), *(Read(at(hour), share(n)) for hour, n in there)], [], at(9))
    found = exposure_history.episodes(exposure_history.compared(plan, reads))
    assert [(each[0].start, each[-1].end, len(each)) for each in found] == [(at(1), at(2), 1), (at(4), at(7), 3)]
