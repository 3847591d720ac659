"""Passes in parts: leases, cursors, what moves in GitLab, and how all workers together keep to one GitLab's limits."""

from datetime import timedelta
from threading import Thread

import pytest
from django.db import connections
from django.utils import timezone

from gitlab_simulator.server import RateLimit
from rollouts import tasks
from rollouts.models import (
    AuditEvent,
    GitLabInstance,
    GitLabProject,
    InstanceHealth,
    RolloutIssue,
    SyncScope,
    TrackedIssue,
)
from rollouts.services.instances import default_instance
from rollouts.sync import leases, passes, rate_limits

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(world):
    """A world that was read once, with its requests forgotten."""
    world.apply()
    world.sync()
    world.gitlab.forget_requests()
    return world


@pytest.fixture
def later(time_machine):
    return lambda **span: time_machine.move_to(timezone.now() + timedelta(**span))


def asked(world, path="/issues"):
    return [request for request in world.gitlab.requests if request.path.endswith(path)]


def project_scope():
    return SyncScope.objects.get(project__path="acme/app")


# What a pass asks for


def test_only_what_changed_is_asked_for(read):
    read.gitlab.state.set_issue("acme/app", 12, title="new")
    read.sync()
    (request,) = asked(read)
    assert request.query["iids"] == ["11", "12", "13", "14"]
    assert "updated_after" in request.query
    assert TrackedIssue.objects.get(iid=12).title == "new"


def test_a_change_of_another_clock_is_within_the_overlap(read, later):
    later(minutes=10)
    read.sync()
    late = (timezone.now() - timedelta(minutes=4)).isoformat()
    read.gitlab.state.set_issue("acme/app", 13, title="stamped early", updated_at=late)
    read.sync()
    assert TrackedIssue.objects.get(iid=13).title == "stamped early"
    assert project_scope().cursor > timezone.now() - timedelta(minutes=1)


def test_a_gitlab_that_does_not_tell_its_clock_is_asked_since_its_newest_change(read, monkeypatch):
    from rollouts.gitlab import transport

    monkeypatch.setattr(transport, "date_of", lambda response: None)
    newest = max(TrackedIssue.objects.values_list("changed_at", flat=True))
    read.sync(full=True)
    assert project_scope().cursor == newest


def test_a_clock_that_is_ahead_hides_no_change(read, monkeypatch):
    from rollouts.gitlab import transport

    monkeypatch.setattr(transport, "date_of", lambda response: timezone.now() + timedelta(days=1))
    read.sync()
    read.gitlab.state.set_issue("acme/app", 12, title="new")
    read.sync()
    assert TrackedIssue.objects.get(iid=12).title == "new"


def test_a_new_issue_is_asked_for_whatever_its_age(read):
    long_ago = "2020-01-01T00:00:00.000Z"
    read.gitlab.state.add_issue("acme/app", "old", iid=20, created_at=long_ago)
    text = read.document().replace("/-/issues/14", "/-/issues/20")
    from rollouts.services import plans

    plans.apply(text, by=read.actor("mia"), source="plan.yaml")
    read.sync()
    assert TrackedIssue.objects.get(iid=20).title == "old"


def test_a_full_pass_comes_by_itself(read, later):
    read.gitlab.state.delete_issue("acme/app", 14)
    read.sync()
    assert TrackedIssue.objects.get(iid=14).found
    later(minutes=20)
    read.sync()
    assert not TrackedIssue.objects.get(iid=14).found


def test_flags_that_did_not_change_are_not_sent_again(read):
    read.sync()
    assert [request.status for request in asked(read, "/features")] == [304]
    read.gitlab.state.set_feature("use_haiku", "true")
    (report,) = read.sync()
    assert report.flags.changed == 1


# What moves in GitLab


