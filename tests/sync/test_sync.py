"""One pass: few calls, changed rows only, each trouble its own outcome, nothing known is lost."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command

from rollouts.models import (
    AuditEvent,
    FeatureFlag,
    FlagReading,
    GitLabProject,
    InstanceHealth,
    ReadingGap,
    SyncRun,
    TrackedIssue,
)
from rollouts.services import due, plans
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db


def sync_json(*arguments):
    from io import StringIO

    out, status = StringIO(), 0
    try:
        call_command("sync", "--json", *arguments, stdout=out)
    except SystemExit as stop:
        status = stop.code
    return json.loads(out.getvalue()), status


def rows():
    """Everything that a pass may change, as stored."""
    return [
        list(model.objects.order_by("pk").values()) for model in (FeatureFlag, FlagReading, TrackedIssue, AuditEvent)
    ]


def test_the_json_counts_what_the_design_promises(world):
    world.apply()
    answer, status = sync_json()
    (instance,) = answer["instances"]
    assert status == 0
    assert answer["ok"] is True
    assert answer["drift"] == []
    assert instance["name"] == "gitlab"
    assert instance["flags"] == {"seen": 0, "changed": 1, "missing": 0}
    assert instance["issues"] == {"tracked": 4, "changed": 4, "missing": 0}
    assert instance["error"] is None
    assert instance["calls"] == world.gitlab.calls()


def test_a_second_pass_with_nothing_changed_changes_no_row_and_counts_the_same(world):
    world.apply()
    plans.apply(world.document(slug="other").replace(f"name: {FLAG}", "name: gone"), by=world.actor("mia"), source="p")
    text = world.document(slug="third").replace(f"flag: {{name: {FLAG}}}", "flag: {project: acme/app, name: haiku}")
    plans.apply(text, by=world.actor("mia"), source="p")
    world.gitlab.state.set_feature(FLAG, "25", key="percentage_of_actors")
    for name in ("haiku", "others"):
        world.gitlab.state.add_project_flag("acme/app", name, version="new_version_flag")
    first, _ = sync_json()
    before = rows()
    again, _ = sync_json()
    assert [request.status for request in world.gitlab.requests if "feature" in request.path][-2:] == [304, 304]
    assert rows() == before
    assert first["instances"][0]["flags"] == {"seen": 3, "changed": 3, "missing": 1}
    assert again["instances"][0]["flags"] == {"seen": 3, "changed": 0, "missing": 1}
    assert again["instances"][0]["issues"] == {"tracked": 4, "changed": 0, "missing": 0}


def test_300_issues_in_3_projects_and_the_flags_cost_at_most_12_calls(world):
    state = world.gitlab.state
    for project in ("acme/one", "acme/two", "acme/three"):
        state.add_project(project)
        for iid in range(1, 101):
            state.add_issue(project, f"issue {iid}", iid=iid)
    world.plan["flag"] = FLAG
    roles = ("rollout_plan", "flag_rollout", "internal_rollout", "internal_feedback")
    for number in range(75):
        project = ("one", "two", "three")[number // 25]
        text = world.document(slug=f"r{number}")
        for position in range(len(roles)):
            text = text.replace(
                f"{world.gitlab.url}/acme/app/-/issues/{11 + position}",
                f"{world.gitlab.url}/acme/{project}/-/issues/{(number % 25) * 4 + position + 1}",
            )
        plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    world.gitlab.forget_requests()
    answer, _ = sync_json()
    assert answer["instances"][0]["issues"] == {"tracked": 300, "changed": 300, "missing": 0}
    assert answer["instances"][0]["calls"] == world.gitlab.calls() <= 12


def test_actors_are_resolved_once_and_kept(world):
    world.apply()
    world.sync()
    asked = world.gitlab.calls("/users") + world.gitlab.calls("/groups")
    assert asked == 2
    world.sync()
    assert world.gitlab.calls("/users") + world.gitlab.calls("/groups") == asked
    ids = {actor.name: actor.gitlab_id for actor in world.rollout().flag.instance.actors.all()}
    assert ids["user:ann"].startswith("User:")
    assert ids["group:acme/code"].startswith("Group:")


def test_an_issue_that_is_gone_keeps_what_was_known(world):
    world.apply()
    world.sync()
    world.gitlab.state.delete_issue("acme/app", 14)
    answer, status = sync_json("--full")
    assert answer["instances"][0]["issues"]["missing"] == 1
    gone = TrackedIssue.objects.get(iid=14)
    assert (gone.found, gone.title, gone.state) == (False, "internal feedback", "opened")
    assert status == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 404}, "not_found"),
        ({"status": 401}, "unauthorized"),
        ({"status": 403}, "forbidden"),
        ({"status": 429}, "rate_limited"),
        ({"status": 429, "headers": {"Retry-After": "120"}}, "rate_limited"),
        ({"status": 500}, "server_error"),
        ({"how": "drop"}, "connection_refused"),
        ({"how": "not_json"}, "bad_answer"),
        ({"how": "html"}, "bad_answer"),
        ({"how": "truncated"}, "bad_answer"),
    ],
)
def test_each_trouble_has_its_own_outcome_and_loses_nothing(world, fault, kind):
    world.apply()
    world.sync()
    known = list(TrackedIssue.objects.order_by("pk").values_list("title", "state", "task_count"))
    world.gitlab.fail(path="/issues?", **fault)
    answer, status = sync_json()
    problems = answer["instances"][0]["problems"]
    assert status == 1
    assert not answer["ok"]
    assert [(problem["scope"], problem["kind"]) for problem in problems] == [("acme/app", kind)]
    assert "acme/app" in answer["instances"][0]["error"]
    assert list(TrackedIssue.objects.order_by("pk").values_list("title", "state", "task_count")) == known
    project = GitLabProject.objects.get(path="acme/app")
    assert project.issues_outcome == kind
    assert project.issues_read_at is not None
    world.gitlab.heal()
    InstanceHealth.objects.update(paused_until=None)
    assert sync_json()[1] == 0
    assert GitLabProject.objects.get(path="acme/app").issues_outcome == "ok"


def test_a_timeout_is_told_as_one(world, settings):
    world.apply()
    world.sync()
    settings.GITLAB_TIMEOUT_SECONDS = 0.3
    world.gitlab.delay(1.0, path="/issues")
    answer, _ = sync_json()
    assert [problem["kind"] for problem in answer["instances"][0]["problems"]] == ["timeout"]


def test_nobody_at_the_address_is_told_and_known_values_stay(world):
    world.apply()
    world.sync()
    world.gitlab.stop()
    answer, status = sync_json()
    assert status == 1
    assert {problem["kind"] for problem in answer["instances"][0]["problems"]} == {"connection_refused"}
    assert world.rollout().flag.presence == "unset_off"


def test_after_retry_after_the_project_is_not_asked_until_then(world):
    world.apply()
    world.gitlab.fail(path="/projects/acme%2Fapp/issues", status=429, headers={"Retry-After": "120"})
    world.sync()
    world.gitlab.heal()
    world.gitlab.forget_requests()
    answer, _ = sync_json()
    assert world.gitlab.calls("/issues") == 0
    assert "not asked" in answer["instances"][0]["error"]


def test_a_failing_project_and_a_dead_instance_stop_no_other(world, settings):
    from rollouts.audit.actor import Actor
    from rollouts.audit.recording import recorded
    from rollouts.models import GitLabInstance

    settings.GITLAB_INSTANCES = {"dead": "http://127.0.0.1:9"}
    with recorded("instance.configure", by=Actor.system_user()):
        GitLabInstance.objects.create(name="dead", url="http://127.0.0.1:9")
    world.gitlab.state.add_project("acme/other")
    world.gitlab.state.add_issue("acme/other", "elsewhere", iid=11)
    text = world.document(slug="other").replace("/acme/app/-/issues/11", "/acme/other/-/issues/11")
    world.apply()
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    world.gitlab.fail(path="/projects/acme%2Fapp/issues", status=500)
    answer, status = sync_json()
    by_name = {instance["name"]: instance for instance in answer["instances"]}
    assert status == 1
    assert by_name["dead"]["error"]
    assert [problem["scope"] for problem in by_name["gitlab"]["problems"]] == ["acme/app"]
    assert TrackedIssue.objects.get(project__path="acme/other").found


@pytest.mark.parametrize("status", [500, 429])
def test_with_every_third_answer_bad_it_says_exactly_what_it_could_not_read(world, status):
    world.apply()
    world.gitlab.fail(every=3, status=status)
    for _ in range(6):
        InstanceHealth.objects.update(paused_until=None)
        answer, _ = sync_json("--full")
        unread = {problem["scope"] for problem in answer["instances"][0]["problems"]}
        found = TrackedIssue.objects.filter(found=True).count()
        assert (found == 4) or {"acme/app", "gitlab"} & unread  # not read, or GitLab not asked at all
    world.gitlab.heal()
    InstanceHealth.objects.update(paused_until=None)
    answer, code = sync_json("--full")
    assert code == 0
    assert TrackedIssue.objects.filter(found=True).count() == 4


def test_a_flag_that_gitlab_neither_lists_nor_defines_is_unknown_not_off(world):
    world.gitlab.state.remove_flag_definition(FLAG)
    world.apply()
    answer, _ = sync_json()
    assert answer["instances"][0]["flags"]["missing"] == 1
    assert world.rollout().flag.presence == "unknown"
    assert world.rollout().flag.latest.words == "unknown to GitLab"


def test_a_rollout_that_breaks_holds_up_no_other_and_is_looked_at_again(world, monkeypatch):
    world.apply()
    first = world.rollout().pk
    plans.apply(world.document(slug="second"), by=world.actor("mia"), source="p")
    world.sync()
    world.gitlab.state.set_feature(FLAG, "25", key="percentage_of_actors")
    settle_alone = due.settle_alone

    def breaks(pk):
        if pk == first:
            raise RuntimeError("a fault of ours")
        settle_alone(pk)

    monkeypatch.setattr(due, "settle_alone", breaks)
    (report,) = world.sync()
    assert "broke off" in report.error
    assert [world.rollout(slug).drift for slug in ("haiku", "second")] == ["none", "ahead"]
    monkeypatch.undo()
    world.sync()
    assert world.rollout().drift == "ahead"


def test_drift_is_in_the_json(world):
    world.up_to("everyone", "active")
    world.gitlab.state.set_feature(FLAG, "50", key="percentage_of_actors")
    answer, _ = sync_json()
    (drift,) = answer["drift"]
    assert (drift["rollout"], drift["kind"]) == ("haiku", "ahead")
    assert drift["expected"]["percentage_of_actors"] == 1
    assert drift["read"]["percentage_of_actors"] == 50


def test_a_project_flag_is_read_for_its_environment(world):
    world.gitlab.state.add_project_flag(
        "acme/app",
        "haiku",
        active=True,
        version="new_version_flag",
        strategies=[
            {
                "name": "flexibleRollout",
                "parameters": {"groupId": "default", "rollout": "25", "stickiness": "default"},
                "scopes": [{"environment_scope": "production"}],
            },
        ],
    )
    text = world.document().replace(f"flag: {{name: {FLAG}}}", "flag: {project: acme/app, name: haiku}")
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    world.sync()
    flag = world.rollout().flag
    assert flag.environment == "production"
    assert flag.latest.words == "25 % of actors"


def test_a_time_in_which_flags_were_not_read_is_kept_for_each_scope_apart(world, time_machine):
    world.gitlab.state.add_project_flag("acme/app", "haiku", active=True, version="new_version_flag")
    text = world.document().replace(f"flag: {{name: {FLAG}}}", "flag: {project: acme/app, name: haiku}")
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    world.sync()
    project = world.rollout().flag.project
    assert set(ReadingGap.objects.values_list("project", "since")) == {(None, None), (project.pk, None)}
    for minutes, kept in ((4, 2), (4, 2), (6, 4)):  # a reading counts for five minutes
        time_machine.move_to(world.now() + timedelta(minutes=minutes))
        world.sync()
        assert ReadingGap.objects.count() == kept
    gap = ReadingGap.objects.get(project=project, since__isnull=False)
    assert timedelta(minutes=5) < gap.until - gap.since < timedelta(minutes=7)
    project.refresh_from_db()
    assert gap.until == project.flags_read_at
    time_machine.move_to(world.now() + timedelta(hours=1))
    world.gitlab.fail(status=500)
    world.sync()
    assert ReadingGap.objects.count() == 4  # still nothing was read: the gap goes on


def test_a_confidential_title_is_in_no_part_of_history_that_viewers_see(world):
    world.apply()
    world.sync()
    viewer = [json.dumps(event.as_json(sees_confidential=False)) for event in AuditEvent.objects.all()]
    approver = [json.dumps(event.as_json(sees_confidential=True)) for event in AuditEvent.objects.all()]
    assert not any(SECRET_TITLE in told for told in viewer)
    assert any(SECRET_TITLE in told for told in approver)
    assert not any(SECRET_TITLE in json.dumps(event.snapshot) for event in AuditEvent.objects.all())


def test_each_pass_is_kept_with_its_figures(world):
    world.apply()
    world.sync()
    run = SyncRun.objects.latest("pk")
    assert (run.outcome, run.trigger, run.issues_tracked) == ("ok", "command", 4)
    assert run.finished_at >= run.started_at


def test_an_unknown_instance_is_wrong_use(world):
    from django.core.management.base import CommandError

    with pytest.raises(CommandError, match="no GitLab instance named moon") as wrong:
        call_command("sync", "--instance", "moon")
    assert wrong.value.returncode == 2
