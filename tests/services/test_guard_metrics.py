"""Guard metrics: what the plan bounds stops a ramp that runs itself, and whoever measures says so by any door."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client

from rollouts.models import AuditEvent, MetricSample
from rollouts.services import due, plans, ramps, tokens
from tests.portal.pages import signed_in
from tests.services.ramps import AUTO, go, started

pytestmark = pytest.mark.django_db
METRICS = """
guard_metrics:
  latency_p95: {unit: ms, at_most: 1200}
  acceptance_rate: {unit: "%", at_least: 14.5}
"""


@pytest.fixture
def ramp(world, time_machine):
    """At 1 %, confirmed, its soak over; the plan bounds two figures that nobody has measured."""
    started(world, time_machine)
    text = world.document().replace("steps: [1, 10, 20, 100]", AUTO) + METRICS
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    go(world, time_machine, minutes=16)
    return world


def by_page(world, name, value, who="mia"):
    form = {"value": str(value), "evidence": "https://grafana.example.com/d/1"}
    return signed_in(world, who).post(f"/rollouts/haiku/metrics/{name}/", form)


def by_api(world, name, value, who="mia"):
    _, token = tokens.issue(world.people[who], "monitor", world.actor(who))
    client = Client(headers={"Authorization": f"Bearer {token}"})
    body = json.dumps({"value": value})
    return client.post(f"/api/v1/rollouts/haiku/metrics/{name}", body, content_type="application/json")


def by_command(name, value, who="mia"):
    output = io.StringIO()
    call_command("metric", "haiku", name, str(value), "--as", who, "--json", stdout=output)
    return json.loads(output.getvalue())


def test_a_worsened_metric_stops_the_automatic_advance_and_says_so(ramp, time_machine):
    assert due.work().advanced == []
    held = ramp.phase("everyone").held_by
    assert "latency p95 was not measured since this step stands." in held
    assert "acceptance rate was not measured since this step stands." in held
    assert by_page(ramp, "latency_p95", "1.310,5").status_code == 409  # no number: nothing is kept
    assert by_page(ramp, "latency_p95", "1310").status_code == 303
    assert by_command("acceptance_rate", 15) == {
        "ok": True, "rollout": "haiku", "metric": "acceptance_rate", "value": 15, "beyond": False,
    }  # fmt: skip
    for _ in range(2):
        assert due.work().advanced == []
    assert "latency p95 is 1,310 ms" in ramp.phase("everyone").held_by  # what holds it now, not what did at first
    page = signed_in(ramp, "vic").get("/rollouts/haiku/").content.decode()
    assert "Latency p95 is 1,310 ms, the plan says at most 1,200 ms" in page
    assert "It should go on by itself, but:" in page
    assert "Tell a value" not in page  # a viewer tells none
    told = by_api(ramp, "latency_p95", 1150.5).json()["guard_metrics"][0]
    assert (told["name"], told["value"], told["beyond"], told["measured_by"]) == ("latency_p95", 1150.5, False, "mia")
    assert due.work().advanced == ["haiku"]
    assert ramp.phase("everyone").held_by == ""
    verbs = AuditEvent.objects.order_by("pk").exclude(verb="token.issue").values_list("verb", flat=True)
    assert list(verbs)[-6:] == [
        "ramp.held", "metric.measure", "metric.measure", "ramp.held", "metric.measure", "phase.advance",
    ]  # fmt: skip
    # What was measured before the next step says nothing of it.
    ramp.obey()
    go(ramp, time_machine, minutes=16)
    assert due.work().advanced == []
    assert "was not measured since" in ramp.phase("everyone").held_by


def test_it_worsens_while_the_job_looks(ramp, monkeypatch):
    by_command("latency_p95", 900)
    by_command("acceptance_rate", 15)
    perform = ramps.transitions.perform

    def worsens_first(*args, **more):
        by_command("latency_p95", 9000)
        return perform(*args, **more)

    monkeypatch.setattr(ramps.transitions, "perform", worsens_first)
    assert due.work().advanced == []
    assert "latency p95 is 9,000 ms" in ramp.phase("everyone").held_by


def test_a_person_may_go_on_and_sees_the_figure_in_the_dry_run(ramp):
    by_command("latency_p95", 1310)
    page = signed_in(ramp, "mia").get("/rollouts/haiku/phases/everyone/advance/").content.decode()
    assert "latency p95 is 1,310 ms, the plan says at most 1,200 ms" in page
    assert ramp.do("advance", "everyone", "mia").percentage == 10


def test_looser_bounds_void_what_was_approved(ramp):
    ramp.do("request", "everyone", "mia", to=100)
    ramp.do("approve", "everyone", "alice")
    text = plans.export(ramp.rollout()).replace("at_most: 1200", "at_most: 5000")
    plans.apply(text, by=ramp.actor("mia"), source="plan.yaml")
    request = ramp.facts().phase("everyone").request
    assert not request.counting()
    assert request.changed == ("Guard metrics, “latency p95”: was at most 1,200 ms, is at most 5,000 ms.",)


def test_who_may_tell_what(ramp):
    before = ramp.rollout().measured
    assert by_page(ramp, "latency_p95", "1", who="vic").status_code == 403
    assert by_api(ramp, "latency_p95", 1, who="alice").status_code == 403
    assert by_api(ramp, "nonsense", 1).status_code == 404
    assert by_page(ramp, "nonsense", "1").status_code == 409
    assert by_api(ramp, "latency_p95", "fast").status_code == 422
    assert by_page(ramp, "latency_p95", "nan").status_code == 409
    with pytest.raises(SystemExit):
        by_command("latency_p95", 1, who="vic")
    assert ramp.rollout().measured == before == {}


def test_a_plan_with_metrics_goes_out_and_in(ramp):
    text = plans.export(ramp.rollout())
    assert plans.apply(text, by=ramp.actor("mia"), source="plan.yaml").changes == []
    assert "acceptance_rate:" in text
    assert "at_least: 14.5" in text


def test_the_soak_is_time_to_measure(world, time_machine):
    started(world, time_machine)
    text = world.document().replace("steps: [1, 10, 20, 100]", AUTO) + METRICS
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    assert due.work() == due.Done()  # nothing is held yet
    time_machine.move_to(world.now() + timedelta(minutes=1))
    by_command("latency_p95", 1500)
    assert due.work().held == ["haiku"]  # what has worsened is said at once


BESIDE = """
guard_metrics:
  latency_p95: {unit: ms, at_most: 1200, above_baseline: 5, hurt_for: 10m, then: pause}
