"""Two people press the same button at once: one wins, the other is told so, history has one event."""

from datetime import timedelta

import pytest
from django.db import connection

from rollouts.models import AuditEvent, PortfolioRow, SavedView, clock
from rollouts.models.keyset import Keyset, page_of
from rollouts.services import plans, views
from rollouts.services.refusals import Refused
from tests.portal.pages import signed_in
from tests.services.ramps import AUTO, with_ramp
from tests.services.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("state", "verb", "people"),
    [
        ("planned", "request", ("mia", "mia")),
        ("requested", "approve", ("alice", "sam")),
        ("approved", "start", ("mia", "root")),
    ],
)
def test_one_wins_and_history_has_one_event(transactional_db, gitlab, state, verb, people):
    from tests.walk import World

    world = World.build(gitlab)
    world.up_to("team", state)
    results = at_once(*(lambda by=by: world.do(verb, "team", by) for by in people))
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 1
    assert isinstance(refused[0], Refused)
    assert refused[0].codes <= {"state", "changed_meanwhile", "no_request"}
    assert AuditEvent.objects.filter(verb=f"phase.{verb}").count() == 1


def test_two_advances_take_one_step(transactional_db, gitlab):
    from tests.walk import World

    world = World.build(gitlab)
    world.up_to("everyone", "active")
    results = at_once(*(lambda: world.do("advance", "everyone", "mia") for _ in range(4)))
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert world.phase("everyone").percentage == 25
    assert AuditEvent.objects.filter(verb="phase.advance").count() == 1


def test_a_new_rollout_is_on_the_portfolio_of_all_who_look_at_once(transactional_db, gitlab):
    from tests.walk import World

    world = World.build(gitlab)
    browsers = [signed_in(world, name) for name in ("mia", "alice", "vic", "root")]
    for slug in ("haiku", "opus", "sonnet"):
        world.apply(slug=slug, flag=f"use_{slug}")
        for answer in at_once(*(lambda browser=browser: browser.get("/") for browser in browsers)):
            assert f'id="rollout-{slug}"' in answer.content.decode()


def test_what_moves_between_two_lists_of_a_page_is_in_one_of_them(gitlab):
    from tests.walk import World

    world = World.build(gitlab)
    world.apply()
    runs, waits = (PortfolioRow.objects.filter(place=place) for place in ("runs", "waits"))
    assert waits.count() == 1

    class Moving(type(waits)):
        """Moves after the one list was read, before this other is."""

        def _fetch_all(self):
            at_once(lambda: PortfolioRow.objects.update(place="runs"))
            super()._fetch_all()

    waits.__class__ = Moving
    lists = [(Keyset("runs", {"pk": int}), runs), (Keyset("waits", {"pk": int}), waits)]
    running, waiting = page_of(lists, "", 50).rows
    assert [len(running), len(waiting)] == [0, 1]
    assert [runs.count(), waits.count()] == [1, 0]


def test_passes_at_once_keep_one_reading_and_one_event_of_each_change(transactional_db, gitlab):
    from tests.walk import FLAG, World

    world = World.build(gitlab)
    world.apply()
    world.sync()
    gitlab.state.set_feature(FLAG, "10", key="percentage_of_actors")
    gitlab.state.set_issue("acme/app", 12, title="renamed")
    at_once(*(world.sync for _ in range(4)))
    assert world.rollout().flag.readings.filter(gates__percentage_of_actors=10).count() == 1
    assert AuditEvent.objects.filter(verb="issue.read", object_name="acme/app#12").count() == 2
    assert connection.vendor in ("sqlite", "postgresql")


def test_the_ramp_advances_once_however_many_jobs_look(transactional_db, gitlab):
    from rollouts.services import due
    from tests.walk import World

    world = World.build(gitlab)
    with_ramp(world, AUTO, soak="0")
    world.skip("team", reason="x")
    for phase in ("company", "everyone"):
        world.confirm(phase)
        world.do("request", phase, "mia")
        world.approve(phase)
        world.do("start", phase, "mia")
        world.obey()
        if phase == "company":
            world.confirm(phase)  # its decisions: not before GitLab was read at its exposure
            world.do("complete", phase, "mia")
    results = at_once(*(due.work for _ in range(6)))
    assert [result.advanced for result in results].count(["haiku"]) == 1, results
    assert world.phase("everyone").percentage == 10
    assert AuditEvent.objects.filter(verb="phase.advance").count() == 1


def test_a_write_is_claimed_by_one_worker(transactional_db, gitlab, settings):
    from rollouts.sync import outbox
    from tests.walk import World

    settings.GITLAB_WRITES = "issues"
    world = World.build(gitlab)
    world.up_to("team", "requested")
    claimed = [write for write in at_once(*(outbox.claim for _ in range(6))) if write is not None]
    assert len(claimed) == 1, claimed


def test_a_view_kept_twice_at_once_is_one_view(world):
    keep = lambda: views.keep("Drift", "health=drifting", by=world.actor("mia"))  # noqa: E731
    results = at_once(keep, keep, keep)
    assert [type(result) for result in results] == [SavedView] * 3
    assert SavedView.objects.count() == AuditEvent.objects.filter(verb="view.keep").count() == 1


@pytest.mark.parametrize("then", ["pause", "roll_back"])
def test_a_guard_metric_acts_once_however_many_jobs_look(transactional_db, gitlab, then):
    from rollouts.services import due, metrics
    from tests.walk import World

    world = World.build(gitlab)
    with_ramp(world, AUTO, soak="0")
    bounds = f"\nguard_metrics:\n  latency: {{at_most: 100, hurt_for: 1m, then: {then}}}\n"
    plans.apply(plans.export(world.rollout()) + bounds, by=world.actor("mia"), source="plan.yaml")
    world.confirm("team")
    world.do("request", "team", "mia")
    world.approve("team")
    world.do("start", "team", "mia")
    world.obey()
    confirmed = world.phase("team").confirmed_at
    with clock.told_at(confirmed + timedelta(minutes=5)):
        for minutes in (1, 3):
            at = confirmed + timedelta(minutes=minutes)
            metrics.measure(world.rollout(), "latency", 900, by=world.actor("mia"), at=at)

    def look():
        with clock.told_at(confirmed + timedelta(minutes=6)):
            return due.work()

    results = at_once(*(look for _ in range(8)))
    assert [result.acted for result in results].count(["haiku"]) == 1, results
    assert world.phase("team").state == {"pause": "paused", "roll_back": "rolled_back"}[then]
    assert AuditEvent.objects.filter(verb=f"phase.{then}").count() == 1
