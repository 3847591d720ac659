"""Guard metrics out of a real Prometheus: kept as series, compared, and what they do by themselves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from rollouts.models import AuditEvent, MetricSample, Notice
from rollouts.services import due, notices, plans
from rollouts.sync import metrics
from tests.prometheus import every_minute, prometheus
from tests.services.ramps import AUTO, go, started

pytestmark = pytest.mark.django_db
LATENCY = 'latency_seconds{model="new",quantile="0.95"}'
BASELINE = 'latency_seconds{model="old",quantile="0.95"}'
RULE = """
guard_metrics:
  latency_p95:
    unit: ms
    above_baseline: 5
    query: 1000 * latency_seconds{{model="new"}}
    baseline_query: 1000 * latency_seconds{{model="old"}}
    window: 5m
    samples: 3
    hurt_for: 10m
    then: {then}
"""


def planned(world, text):
    """At 1 %, confirmed, its soak not over; the plan bounds what the text says."""
    document = world.document().replace("steps: [1, 10, 20, 100]", AUTO)
    plans.apply(document + text, by=world.actor("mia"), source="plan.yaml")


@pytest.fixture
def ramp(world, time_machine, settings):
    started(world, time_machine)
    settings.PROMETHEUS_PRIVATE = True
    return world


def minute(world):
    return datetime.fromtimestamp(world.now().timestamp() // 60 * 60, UTC)


def later(world, time_machine, minutes):
    """So much later, GitLab read all along and every minute's figures with it."""
    go(world, time_machine, minutes=minutes)
    return metrics.read_due()


def metric(world):
    return world.facts().metrics[0]


def scraped(world, tmp_path, new, old):
    until = minute(world) + timedelta(minutes=len(new))
    return prometheus(tmp_path, {LATENCY: every_minute(until, new), BASELINE: every_minute(until, old)})


def test_it_is_kept_beside_the_baseline_and_what_was_missed_is_asked_for(ramp, time_machine, tmp_path, settings):
    planned(ramp, RULE.format(then="pause"))
    with scraped(ramp, tmp_path, [0.5] * 40, [0.49] * 40) as settings.PROMETHEUS_URL:
        assert later(ramp, time_machine, 3) == ["haiku"]
        assert metrics.read_due() == []  # read it is, until the next minute
        later(ramp, time_machine, 10)
        kept = MetricSample.objects.filter(name="latency_p95").order_by("at")
        assert [(one.value, one.baseline) for one in kept] == [(500, 490)] * kept.count()
        times = [one.at for one in kept]
        assert {after - before for before, after in pairwise(times)} == {timedelta(minutes=1)}
        assert len(times) >= 13
    assert metric(ramp).words == (
        "latency p95 is 500 ms, the baseline 490 ms, the plan says at most 5 % above the baseline"
    )
    assert due.work().acted == []
    go(ramp, time_machine, minutes=2)
    due.work()
    assert ramp.phase("everyone").percentage == 10  # the figure keeps its bound: the ramp goes on by itself


@pytest.mark.parametrize(("then", "state"), [("pause", "paused"), ("roll_back", "rolled_back")])
def test_worse_for_as_long_as_the_plan_says_it_acts_once_and_says_what_it_saw(
    ramp, time_machine, tmp_path, settings, then, state
):
    planned(ramp, RULE.format(then=then))
    with scraped(ramp, tmp_path, [0.5] * 5 + [0.9] * 40, [0.5] * 45) as settings.PROMETHEUS_URL:
        later(ramp, time_machine, 12)
        assert metric(ramp).is_beyond
        assert due.work().acted == []  # beyond, but not for ten minutes
        assert ramp.phase("everyone").state == "active"
        later(ramp, time_machine, 6)
        assert due.work().acted == ["haiku"]
        assert due.work().acted == []
    phase = ramp.phase("everyone")
    assert phase.state == state
    assert "latency p95 is 900 ms, the baseline 500 ms" in phase.reason
    event = AuditEvent.objects.get(verb=f"phase.{then}")
    assert (event.actor_kind, event.actor) == ("job", "metrics")
    seen = event.after["metrics"]["latency_p95"]
    assert (seen["value"], seen["baseline"], seen["values"]) == (900, 500, 5)
    assert seen["plan"]["hurt_for"] == "10m"
    notices.work()
    told = Notice.objects.filter(event=event).values_list("person__username", "kind")
    assert {("mia", "acted"), ("root", "acted")} <= set(told)


def test_who_lets_it_go_on_is_not_overruled_by_what_was_before(ramp, time_machine, tmp_path, settings):
    planned(ramp, RULE.format(then="pause"))
    with scraped(ramp, tmp_path, [0.9] * 60, [0.5] * 60) as settings.PROMETHEUS_URL:
        later(ramp, time_machine, 14)
        assert due.work().acted == ["haiku"]
        ramp.do("resume", "everyone", "mia")
        later(ramp, time_machine, 2)
        assert due.work().acted == []
        later(ramp, time_machine, 12)
        assert due.work().acted == ["haiku"]  # it has hurt for ten minutes again


def test_what_the_template_does_not_allow_the_plan_is_refused_by_its_line(ramp):
    from rollouts.rules.document import DocumentRefused
    from rollouts.services import templates

    text = templates.all_templates()["code_suggestions"]
    assert text.metrics_may == "roll_back"
    row = ramp.rollout().template
    from rollouts.audit.recording import recorded

    with recorded("template.save", by=ramp.actor("root")):
        row.document = row.document.replace("metrics_may: roll_back", "metrics_may: pause")
        row.save()
    with pytest.raises(DocumentRefused) as refused:
        planned(ramp, RULE.format(then="roll_back"))
    fault = refused.value.faults[0]
    assert "lets guard metrics do so much at most: pause" in fault.message
    assert ramp.document().count("\n") < fault.line