def test_a_moved_issue_is_followed(read):
    state = read.gitlab.state
    state.add_project("acme/elsewhere")
    new = state.move_issue("acme/app", 13, "acme/elsewhere")
    state.set_issue("acme/elsewhere", new, title="in its new place")
    read.sync()
    link = RolloutIssue.objects.select_related("issue__project").get(role="internal_rollout")
    assert link.issue.reference == f"acme/elsewhere#{new}"
    read.sync()
    assert TrackedIssue.objects.get(pk=link.issue.pk).title == "in its new place"
    assert AuditEvent.objects.filter(verb="issue.follow").count() == 1
    events = AuditEvent.objects.count()
    read.sync(full=True)
    assert AuditEvent.objects.count() == events


def test_what_was_made_confidential_is_found_by_a_full_pass_whatever_its_time_says(read, later):
    later(minutes=10)
    read.sync()
    known = TrackedIssue.objects.get(iid=13)
    read.gitlab.state.set_issue("acme/app", 13, confidential=True, updated_at=known.changed_at.isoformat())
    read.sync()
    assert not TrackedIssue.objects.get(iid=13).confidential
    later(minutes=20)
    read.sync()
    issue = TrackedIssue.objects.get(iid=13)
    assert issue.confidential
    assert issue.title_for(sees_confidential=False) == "confidential issue"


def test_what_is_hidden_from_our_token_is_marked_and_keeps_what_was_known(read, settings):
    settings.GITLAB_TOKEN = read.gitlab.reader_token
    read.gitlab.state.set_issue("acme/app", 13, confidential=True)
    (report,) = read.sync(full=True)
    issue = TrackedIssue.objects.get(iid=13)
    assert (issue.found, issue.title) == (False, "internal rollout")
    assert report.issues.missing == 2  # and the plan, which always was


def test_where_we_may_not_see_where_it_went_the_words_say_so(read, settings):
    state = read.gitlab.state
    state.add_project("acme/elsewhere")
    state.add_user("dev", access="developer")
    state.add_token("dev-token", "dev", scopes=("read_api",))
    settings.GITLAB_TOKEN = "dev-token"
    state.move_issue("acme/app", 13, "acme/elsewhere")
    (report,) = read.sync()
    assert any("administrator" in problem.words for problem in report.problems if problem.scope == "acme/app#13")
    assert RolloutIssue.objects.get(role="internal_rollout").issue.iid == 13


def test_a_project_that_moves_is_the_same_project(read):
    read.gitlab.state.rename_group("acme", "umbrella")
    read.gitlab.state.set_issue("umbrella/app", 12, title="still read")
    read.sync()
    project = GitLabProject.objects.get()
    assert (project.path, project.gitlab_id) == ("umbrella/app", 1001)
    assert TrackedIssue.objects.get(iid=12).title == "still read"
    assert AuditEvent.objects.filter(verb="project.move").count() == 1


def test_a_project_of_which_only_flags_are_followed_is_followed_too(world):
    from rollouts.services import plans

    world.gitlab.state.add_project("acme/flags")
    world.gitlab.state.add_project_flag("acme/flags", "haiku", active=False)
    text = world.document().replace("{name: use_haiku}", "{project: acme/flags, name: haiku}")
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    world.sync()
    world.gitlab.state.rename_project("acme/flags", "umbrella/flags")
    world.gitlab.state.add_project("acme/flags")  # somebody takes the old path
    world.gitlab.forget_requests()
    world.sync()
    assert not world.gitlab.calls("/projects/acme%2Fflags")
    (report,) = world.sync(full=True)
    assert (report.flags.missing, report.problems) == (0, [])
    assert GitLabProject.objects.filter(path="umbrella/flags").exists()
    assert not GitLabProject.objects.filter(path="acme/flags").exists()


