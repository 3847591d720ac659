"""A rollout in time, and where two get into each other's way: facts in, answers out."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollouts.rules.collisions import Demand, quota_key, same_day, shared_quotas
from rollouts.rules.expected import Audience
from rollouts.rules.locks import Window, merged
from rollouts.rules.schedule import (
    Certainty,
    Kind,
    PhaseTimes,
    RolloutTimes,
    SpanLook,
    StepTimes,
    extent,
    planned_day,
    schedule,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def team(state="planned", **more):
    return PhaseTimes("team", "Owning team", state, Audience.ACTORS, **more)


def ramp(state="planned", *percentages, soak=DAY, began=(), **more):
    """All users; ``began`` says how many days ago the first steps began."""
    steps = tuple(
        StepTimes(share, soak, began_at=NOW - began[number] * DAY if number < len(began) else None)
        for number, share in enumerate(percentages or (1, 50, 100))
    )
    if began:
        more = {"started_at": steps[0].began_at, "percentage": steps[len(began) - 1].percentage, **more}
    return PhaseTimes("everyone", "All users", state, Audience.PERCENTAGE, final_soak=DAY, steps=steps, **more)


def rollout(*phases, state="underway", **more):
    return RolloutTimes("haiku", state, NOW - 30 * DAY, phases, **more)


def told(found):
    return [(moment.kind, moment.percentage, moment.at - NOW, moment.certainty) for moment in found.moments]


def test_a_running_ramp_goes_on_when_its_soak_is_over():
    found = schedule(rollout(ramp("active", began=(3, 0.5), confirmed_at=NOW - 12 * HOUR)), NOW)
    assert told(found) == [
        (Kind.START, 1, -3 * DAY, Certainty.DONE),
        (Kind.STEP, 50, -0.5 * DAY, Certainty.DONE),
        (Kind.STEP, 100, 12 * HOUR, Certainty.DATED),
        (Kind.COMPLETE, None, 36 * HOUR, Certainty.DATED),
    ]
    assert [(span.look, span.starts_at, span.ends_at) for span in found.spans] == [
        (SpanLook.NOW, NOW - 3 * DAY, NOW),
        (SpanLook.PLAN, NOW, NOW + 36 * HOUR),
    ]


def test_what_waits_for_people_has_no_date():
    """Its soak is over, so nothing but people hold the next step, and all that follows hangs on them."""
    found = schedule(rollout(ramp("active", began=(3,), confirmed_at=NOW - 3 * DAY)), NOW)
    assert {moment.certainty for moment in found.moments if moment.at >= NOW} == {Certainty.EARLIEST}


def test_a_paused_ramp_has_no_date_either():
    found = schedule(rollout(ramp("paused", began=(0.5,), confirmed_at=NOW - 12 * HOUR)), NOW)
    assert {moment.certainty for moment in found.moments if moment.at > NOW} == {Certainty.EARLIEST}


def test_a_planned_time_is_waited_for_and_gives_a_date():
    late = NOW + 5 * DAY
    phase = ramp("active", began=(3,), confirmed_at=NOW - 3 * DAY)
    phase = PhaseTimes(
        **{name: getattr(phase, name) for name in phase.__slots__}
        | {"steps": (phase.steps[0], StepTimes(50, DAY, planned_at=late), phase.steps[2])}
    )
    found = schedule(rollout(phase), NOW)
    assert told(found)[1:] == [
        (Kind.STEP, 50, 5 * DAY, Certainty.DATED),
        (Kind.STEP, 100, 6 * DAY, Certainty.DATED),
        (Kind.COMPLETE, None, 7 * DAY, Certainty.DATED),
    ]
    assert [(planned.percentage, planned.at) for planned in found.plan] == [(50, late)]


def test_nothing_widens_in_a_change_lock():
    locks = merged([Window(NOW + 6 * HOUR, NOW + 2 * DAY), Window(NOW + 2 * DAY, NOW + 3 * DAY)])
    found = schedule(rollout(ramp("active", began=(0.5,), confirmed_at=NOW - 12 * HOUR)), NOW, locks)
    assert [moment.at - NOW for moment in found.moments if moment.widens][1:] == [3 * DAY, 4 * DAY]


def test_a_draft_without_any_date_has_no_future():
    draft = rollout(team(), ramp(), state="draft")
    assert not schedule(draft, NOW).spans
    assert extent(draft).begins_at == draft.created_at
    asked = rollout(team("requested"), ramp(), state="draft")
    assert [span.certainty for span in schedule(asked, NOW).spans] == [Certainty.EARLIEST] * 2


def test_the_plans_own_days_are_read_from_its_words():
    assert planned_day("from 2026-03-16, or 2026-04-01") == datetime(2026, 3, 16, tzinfo=UTC)
    assert planned_day("2026-02-30 or 2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert planned_day("first week of March") is None
    day = planned_day("2026-12-01")
    draft = rollout(team(planned_at=day), ramp(), state="draft")
    assert extent(draft).begins_at == day
    assert [span.starts_at for span in schedule(draft, NOW).spans] == [day, day]


def test_skipped_rolled_back_and_tried_again():
    back = ramp("rolled_back", began=(9, 8), ended_at=NOW - 7 * DAY)
    found = schedule(rollout(team("skipped", ended_at=NOW - 10 * DAY), back, state="rolled_back"), NOW)
    assert [span.look for span in found.spans] == [SpanLook.SKIP, SpanLook.BACK]
    assert told(found)[-1] == (Kind.ROLL_BACK, None, -7 * DAY, Certainty.DONE)
    assert found.moments[-1].reach == 0
    again = PhaseTimes("everyone", "All users", "requested", Audience.PERCENTAGE, attempt=2, steps=ramp().steps)
    found = schedule(rollout(team("skipped", ended_at=NOW - 10 * DAY), back, again, state="draft"), NOW)
    assert [span.phase.attempt for span in found.spans] == [1, 1, 2]


@pytest.mark.parametrize("state", ["completed", "closed", "abandoned"])
def test_what_is_over_has_no_future_and_an_end(state):
    times = rollout(
        ramp("completed", began=(9, 8, 7), completed_at=NOW - 6 * DAY),
        state=state,
        abandoned_at=NOW - 4 * DAY if state == "abandoned" else None,
        closed_at=NOW - 5 * DAY if state == "closed" else None,
    )
    assert all(moment.at < NOW for moment in schedule(times, NOW).moments)
    ends_at = {"completed": NOW - 6 * DAY, "closed": NOW - 5 * DAY, "abandoned": NOW - 4 * DAY}[state]
    assert (extent(times).begins_at, extent(times).ends_at) == (NOW - 9 * DAY, ends_at)


soaks = st.timedeltas(timedelta(0), timedelta(days=5))
times = st.datetimes(datetime(2026, 11, 1), datetime(2027, 2, 1), timezones=st.just(UTC))


@st.composite
def ramps(draw):
    shares = sorted(draw(st.sets(st.integers(1, 100), min_size=1, max_size=6)))
    state = draw(st.sampled_from(["planned", "requested", "active", "paused"]))
    started = state in ("active", "paused")
    began = draw(st.integers(1, len(shares))) if started else 0
    at = draw(times)
    return PhaseTimes(
        "everyone",
        "All users",
        state,
        Audience.PERCENTAGE,
        final_soak=draw(soaks),
        percentage=shares[began - 1] if started else None,
        started_at=at if started else None,
        confirmed_at=draw(st.one_of(st.none(), times)) if started else None,
        planned_at=draw(st.one_of(st.none(), times)),
        steps=tuple(
            StepTimes(share, draw(soaks), draw(st.one_of(st.none(), times)), at + n * HOUR if n < began else None)
            for n, share in enumerate(shares)
        ),
    )


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(phase=ramps(), now=times, windows=st.lists(st.tuples(times, soaks.filter(bool)), max_size=5))
def test_the_future_rises_after_now_outside_of_locks_and_ends_where_the_extent_says(phase, now, windows):
    found = rollout(team("completed", started_at=NOW - 20 * DAY, completed_at=NOW - 19 * DAY), phase)
    locks = merged(Window(at, at + length) for at, length in windows)
    told = schedule(found, now, locks)
    future = [moment for moment in told.moments if moment.certainty is not Certainty.DONE]
    shares = [moment.percentage for moment in future if moment.widens]
    assert all(moment.at >= now for moment in future)
    assert shares == sorted(set(shares))
    assert all(not window.holds(moment.at) for moment in future if moment.widens for window in locks)
    assert all(span.starts_at <= span.ends_at for span in told.spans)
    free = schedule(found, now)
    until = extent(found)
    ends_at = max(span.ends_at for span in free.spans if span.look is SpanLook.PLAN)
    assert ends_at == max(now + until.takes, until.until or now)
    locked = sum((window.ends_at - window.starts_at for window in locks), timedelta(0))
    assert ends_at <= max(span.ends_at for span in told.spans if span.look is SpanLook.PLAN) <= ends_at + locked


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(phase=ramps(), now=times, later=soaks)
def test_waiting_never_makes_it_earlier(phase, now, later):
    begun = team("completed", started_at=NOW - 20 * DAY, completed_at=NOW - 19 * DAY)
    soon, late = (schedule(rollout(begun, phase), at).moments[-1].at for at in (now, now + later))
    assert soon <= late


def at_share(slug, **began):
    """A schedule that has stepped to shares: ``p50=2`` is 50 % two days from now, planned."""
    return schedule(
        RolloutTimes(
            slug,
            "underway",
            NOW,
            (
                PhaseTimes(
                    "everyone",
                    "All users",
                    "approved",
                    Audience.PERCENTAGE,
                    steps=tuple(
                        StepTimes(int(share[1:]), timedelta(0), planned_at=NOW + ahead * DAY)
                        for share, ahead in began.items()
                    ),
                ),
            ),
        ),
        NOW,
    )


def test_two_that_widen_on_one_day_collide_by_the_readers_day():
    schedules = {"haiku": at_share("haiku", p50=1), "gemini": at_share("gemini", p10=1.4)}
    near, far = ZoneInfo("UTC"), ZoneInfo("Pacific/Auckland")
    (found,) = same_day(schedules, near, NOW, NOW + 9 * DAY)
    assert (found.day, found.slugs, found.is_ahead) == (date(2026, 11, 25), ("haiku", "gemini"), True)
    (found,) = same_day(schedules, far, NOW, NOW + 9 * DAY)
    assert found.day == date(2026, 11, 26)
    assert not same_day(schedules, ZoneInfo("America/Los_Angeles"), NOW + 8 * DAY, NOW + 9 * DAY)
    halves = {"haiku": at_share("haiku", p50=0.4), "gemini": at_share("gemini", p10=0.6)}
    assert not same_day(halves, near, NOW, NOW + 9 * DAY)
    assert same_day(halves, ZoneInfo("America/Los_Angeles"), NOW, NOW + 9 * DAY)


def test_what_has_no_date_collides_with_nothing():
    waiting = schedule(rollout(ramp("active", began=(3,), confirmed_at=NOW - 3 * DAY)), NOW)
    assert not same_day({"a": waiting, "b": waiting}, ZoneInfo("UTC"), NOW, NOW + 9 * DAY)


def test_one_model_on_one_host_is_one_quota():
    key = quota_key("Anthropic", "Vertex AI", "claude-haiku", "haiku-a")
    assert key == quota_key("anthropic", "vertex ai", "Claude-Haiku", "haiku-b")
    assert key != quota_key("Anthropic", "Bedrock", "claude-haiku", "haiku-a")
    assert quota_key("", "", "", "a") != quota_key("", "", "", "b")


def test_together_they_ask_more_than_the_quota():
    schedules = {"haiku": at_share("haiku", p50=1, p100=4), "fail-over": at_share("fail-over", p50=3)}
    both = [Demand("haiku", ("x",), 60_000, 50_000), Demand("fail-over", ("x",), 70_000, 48_000)]
    (found,) = shared_quotas(both, schedules, NOW, NOW + 9 * DAY)
    assert (found.quota, found.asked, found.is_short, found.at) == (60_000, 74_000, True, NOW + 4 * DAY)
    (before,) = shared_quotas(both, schedules, NOW, NOW + 3.5 * DAY)
    assert (before.asked, before.is_short) == (49_000, False)
    assert not shared_quotas(both, schedules, NOW, NOW + 2 * DAY)
    (after,) = shared_quotas(both, schedules, NOW + 5 * DAY, NOW + 6 * DAY)
    assert (after.asked, after.at) == (74_000, NOW + 5 * DAY)


def test_what_nobody_has_said_is_told_and_not_counted():
    schedules = {"haiku": at_share("haiku", p50=1), "fail-over": at_share("fail-over", p50=1)}
    both = [Demand("haiku", ("x",), None, 50_000), Demand("fail-over", ("x",), None, None)]
    (found,) = shared_quotas(both, schedules, NOW, NOW + 9 * DAY)
    assert (found.quota, found.asked, found.unknown, found.is_short) == (None, 25_000, ("fail-over",), False)