NOTHING = {"no such series": 'nothing{model="new"}', "no number": 'latency_seconds{model="new"} * 0 / 0'}


@pytest.mark.parametrize("query", NOTHING.values(), ids=NOTHING)
def test_no_data_holds_never_passes_and_never_rolls_back(ramp, time_machine, tmp_path, settings, query):
    planned(ramp, RULE.format(then="roll_back").replace('1000 * latency_seconds{model="new"}', query))
    with scraped(ramp, tmp_path, [0.5] * 30, [0.5] * 30) as settings.PROMETHEUS_URL:
        for _ in range(3):
            later(ramp, time_machine, 8)
            assert due.work().acted == []
    phase = ramp.phase("everyone")
    assert (phase.state, phase.percentage) == ("active", 1)
    assert "latency p95 was not measured since this step stands" in phase.held_by
    assert not metric(ramp).is_known


def test_too_few_values_hold(ramp, time_machine, tmp_path, settings):
    planned(ramp, RULE.format(then="roll_back").replace("samples: 3", "samples: 30"))
    with scraped(ramp, tmp_path, [0.9] * 30, [0.5] * 30) as settings.PROMETHEUS_URL:
        later(ramp, time_machine, 16)
        assert due.work().acted == []
    assert "latency p95 is 900 ms by 5 values, the plan asks for 30 at least" in ramp.phase("everyone").held_by


WRONG = {
    'latency_seconds{job=~".*"}': "the query gives 2 series, and one is asked for",
    "sum(": "Prometheus refuses the query",
}


@pytest.mark.parametrize("query", WRONG)
def test_a_query_that_gives_no_one_series_says_why_and_holds(ramp, time_machine, tmp_path, settings, query):
    asked = query.replace('job=~".*"', 'quantile="0.95"')
    planned(ramp, RULE.format(then="roll_back").replace('1000 * latency_seconds{model="new"}', f"'{asked}'"))
    with scraped(ramp, tmp_path, [0.9] * 30, [0.5] * 30) as settings.PROMETHEUS_URL:
        later(ramp, time_machine, 16)
        assert due.work().acted == []
    assert WRONG[query] in metric(ramp).words
    assert WRONG[query] in ramp.phase("everyone").held_by


class Odd(BaseHTTPRequestHandler):
    """Answers as no Prometheus does."""

    how = "html"
    stop = threading.Event()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.how == "hang":
            self.stop.wait(60)
            return
        status = {"redirect": 302, "denied": 401, "broken": 502}.get(self.how, 200)
        body = {"html": b"<html>Sign in</html>", "large": b" " * 3_000_000, "odd": b'{"status": "success", "data": 7}'}
        written = body.get(self.how, b"<html></html>")
        self.send_response(status)
        if self.how == "redirect":
            self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, *args):
        pass


@pytest.fixture
def odd():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    Odd.stop.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    Odd.stop.set()
    server.shutdown()
    server.server_close()


ODD = {
    "html": "the answer is no JSON",
    "hang": "the server does not answer in time",
    "large": "the answer is larger than 2 MB",
    "odd": "the answer is not as Prometheus' documentation says",
    "redirect": "the server sends the question on (302)",
    "denied": "the server lets the portal not in (401)",
    "broken": "the server answers 502",
}


def test_a_server_that_is_none_or_hangs_holds_and_says_so(ramp, time_machine, settings, odd, monkeypatch):
    planned(ramp, RULE.format(then="roll_back"))
    settings.PROMETHEUS_URL = odd
    monkeypatch.setattr("rollouts.prometheus.client.PIECE", 0.5)
    for Odd.how, words in ODD.items():
        later(ramp, time_machine, 2)
        assert words in metric(ramp).words, Odd.how
        assert due.work().acted == []
    settings.PROMETHEUS_URL = "http://127.0.0.1:9"
    later(ramp, time_machine, 2)
    assert "the server can't be reached" in metric(ramp).words
    settings.PROMETHEUS_PRIVATE = False
    later(ramp, time_machine, 2)
    assert "the address is of a private network: say PROMETHEUS_PRIVATE=true" in metric(ramp).words
    settings.PROMETHEUS_URL = ""
    later(ramp, time_machine, 2)
    assert "no server is named: set PROMETHEUS_URL" in metric(ramp).words
    due.work()
    phase = ramp.phase("everyone")
    assert (phase.state, phase.percentage) == ("active", 1)
    assert "no server is named" in phase.held_by
    assert not MetricSample.objects.exists()


def test_the_server_goes_away_and_comes_back(ramp, time_machine, tmp_path, settings):
    """What was beyond before it went does not act, and the gap does not count as time that hurt."""
    planned(ramp, RULE.format(then="roll_back"))
    with scraped(ramp, tmp_path / "one", [0.9] * 6, [0.5] * 6) as settings.PROMETHEUS_URL:
        later(ramp, time_machine, 6)
        assert metric(ramp).is_beyond
    for _ in range(3):
        later(ramp, time_machine, 10)
        assert due.work().acted == []
        assert not metric(ramp).is_known
    with scraped(ramp, tmp_path / "two", [0.9] * 40, [0.5] * 40) as settings.PROMETHEUS_URL:
        later(ramp, time_machine, 3)
        assert metric(ramp).is_beyond
        assert due.work().acted == []
        later(ramp, time_machine, 10)
        assert due.work().acted == ["haiku"]