def test_one_flag_under_the_old_and_the_new_path_is_one_flag(world):
    """Two plans name one project by both its paths: they come together once, and then nothing happens any more."""
    from rollouts.services import plans

    state = world.gitlab.state
    state.add_project("acme/flags")
    state.add_project_flag("acme/flags", "haiku", active=False)

    def apply(slug, path):
        text = world.document(slug=slug).replace("{name: use_haiku}", f"{{project: {path}, name: haiku}}")
        return plans.apply(text, by=world.actor("mia"), source="plan.yaml")

    apply("one", "acme/flags")
    world.sync(full=True)
    state.rename_project("acme/flags", "umbrella/flags")
    apply("two", "umbrella/flags")
    for _ in range(2):
        world.sync(full=True)
    events = AuditEvent.objects.count()
    for _ in range(3):
        world.sync(full=True)
    assert AuditEvent.objects.count() == events
    flags = {world.rollout(slug).flag for slug in ("one", "two")}
    assert [(flag.project.path, flag.name) for flag in flags] == [("umbrella/flags", "haiku")]
    assert not apply("one", "acme/flags").changes  # the former path is still understood
    state.rename_project("umbrella/flags", "acme/flags")  # and back
    for _ in range(2):
        world.sync(full=True)
    apply("two", "acme/flags")
    world.sync(full=True)
    events = AuditEvent.objects.count()
    world.sync(full=True)
    assert AuditEvent.objects.count() == events
    assert {world.rollout(slug).flag.project.path for slug in ("one", "two")} == {"acme/flags"}


def test_issues_that_were_moved_in_a_circle_come_to_rest(read):
    state = read.gitlab.state
    state.add_project("acme/b")
    first = state.issue("acme/app", 12)
    there = state.move_issue("acme/app", 12, "acme/b")
    read.sync()
    state.set_issue("acme/b", there, moved_to_id=first["id"])
    for _ in range(2):
        read.sync(full=True)
    newest = AuditEvent.objects.latest("pk").pk
    for number in range(3):
        state.set_issue("acme/app", 12, title=f"again {number}")
        state.set_issue("acme/b", there, title=f"again {number}")
        read.sync(full=True)
    followed = AuditEvent.objects.filter(verb="issue.follow", pk__gt=newest)
    assert not followed.exists()
    assert AuditEvent.objects.filter(verb="issue.follow").count() == 1
    assert RolloutIssue.objects.get(role="flag_rollout").issue.project.path == "acme/b"


def test_a_new_path_that_a_plan_named_already_is_no_second_project(read):
    read.gitlab.state.rename_project("acme/app", "acme/application")
    text = read.document(slug="two", flag="flag_two").replace("/acme/app/", "/acme/application/")
    from rollouts.services import plans

    plans.apply(text, by=read.actor("mia"), source="plan.yaml")
    for _ in range(3):
        read.sync()
    followed = {link.issue.project.path for link in RolloutIssue.objects.select_related("issue__project")}
    assert followed == {"acme/application"}
    assert GitLabProject.objects.exclude(gitlab_id=None).count() == 1
    assert TrackedIssue.objects.filter(links__isnull=False).distinct().count() == 4


# Leases


def test_one_scope_is_read_by_one_worker(read):
    scope = project_scope()
    lease = leases.take(scope.pk)
    assert leases.take(scope.pk) is None
    lease.release()
    assert leases.take(scope.pk) is not None


def test_the_lease_of_a_dead_worker_passes_on_and_its_work_is_lost(read, later):
    dead = leases.take(project_scope().pk)
    later(minutes=5)
    alive = leases.take(dead.scope.pk)
    assert alive is not None
    with pytest.raises(leases.Lost):
        dead.renew()
    assert not dead.release(cursor=None)
    assert project_scope().cursor is not None
    alive.renew()


def test_a_pass_of_workers_is_closed_by_the_last(read):
    run = passes.begin(default_instance(), trigger="beat")
    assert (run.planned, run.outcome) == (2, "running")
    assert passes.begin(default_instance(), trigger="beat") is None  # one at a time
    assert passes.work(default_instance()) is False
    run.refresh_from_db()
    assert (run.done, run.outcome, run.calls > 0) == (2, "ok", True)
    assert not passes.waiting(default_instance())


def test_what_a_dead_worker_left_is_read_by_the_next_ring(read, later):
    run = passes.begin(default_instance(), trigger="beat")
    leases.take(project_scope().pk)
    passes.work(default_instance())
    run.refresh_from_db()
    assert (run.done, run.outcome) == (1, "running")
    later(minutes=5)
    passes.work(default_instance())
    run.refresh_from_db()
    assert (run.done, run.outcome) == (2, "ok")


