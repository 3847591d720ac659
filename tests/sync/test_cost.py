"""What a pass costs: calls, as GitLab's own log counts them, and queries."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollouts.audit.recording import recorded
from rollouts.models import GitLabProject, RolloutIssue, TrackedIssue
from rollouts.services.instances import default_instance

pytestmark = pytest.mark.django_db


def follow(world, path, iids):
    """Issues of GitLab that the world's rollout is linked to, many at once."""
    rollout, state = world.rollout(), world.gitlab.state
    with state.change():
        if not GitLabProject.objects.filter(path=path).exists():
            state.add_project(path)
        for iid in iids:
            state.add_issue(path, f"issue {iid}", iid=iid, created_at="2025-01-01T00:00:00.000Z")
    with recorded("test", by=world.actor("mia")):
        project, _ = GitLabProject.objects.get_or_create(instance=default_instance(), path=path)
        rows = TrackedIssue.objects.bulk_create(TrackedIssue(project=project, iid=iid) for iid in iids)
        RolloutIssue.objects.bulk_create(
            RolloutIssue(rollout=rollout, role=f"{path} {row.iid}", issue=row) for row in rows
        )


def calls_of(world, **how):
    """One pass, by what GitLab has logged of it: addresses without their query."""
    world.gitlab.forget_requests()
    (report,) = world.sync(**how)
    assert not report.problems
    assert report.calls == len(world.gitlab.requests)
    return [request.path for request in world.gitlab.requests], report


def test_calls_are_the_least_that_gitlab_allows(world):
    world.apply()
    for path, count in (("acme/one", 100), ("acme/two", 250), ("acme/three", 30)):
        follow(world, path, range(1001, 1001 + count))
    world.sync()
    full, report = calls_of(world, full=True)
    issues = [path for path in full if path.endswith("/issues")]
    assert len(issues) == 1 + 1 + 3 + 1  # one for each 100 of each project; acme/app has its four
    assert sum(path.endswith("/features") for path in full) == 1
    assert report.issues.tracked == 384
    world.gitlab.state.set_issue("acme/three", 1001, title="so late that it is asked for twice")
    calls_of(world)
    unchanged, report = calls_of(world)  # also where hundreds were changed at the same moment, long ago
    assert sorted(unchanged) == sorted([f"/api/v4/projects/{n}/issues" for n in ids()] + ["/api/v4/features"])
    assert (report.issues.changed, report.flags.changed) == (0, 0)


def ids():
    return GitLabProject.objects.values_list("gitlab_id", flat=True)


def test_queries_are_as_many_for_a_hundred_issues_as_for_ten(world):
    world.apply()
    follow(world, "acme/few", range(1, 11))
    world.sync()
    costs = {}
    for size, more in (("ten", ()), ("a hundred", range(11, 101))):
        if more:
            follow(world, "acme/few", more)
            world.sync()
        with world.gitlab.state.change():
            for iid in range(1, 11 + len(more)):
                world.gitlab.state.set_issue("acme/few", iid, title=f"{size} {iid}")
        with CaptureQueriesContext(connection) as asked:
            (report,) = world.sync(full=True)
        costs[size] = (report.issues.changed, len(asked))
    assert costs["ten"][0] == 10
    assert costs["a hundred"][0] == 100
    assert costs["a hundred"][1] - costs["ten"][1] <= 4  # SQLite takes a long statement in parts


class Terminal(StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_a_bar_fills_and_goes(world):
    world.apply()
    told, out = Terminal(), StringIO()
    call_command("sync", stdout=out, stderr=told)
    assert [part.split("] ")[1] for part in told.getvalue().split("\r") if "] " in part] == [
        "0 of 2",
        "1 of 2",
        "2 of 2",
    ]
    assert told.getvalue().endswith("\r\x1b[K"), "nothing of it stays"
    assert "4 issues tracked" in out.getvalue()


def test_where_nobody_looks_there_is_no_bar(world):
    world.apply()
    output = StringIO()
    call_command("sync", stdout=StringIO(), stderr=output)
    assert output.getvalue() == ""
