"""``make bench``: what a pass costs, beside one call per issue, in the same run."""

from __future__ import annotations

import time

import pytest

from rollouts.gitlab import GitLab
from rollouts.services import plans

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db]
PROJECTS, ROLLOUTS, LATENCY_SECONDS = 3, 75, 0.05


def test_a_pass_over_300_issues(world, capsys):
    state = world.gitlab.state
    with state.change():
        for number in range(PROJECTS):
            state.add_project(f"acme/bench{number}")
            for iid in range(1, 101):
                state.add_issue(f"acme/bench{number}", f"issue {iid}", iid=iid)
    for number in range(ROLLOUTS):
        text = world.document(slug=f"bench-{number}", flag=f"flag_{number}")
        for position in range(4):
            to = f"/acme/bench{number % PROJECTS}/-/issues/{(number // PROJECTS) * 4 + position + 1}"
            text = text.replace(f"/acme/app/-/issues/{11 + position}", to)
        plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    world.gitlab.delay(LATENCY_SECONDS, path="/api/v4/")
    figures = {}
    for name in ("first pass", "nothing changed"):
        begun = time.perf_counter()
        (report,) = world.sync()
        figures[name] = (report.calls, time.perf_counter() - begun, report.issues.changed + report.flags.changed)
    gitlab = GitLab(world.gitlab.url, world.gitlab.token)
    begun = time.perf_counter()
    for number in range(PROJECTS):
        for iid in range(1, 101):
            gitlab.issues(f"acme/bench{number}", [iid])
    figures["one call per issue"] = (gitlab.calls, time.perf_counter() - begun, 0)
    naive = figures["one call per issue"][1]
    with capsys.disabled():
        print(f"\n300 issues in {PROJECTS} projects, {ROLLOUTS} flags, {LATENCY_SECONDS * 1000:.0f} ms latency")
        for name, (calls, seconds, changed) in figures.items():
            print(f"  {name:20} {calls:4} calls {seconds:7.2f} s {naive / seconds:6.1f} x naive {changed:4} changed")
    assert figures["nothing changed"][0] <= 12