def test_beat_begins_when_the_interval_is_over_and_not_before(read, later):
    first = passes.begin_if_due(default_instance())
    passes.work(default_instance())
    later(seconds=30)
    assert passes.begin_if_due(default_instance()) is None
    later(seconds=45)
    assert passes.begin_if_due(default_instance()).pk > first.pk


def test_not_more_than_some_workers_read_one_instance(read, settings):
    settings.SYNC_PARALLEL = 1
    run = passes.begin(default_instance(), trigger="beat")
    leases.take(SyncScope.objects.get(project=None).pk)
    passes.work(default_instance())
    run.refresh_from_db()
    assert run.done == 0


def test_a_pass_that_lost_its_workers_is_buried(read, later):
    run = passes.begin(default_instance(), trigger="beat")
    later(hours=1)
    new = passes.begin(default_instance(), trigger="beat")
    run.refresh_from_db()
    assert (run.outcome, new.outcome) == ("interrupted", "running")


def test_flags_are_read_by_themselves(read):
    read.gitlab.state.set_feature("use_haiku", "true")
    tasks.flags_due.apply()
    passes.read_flags(default_instance())
    assert read.rollout().flag.latest.exposure.is_everyone
    assert not asked(read)
    assert SyncScope.objects.get(project=None).held_until is None


@pytest.mark.django_db(transaction=True)
def test_threads_read_at_once_and_say_the_same(transactional_db, gitlab):
    from tests.walk import World

    world = World.build(gitlab)
    for number in range(6):
        gitlab.state.add_project(f"acme/app{number}")
        for iid in (11, 12, 13, 14):
            gitlab.state.add_issue(f"acme/app{number}", f"issue {iid}", iid=iid)
        text = world.document(slug=f"r{number}", flag=f"f{number}").replace("/acme/app/", f"/acme/app{number}/")
        from rollouts.services import plans

        plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    seen = []
    (report,) = world.sync(jobs=4, tell=lambda done, planned: seen.append((done, planned)))
    assert report.issues.changed == TrackedIssue.objects.filter(found=True).count() == 24
    assert seen == [(done, 7) for done in range(8)]
    assert AuditEvent.objects.filter(verb="issue.read").count() == 24


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_one_pass(transactional_db, gitlab):
    from tests.walk import World

    world = World.build(gitlab)
    world.apply()
    world.sync()
    run = passes.begin(default_instance(), trigger="beat")
    gitlab.delay(0.1)

    def work():
        try:
            passes.work(default_instance())
        finally:
            connections.close_all()

    gitlab.forget_requests()
    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run.refresh_from_db()
    assert (run.done, run.outcome) == (2, "ok")
    assert sorted(request.path for request in gitlab.requests) == ["/api/v4/features", "/api/v4/projects/1001/issues"]


# Politeness


def test_a_429_holds_all_workers_until_gitlab_listens(read, later):
    read.gitlab.fail(status=429, headers={"Retry-After": "120"}, times=1)
    read.sync()
    read.gitlab.forget_requests()
    (report,) = read.sync()
    assert not read.gitlab.requests
    assert [problem.kind for problem in report.problems] == ["rate_limited"]
    assert passes.begin(default_instance(), trigger="beat") is None
    later(seconds=121)
    (report,) = read.sync()
    assert not report.problems


def test_the_share_of_the_limit_is_never_exceeded(read, later):
    read.gitlab.server.rate = RateLimit()  # nothing was asked in this minute
    read.gitlab.limit_requests(10)  # of which half is ours
    InstanceHealth.objects.all().delete()
    for _ in range(8):
        read.sync(full=True)
    assert len(read.gitlab.requests) <= 6  # one to learn the limit by
    assert all(request.status != 429 for request in read.gitlab.requests)


