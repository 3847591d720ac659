"""The clock of a soak: only time that was read counts, of every phase, and all who tell its end tell one date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gitlab_simulator import Simulator
from rollouts.models import AuditEvent, FeatureFlag, ReadingGap
from rollouts.rules import guards
from rollouts.rules.exposure_history import holes
from rollouts.rules.exposure_history import length as length_of
from rollouts.rules.schedule import Certainty, Kind
from rollouts.services import due, exposure_history, facts, plans, readings, schedules
from rollouts.services.refusals import Refused
from tests.walk import World

HOUR = timedelta(hours=1)


def running(world, soak="24h", final="2d"):
    """Everyone at 1 %, confirmed."""
    world.up_to("everyone", "planned")
    world.apply(soak=soak)
    text = world.document(soak=soak).replace(f"final_soak: {soak}", f"final_soak: {final}")
    world.apply_text(text)
    world.sync()
    world.up_to("everyone", "active")
    assert world.phase("everyone").confirmed_at is not None
    return world


def blockers_of(world, verb="advance", phase="everyone"):
    with pytest.raises(Refused) as refused:
        world.do(verb, phase, "mia")
    return {blocker.code: blocker.message for blocker in refused.value.blockers}


def page(world, name="mia"):
    client = Client()
    client.force_login(world.people[name])
    return " ".join(client.get("/rollouts/haiku/").content.decode().split())


@pytest.mark.django_db
def test_an_outage_does_not_count(world, time_machine):
    running(world)
    world.let_pass(time_machine, hours=3)
    stopped = world.now()
    time_machine.move_to(stopped + timedelta(days=1))
    assert set(blockers_of(world)) == {"reading_stale", "soak"}
    world.sync()
    assert blockers_of(world) == {"soak": "1 % must stand 20 h 59 min more."}  # and seconds
    assert due.work().advanced == []
    phase = world.phase("everyone")
    assert abs(phase.unread - timedelta(days=1)) < timedelta(minutes=1)
    event = AuditEvent.objects.filter(verb="phase.unread").get()
    assert (event.object_name, event.rollout.slug) == ("All users", "haiku")
    text = page(world)
    assert "read for 3 h of 24 h" in text or "read for 3 h of 1 d" in text
    assert "blind from" in text
    world.let_pass(time_machine, hours=20)
    assert set(blockers_of(world)) == {"soak"}
    world.let_pass(time_machine, hours=1, minutes=1)
    assert world.do("advance", "everyone", "mia").percentage == 25
    assert world.phase("everyone").unread == timedelta(0)


@pytest.mark.django_db
def test_while_nobody_looks_the_clock_stands(world, time_machine):
    running(world)
    world.let_pass(time_machine, hours=3)
    for _ in range(3):
        time_machine.move_to(world.now() + timedelta(hours=9))
        facts = world.facts()
        assert facts.is_stale
        assert abs(facts.stood(facts.phase("everyone")) - 3 * HOUR) < timedelta(minutes=1)
    assert "read for 3 h" in page(world)


@pytest.mark.django_db
def test_the_final_soak_stands_still_too(world, time_machine):
    world.plan["steps"] = [100]
    running(world, final="1d")
    world.gitlab.state.set_feature("use_haiku", "true")
    world.let_pass(time_machine, hours=20)
    time_machine.move_to(world.now() + timedelta(days=1))
    world.sync()
    assert blockers_of(world, "complete") == {"soak": "All users must stand 3 h 59 min more."}
    world.let_pass(time_machine, hours=4, minutes=1)
    assert world.do("complete", "everyone", "mia").state == "completed"


@pytest.mark.django_db
def test_a_reading_by_hand_holds_as_long_as_it_is_fresh(world, time_machine):
    running(world, soak="12m")
    flag, exposure = FeatureFlag.objects.get(name="use_haiku"), world.facts().expected
    world.gitlab.stop()
    for _ in range(2):
        time_machine.move_to(world.now() + timedelta(minutes=10))
        readings.enter(FeatureFlag.objects.get(pk=flag.pk), exposure, by=world.actor("mia"), evidence="looked")
    facts = world.facts()
    fresh = timedelta(seconds=django_settings.FRESHNESS_SECONDS)
    assert abs(facts.stood(facts.phase("everyone")) - fresh) < timedelta(
        minutes=1
    )  # the first one's; the second's begins
    assert set(blockers_of(world)) == {"soak"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["team", "company"])
def test_any_phase_may_say_how_long_it_must_stand(world, time_machine, name):
    text = world.document().replace('"group:acme/code"]}', '"group:acme/code"], final_soak: 2d}')
    text = text.replace("{groups: [acme_team_members]}", "{groups: [acme_team_members], final_soak: 2d}")
    world.apply_text(text)
    world.sync()
    world.confirm()
    if name == "company":
        world.skip("team", reason="not now")
    world.up_to(name, "active")
    world.confirm(name)
    assert blockers_of(world, "complete", name) == {"soak": f"{world.phase(name).title} must stand 1 d 23 h more."}
    written = plans.export(world.rollout())
    assert written.count("final_soak: 2d") == 2
    assert plans.apply(written, by=world.actor("mia"), source="plan.yaml").changes == []
    world.let_pass(time_machine, days=1)
    assert "stood 1 d of 2 d" in page(world).replace("\u00a0", " ")
    world.let_pass(time_machine, days=1, minutes=1)
    assert world.do("complete", name, "mia").state == "completed"


def ends_told(world, now):
    """When the running phase may be complete, or take its next step: by the page, the timeline, and the guards."""
    rollout = world.rollout()
    told = facts.for_rollout(rollout, now)
    phase = told.phase("everyone")
    seen = exposure_history.history_of(rollout, now)
    row = schedules.scheduled(type(rollout).objects.filter(pk=rollout.pk).values(*schedules.COLUMNS), now)[0]
    ahead = [moment for moment in row.schedule.moments if moment.certainty is not Certainty.DONE]
    complete = [moment.at for moment in ahead if moment.kind is Kind.COMPLETE]
    steps = {moment.percentage: moment.at for moment in ahead if moment.percentage}
    by_page = {each.percentage: each.at for each in seen.prediction.coming}
    return phase, steps, by_page, complete[-1], seen.prediction.complete_at


class OneDate(TestCase):
    @settings(max_examples=settings.default.max_examples // 10, suppress_health_check=list(HealthCheck))
    @given(
        st.integers(0, 40),
        st.integers(0, 80),
        st.lists(st.tuples(st.sampled_from(["read", "blind"]), st.integers(1, 30)), max_size=5),
        st.sampled_from([[100], [1, 100], [1, 50, 100]]),
    )
    def test_page_timeline_and_guards_tell_one_date_whatever_was_read(self, soak, final, spans, steps):
        import time_machine
        from django.test import override_settings

        with (
            Simulator() as gitlab,
            override_settings(GITLAB_URL=gitlab.url, GITLAB_TOKEN=gitlab.token),
            time_machine.travel("2026-11-28T12:00:00Z", tick=False) as clock,
        ):
            world = World.build(gitlab)
            world.plan |= {"steps": steps, "soak": "0"}
            world.up_to("everyone", "planned")
            text = world.document(soak=f"{soak}h").replace(f"final_soak: {soak}h", f"final_soak: {final}h")
            world.apply_text(text)
            world.up_to("everyone", "active")
            counted = timedelta(0)
            for what, hours in spans:
                if what == "read":
                    world.let_pass(clock, hours=hours)
                    counted += hours * HOUR
                else:
                    clock.move_to(world.now() + hours * HOUR)
                    world.sync()
            now = world.now()
            phase, timeline, predicted, complete, whole = ends_told(world, now)
            assert world.facts().stood(phase) == counted
            assert (timeline, complete) == (predicted, whole)
            left = max(phase.soak - counted, timedelta(0))
            assert max(phase.soaked_at, now) == now + left
            verb = "complete" if steps == [100] else "advance"
            found = {each.code for each in guards.blockers(verb, world.facts(), "everyone", world.actor("mia").person)}
            assert ("soak" in found) is (left > timedelta(0))
            following = (
                complete if verb == "complete" else timeline[phase.opening.ramp.after(phase.opening.step).percentage]
            )
            assert following == now + left


spans = st.lists(st.tuples(st.integers(-5, 60), st.integers(1, 20)), max_size=8)
START = datetime(2026, 11, 28, tzinfo=UTC)


@given(st.integers(0, 50), spans, spans)
def test_what_was_read_and_what_was_not_are_all_there_is(length, gaps, held):
    """Against counting minute by minute."""
    minute = timedelta(minutes=1)
    blind = {at for start, size in gaps for at in range(start, start + size)}
    blind -= {at for start, size in held for at in range(start, start + size)}
    unread = holes(
        (START, START + length * minute),
        [(START + start * minute, START + (start + size) * minute) for start, size in gaps],
        [(START + start * minute, START + (start + size) * minute) for start, size in held],
    )
    assert unread == sorted(unread)
    assert length_of(unread) == len([at for at in range(length) if at in blind]) * minute


@pytest.mark.django_db
def test_a_gap_of_another_project_stops_no_clock(world, time_machine):
    running(world)
    world.let_pass(time_machine, hours=1)
    scope = FeatureFlag.objects.get(name="use_haiku").instance
    project = scope.projects.get(path="acme/app")
    ReadingGap.objects.create(instance=scope, project=project, since=world.now() - HOUR, until=world.now())
    world.let_pass(time_machine, hours=1)
    assert world.phase("everyone").unread == timedelta(0)