"""


@pytest.fixture
def beside(world, time_machine):
    """At 1 %; the plan bounds a figure beside the baseline's, and pauses."""
    started(world, time_machine)
    text = world.document().replace("steps: [1, 10, 20, 100]", AUTO) + BESIDE
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    go(world, time_machine, minutes=16)
    return world


def told(world, **body):
    _, token = tokens.issue(world.people["mia"], "monitor", world.actor("mia"))
    client = Client(headers={"Authorization": f"Bearer {token}"})
    address = "/api/v1/rollouts/haiku/metrics/latency_p95"
    return client.post(address, json.dumps(body), content_type="application/json")


def test_a_told_figure_beside_its_baseline_pauses_once_it_has_hurt_so_long(beside, time_machine):
    since = beside.now()
    assert told(beside, value=1000, baseline=900).status_code == 200
    answer = told(beside, value=1000, baseline=900, at=(since - timedelta(minutes=9)).isoformat()).json()
    figure = answer["guard_metrics"][0]
    assert (figure["outcome"], figure["baseline"], figure["values"]) == ("beyond", 900, 1)
    assert due.work().acted == []
    go(beside, time_machine, minutes=3)
    assert told(beside, value=1000, baseline=900).status_code == 200
    page = signed_in(beside, "mia").get("/rollouts/haiku/").content.decode()
    assert "Latency p95 is 1,000 ms, the baseline 900 ms" in page
    assert "at most 5 % above the baseline" in page
    assert 'class="limit"' in page
    output = io.StringIO()
    call_command("metric", "haiku", stdout=output)
    assert "They would do this now: the phase is paused." in output.getvalue()
    assert beside.phase("everyone").state == "active"  # asking does nothing
    assert due.work().acted == ["haiku"]
    assert beside.phase("everyone").state == "paused"


def test_bad_moments_are_refused_and_the_same_again_changes_nothing(beside):
    moment = (beside.now() - timedelta(minutes=2)).isoformat()
    assert told(beside, value=1000, baseline=1000, at=moment).status_code == 200
    before = AuditEvent.objects.filter(verb="metric.measure").count()
    assert told(beside, value=1000, baseline=1000, at=moment).status_code == 200
    assert AuditEvent.objects.filter(verb="metric.measure").count() == before
    other = told(beside, value=1001, baseline=1000, at=moment)
    assert other.status_code == 409
    assert "no moment has two" in other.json()["detail"]
    ahead = told(beside, value=1000, baseline=1000, at=(beside.now() + timedelta(minutes=2)).isoformat())
    assert ahead.status_code == 409
    assert "is yet to come" in ahead.json()["detail"]
    assert told(beside, value=1000, at="yesterday").status_code == 422
    assert told(beside, value=1000, baseline="900").status_code == 422
    assert MetricSample.objects.count() == 1


def test_without_the_baseline_it_holds_and_says_so(beside):
    assert told(beside, value=1000).status_code == 200
    assert due.work().advanced == []
    assert "latency p95 is 1,000 ms, and the baseline is not known" in beside.phase("everyone").held_by


def test_what_is_read_nobody_tells(beside):
    text = plans.export(beside.rollout()).replace("at_most: 1200", "at_most: 1200\n    query: a\n    baseline_query: b")
    plans.apply(text, by=beside.actor("mia"), source="plan.yaml")
    assert told(beside, value=1).status_code == 409


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ("{above_baseline: 5, query: a}", "compared with the baseline, which nothing asks for"),
        ("{at_most: 5, baseline_query: a}", "asks for the baseline alone"),
        ("{at_most: 5, samples: 3}", "of which time? Add `window: 15m`"),
        ("{at_most: 5, then: pause}", "after which time? Add `hurt_for: 10m`"),
        ("{at_most: 5, hurt_for: 10m}", "means nothing where the ramp only waits"),
        ("{at_most: 5, window: 2w}", "write 1m at least, and 1d at most"),
        ("{at_most: 5, then: explode}", "Write hold, pause or roll_back"),
        ("{query: a}", "say what is allowed"),
        ("{above_baseline: -1}", "must be at least 0"),
    ],
)
def test_what_a_plan_says_of_a_figure_is_checked_with_its_line(world, bounds, words):
    from rollouts.rules.document import DocumentRefused

    document = world.document()
    with pytest.raises(DocumentRefused) as refused:
        plans.apply(f"{document}\nguard_metrics:\n  x: {bounds}\n", by=world.actor("mia"), source="plan.yaml")
    assert [words in fault.message for fault in refused.value.faults] == [True]
    assert refused.value.faults[0].line == document.count("\n") + 3