@pytest.mark.django_db(transaction=True)
def test_workers_that_read_at_once_share_one_limit(transactional_db, gitlab):
    from rollouts.audit.recording import recorded
    from tests.walk import World

    world = World.build(gitlab)
    for number in range(8):
        gitlab.state.add_project(f"acme/app{number}")
        text = world.document(slug=f"r{number}", flag=f"f{number}").replace("/acme/app/", f"/acme/app{number}/")
        from rollouts.services import plans

        plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    instance = default_instance()
    with recorded("test", by=world.actor("root")):
        instance.calls_a_minute = 5
        instance.save()
    gitlab.delay(0.02)
    (report,) = world.sync(jobs=8)
    assert len(gitlab.requests) == 5
    assert "share of GitLab's rate limit" in report.error


def test_a_configured_most_holds_where_gitlab_names_no_limit(read):
    from rollouts.audit.recording import recorded

    instance = default_instance()
    with recorded("test", by=read.actor("root")):
        instance.calls_a_minute = 3
        instance.save()
    InstanceHealth.objects.all().delete()
    (report,) = [passes.sync_instance(instance, trigger="test", full=True)]
    assert len(read.gitlab.requests) == 3
    assert "share of GitLab's rate limit" in report.error


def test_a_failing_gitlab_is_left_alone_and_tried_again(read, later):
    read.gitlab.fail(status=502)
    for _ in range(3):
        read.sync()
    read.gitlab.forget_requests()
    (report,) = read.sync()
    assert not read.gitlab.requests
    assert "failed 5 times in a row" in report.error
    assert "502" in report.error
    later(seconds=30)
    read.sync()
    assert len(read.gitlab.requests) == 1  # one call tries, and the circuit is open again for longer
    later(seconds=20)
    read.gitlab.forget_requests()
    read.sync()
    assert not read.gitlab.requests
    read.gitlab.heal()
    later(seconds=60)
    (report,) = read.sync()
    assert not report.problems
    health = InstanceHealth.objects.get()
    assert (health.failures, health.opened, health.open_until, health.words) == (0, 0, None, "")


def test_a_token_that_was_mended_is_tried_at_once(read, settings):
    """By beat, by whoever runs sync, by the page: none of them is told the fault of the token before."""
    good, settings.GITLAB_TOKEN = settings.GITLAB_TOKEN, "glpat-expired"
    for _ in range(4):
        (report,) = read.sync()
    assert "in a row" in report.error
    assert passes.begin_if_due(default_instance()) is None
    settings.GITLAB_TOKEN = good
    assert rate_limits.must_wait(default_instance(), timezone.now()) is None
    assert passes.begin_if_due(default_instance()) is not None
    assert not passes.work(default_instance())
    (report,) = read.sync()
    assert not report.problems
    health = InstanceHealth.objects.get()
    assert (health.failures, health.words) == (0, "")
    assert good not in health.failed_with
    # and the other way round: what failed with the good one is no fault of a worse one, which has its own
    settings.GITLAB_TOKEN = "glpat-expired"
    (report,) = read.sync()
    assert "in a row" not in report.error
    assert "401" in report.error or "token" in report.error


def test_who_runs_sync_by_hand_is_told_of_now(read):
    from io import StringIO

    from django.core.management import call_command

    read.gitlab.fail(status=502)
    for _ in range(4):
        read.sync()
    read.gitlab.heal()
    read.gitlab.forget_requests()
    out = StringIO()
    call_command("sync", stdout=out)  # raises SystemExit where anything could not be read
    assert "in a row" not in out.getvalue()
    read.gitlab.fail(status=502)
    for _ in range(4):
        read.sync()
    read.gitlab.forget_requests()
    with pytest.raises(SystemExit):
        call_command("sync", stdout=out)
    assert len(read.gitlab.requests) <= 3  # one question, asked again twice; then it is left alone again
    assert passes.begin(default_instance(), trigger="page") is not None


def test_a_way_back_waits_for_nothing_of_ours(read):
    InstanceHealth.objects.update(paused_until=timezone.now() + timedelta(hours=1), failures=9)
    assert rate_limits.connect(default_instance(), urgent=True).features() is not None


