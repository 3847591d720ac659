"""Guard metrics: what the plan bounds stops a ramp that runs itself, and whoever measures says so by any door."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client

from rollouts.models import AuditEvent
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