def test_while_an_instance_fails_only_one_worker_asks_it(read):
    run = passes.begin(default_instance(), trigger="beat")
    InstanceHealth.objects.update(failures=1)
    leases.take(SyncScope.objects.get(project=None).pk)
    passes.work(default_instance())
    run.refresh_from_db()
    assert run.done == 0  # SYNC_PARALLEL would let a second one in
    SyncScope.objects.update(holder="", held_until=None)
    passes.work(default_instance())
    run.refresh_from_db()
    assert (run.done, run.outcome) == (2, "ok")


def test_one_dead_instance_holds_no_other(read, settings):
    from rollouts.audit.recording import recorded

    settings.GITLAB_INSTANCES = {"dead": "http://127.0.0.1:1"}
    with recorded("test", by=read.actor("root")):
        dead = GitLabInstance.objects.create(name="dead", url="http://127.0.0.1:1")
    for _ in range(3):
        passes.sync_instance(dead, trigger="test")
    assert passes.begin(default_instance(), trigger="beat") is not None
    (_, report) = read.sync()
    assert not report.problems


# Our own token


@pytest.mark.parametrize(("days", "is_told"), [(15, False), (14, True), (0, True)])
def test_the_end_of_a_token_is_announced_two_weeks_ahead(world, days, is_told):
    from rollouts.sync.status import token_warnings

    end = (timezone.now() + timedelta(days=days)).date().isoformat()
    world.gitlab.state.add_token(world.gitlab.token, "root", scopes=("api", "admin_mode"), expires_at=end)
    world.sync()
    assert bool(token_warnings()) == is_told


def test_a_token_that_ends_soon_is_announced(world):
    from django.test import Client

    soon = (timezone.now() + timedelta(days=10)).date()
    world.gitlab.state.add_token(world.gitlab.token, "root", scopes=("api", "admin_mode"), expires_at=soon.isoformat())
    world.sync()
    pages = {}
    for name in ("root", "vic"):
        client = Client()
        client.force_login(world.people[name])
        pages[name] = client.get("/").content.decode()
    assert "in 10 days" in pages["root"]
    assert "in 10 days" not in pages["vic"]
    client = Client()
    client.force_login(world.people["vic"])
    assert f"until {soon.day} {soon:%b} {soon.year}" in client.get("/sync/").content.decode()


def test_a_row_that_cannot_be_read_spoils_no_other(read):
    state = read.gitlab.state
    state.set_issue("acme/app", 12, title="good")
    from rollouts.gitlab import GitLab

    rows = [GitLab(read.gitlab.url, read.gitlab.token)._get("/projects/1001/issues", {}).json()][0]
    bad = [{**row, "state": "half open"} if row["iid"] == 11 else row for row in rows]
    import json

    read.gitlab.fail(how="not_json", path="/issues", times=1, body=json.dumps(bad).encode())
    (report,) = read.sync(full=True)
    assert TrackedIssue.objects.get(iid=12).title == "good"
    assert TrackedIssue.objects.get(iid=11).found
    assert "state should be opened or closed" in report.error


# What breaks holds up nothing else; nobody starves


def breaks(*args, **kwargs):
    raise ZeroDivisionError("a fault of our own")


def test_a_pass_that_still_reads_is_not_buried_however_long_ago_it_began(read, later):
    run = passes.begin(default_instance(), trigger="beat")
    lease = leases.take(project_scope().pk)
    for _ in range(8):
        later(minutes=9)
        lease.renew()
        passes.begin(default_instance(), trigger="beat")
    later(seconds=30)
    passes.reading.finish(passes.reading.read(rate_limits.connect(default_instance()), lease))
    passes.runs.credit(run.pk, passes.Report("gitlab"))
    later(minutes=15)  # between two places
    assert passes.begin(default_instance(), trigger="beat") is None
    passes.work(default_instance())
    run.refresh_from_db()
    assert (run.outcome, run.done) == ("ok", 2)


def many(world, count):
    from rollouts.services import plans

    for number in range(count):
        world.gitlab.state.add_project(f"acme/app{number}")
        text = world.document(slug=f"r{number}", flag=f"f{number}").replace("/acme/app/", f"/acme/app{number}/")
        plans.apply(text, by=world.actor("mia"), source="plan.yaml")


def test_passes_that_break_off_leave_no_project_out_for_ever(world, later):
    many(world, 6)
    for _ in range(4):  # each pass gets to two places, then its workers are gone
        passes.begin(default_instance(), trigger="beat")
        for _ in range(2):
            passes._read_and_credit(
                rate_limits.connect(default_instance()), passes._next(default_instance(), hints_first=True)
            )
        later(minutes=30)
    assert not SyncScope.objects.filter(read_at=None).exists()


def test_a_project_that_gitlab_speaks_of_all_the_time_starves_no_other(world, monkeypatch):
    many(world, 6)
    world.sync()
    busy, before = SyncScope.objects.get(project__path="acme/app0"), timezone.now()
    passes.begin(default_instance(), trigger="beat")
    really = passes._read_and_credit

    def read_and_hear(gitlab, lease):
        really(gitlab, lease)
        SyncScope.objects.filter(pk=busy.pk).update(hinted_at=timezone.now())
        read_and_hear.turns += 1
        if read_and_hear.turns == 16:
            SyncScope.objects.filter(pk=busy.pk).update(hinted_at=None)

    read_and_hear.turns = 0
    monkeypatch.setattr(passes, "_read_and_credit", read_and_hear)
    passes.work(default_instance())
    assert not SyncScope.objects.filter(read_at__lt=before).exists()


def test_what_its_reader_dies_of_is_read_after_all_else(world, later):
    many(world, 3)
    passes.begin(default_instance(), trigger="beat")
    first = passes._next(default_instance(), hints_first=True)  # and its worker is killed
    later(minutes=2)
    order = []
    while lease := passes._next(default_instance(), hints_first=True):
        order.append(lease.scope.pk)
        lease.release(run=None)
    assert order[-1] == first.scope.pk
    assert len(order) == 4


def test_one_place_that_breaks_ends_no_pass_of_the_command(world, monkeypatch):
    many(world, 3)
    really = passes.reading._read_project

    def read_project(reading, project):
        return breaks() if project.path == "acme/app0" else really(reading, project)

    monkeypatch.setattr(passes.reading, "_read_project", read_project)
    report = passes.sync_instance(default_instance(), trigger="command")
    assert [(p.scope, "log" in p.words) for p in report.problems] == [("acme/app0", True)]
    assert set(SyncScope.objects.filter(read_at=None).values_list("project__path", flat=True)) == {"acme/app0"}


def test_one_gitlab_at_which_we_fail_keeps_no_other_from_being_read(read, later, monkeypatch):
    later(minutes=5)
    called = []
    monkeypatch.setattr(tasks.passes, "begin_if_due", lambda instance: called.append(instance) or breaks())
    tasks.sync_due()
    assert called


def test_one_line_that_breaks_keeps_no_other_from_the_portfolio(world, monkeypatch):
    from django.test import Client

    from rollouts.services import portfolio_rows

    many(world, 3)
    really = portfolio_rows._work_out

    def work_out(row, rollout, *rest):
        return breaks() if rollout.slug == "r1" else really(row, rollout, *rest)

    monkeypatch.setattr(portfolio_rows, "_work_out", work_out)
    client = Client()
    client.force_login(world.people["mia"])
    page = client.get("/").content.decode()
    assert "/rollouts/r0/" in page
    assert "/rollouts/r2/" in page


def test_one_calendar_that_breaks_keeps_no_other_from_being_read(world, monkeypatch, settings):
    from rollouts.models import LockCalendar
    from rollouts.services.calendars import add_calendar
    from rollouts.sync import calendars

    settings.LOCK_CALENDAR_HOSTS = ["127.0.0.1"]
    for name in ("a", "b"):
        add_calendar(name, f"https://127.0.0.1:1/{name}.ics", by=world.actor("root"))
    asked = []
    monkeypatch.setattr(calendars, "fetch", lambda url: asked.append(url) or breaks())
    calendars.read_due()
    assert len(asked) == 2
    assert all("ZeroDivisionError" in calendar.words for calendar in LockCalendar.objects.all())
