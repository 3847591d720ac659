"""Drills of the sync: whatever dies, drops or lies, in the end the portal says what GitLab says, once."""

from __future__ import annotations

import copy
import json
import os
import random
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from gitlab_simulator import Simulator
from tests.drills.portal import DOUBLED, QUICK, TRUTH, Ground, end_of, seed, truth, wait_until
from tests.on_services import Postgres, Redis, throw_away
from tests.walk import ISSUES

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]
SECRET = "the secret of the drill"
KILLS = int(os.environ.get("KILLS", "200"))


def change_something(gitlab: Simulator, projects: int, dice: random.Random, count: int) -> None:
    for _ in range(count):
        project, iid = f"acme/app{dice.randrange(projects)}", dice.choice(list(ISSUES.values()))
        state = dice.choice(["opened", "closed"])
        gitlab.state.set_issue(project, iid, title=f"title {dice.randrange(10**9)}", state=state)


def test_workers_are_killed_200_times_while_they_read(tmp_path):
    """Three are at work; as soon as somebody reads, one of them is killed, and a new one takes its place."""
    projects, kills, holding, dice = 10, 0, 0, random.Random(1)
    held = "SELECT count(*) FROM rollouts_syncscope WHERE holder <> ''"
    with Simulator() as gitlab:
        seed(gitlab, projects)
        ground = Ground(tmp_path, gitlab, **QUICK)
        ground.prepare(projects)
        gitlab.delay(0.05)
        beat = ground.beat()
        stream, over = streaming(gitlab, projects, dice)
        workers = [ground.worker() for _ in range(3)]
        try:
            while kills < KILLS:
                time.sleep(dice.uniform(0, 1.5))  # some readings come to their end
                wait_until(lambda: ground.count(held))
                holding += ground.count(held)
                end_of(workers.pop(0))
                workers.append(ground.worker())
                kills += 1
        finally:
            over.set()
            stream.join()
            for process in [beat, *workers]:
                end_of(process)
        gitlab.heal()
        time.sleep(2)  # the last leases run out
        ground.run("manage.py", "sync", "--full", "--json")
        events = ground.ask("AuditEvent.objects.filter(verb='issue.read').count()")
        doubled = ground.ask(DOUBLED)
        lost = [row for row in truth(gitlab) if row not in json.loads(ground.ask(TRUTH))]
        print(f"\n{kills} workers killed while {holding} leases were held, {events} changes in the history, "
              f"{doubled} doubled, {len(lost)} lost")  # fmt: skip
        assert (lost, doubled) == ([], "0")


@pytest.mark.parametrize(
    ("what", "times"), [("the database is locked", 4), ("the database restarts", 8), ("the broker is lost", 8)]
)
def test_what_it_stands_on_goes_and_comes_back(tmp_path, what, times):
    """Nobody lends a hand: the same workers and beat go on by themselves, and end where GitLab is."""
    projects, dice = 10, random.Random(5)
    postgres, redis = Postgres(), Redis()
    with throw_away(postgres) as database, throw_away(redis) as broker, Simulator() as gitlab:
        seed(gitlab, projects)
        more = {} if what == "the database is locked" else {"DATABASE_URL": database}
        ground = Ground(tmp_path, gitlab, CELERY_BROKER_URL=f"{broker}/0", **QUICK, **more)
        ground.prepare(projects)
        gitlab.delay(0.02)
        processes = [ground.beat(), *(ground.worker() for _ in range(2))]
        stream, over = streaming(gitlab, projects, dice)
        passes = "SELECT count(*) FROM rollouts_syncrun WHERE outcome = 'ok'"
        try:
            for _ in range(times):
                before = ground.count(passes)
                wait_until(lambda before=before: ground.count(passes) > before, 120)  # it is at work (again)
                if what == "the database is locked":
                    ground.lock_database(25)  # longer than anybody waits for it
                else:
                    server = postgres if what == "the database restarts" else redis
                    server.stop()
                    time.sleep(dice.uniform(0.5, 3))
                    server.start()
            over.set()
            stream.join()
            began = time.monotonic()
            wait_until(lambda: truth(gitlab) == json.loads(ground.ask(TRUTH)), 180)
            alive = sum(process.poll() is None for process in processes)
            doubled = ground.ask(DOUBLED)
            print(f"\n{what}, {times} times: {ground.count(passes)} whole passes meanwhile, {alive} of {len(processes)} "
                  f"processes alive, as GitLab is {time.monotonic() - began:.1f} s later, {doubled} doubled")  # fmt: skip
            assert (alive, doubled) == (len(processes), "0")
        finally:
            over.set()
            for process in processes:
                end_of(process)


def streaming(gitlab: Simulator, projects: int, dice: random.Random) -> tuple[threading.Thread, threading.Event]:
    """Something changes in GitLab twenty times a second, until told."""
    over = threading.Event()

    def change() -> None:
        while not over.wait(0.05):
            change_something(gitlab, projects, dice, 1)

    stream = threading.Thread(target=change)
    stream.start()
    return stream, over


FAULTS = [
    {"how": "drop", "every": 3},
    {"status": 429, "every": 2, "headers": {"Retry-After": "1"}},
    {"status": 429, "every": 3},
    {"status": 500, "every": 2},
    {"how": "truncated", "every": 2},
    {"how": "not_json", "every": 2},
    {"how": "not_json", "every": 2, "body": b"[" * 50_000},
    {"how": "not_json", "every": 2, "body": b"[" + b'{"iid": 1},' * 100_000 + b"{}]"},
    {"how": "not_json", "every": 2, "body": b'[{"iid": "11", "title": [], "state": 7, "updated_at": "soon"}]'},
    {"how": "not_json", "every": 2, "body": b'[{"iid": 99999999999999999999, "title": "\\u0000", "state": "opened"}]'},
    {"how": "not_json", "every": 2, "body": b'[{"name": "flag_0", "gates": [{"key": "boolean", "value": "yes"}]}]'},
    {"how": "redirect", "every": 2, "headers": {"Location": "http://169.254.169.254/"}},
    {"how": "html", "every": 2},
]


@pytest.mark.django_db(transaction=True)
def test_under_every_fault_nothing_is_lost_or_doubled(transactional_db, gitlab, time_machine, settings):
    from rollouts.models import AuditEvent, TrackedIssue
    from tests.walk import World

    settings.GITLAB_TIMEOUT_SECONDS = 2
    dice, world = random.Random(2), World.build(gitlab)
    world.apply()
    outcomes: Counter = Counter()
    for fault in FAULTS:
        gitlab.fail(**fault)
        for _ in range(12):
            gitlab.state.set_issue("acme/app", dice.choice(list(ISSUES.values())), title=f"title {dice.random()}")
            for report in world.sync(full=dice.random() < 0.5):
                outcomes.update(problem.kind for problem in report.problems)
            time_machine.move_to(timezone.now() + timedelta(seconds=dice.choice([1, 40, 700])))
        gitlab.heal()
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    (report,) = world.sync(full=True)
    wrong = [
        issue.reference
        for issue in TrackedIssue.objects.select_related("project")
        if issue.title != gitlab.state.issue("acme/app", issue.iid)["title"] or not issue.found
    ]
    events = AuditEvent.objects.filter(verb="issue.read")
    counts = Counter((event.object_id, event.after.get("title")) for event in events if "title" in event.after)
    doubled = [key for key, count in counts.items() if count > 1]
    print(f"\n{len(FAULTS)} kinds of fault, {sum(outcomes.values())} problems {dict(outcomes)}, "
          f"{events.count()} changes, {len(doubled)} doubled, {len(wrong)} wrong in the end")  # fmt: skip
    assert (report.problems, wrong, doubled) == ([], [], [])


@pytest.mark.django_db(transaction=True)
def test_a_day_of_outage_ends_without_a_herd(transactional_db, gitlab, time_machine):
    """30 projects, a clock that moves a day, beat ringing every 15 s of it, and a rate limit that is soon at its end."""
    from rollouts.models import InstanceHealth, SyncRun, TrackedIssue
    from rollouts.services import plans
    from rollouts.services.instances import default_instance
    from rollouts.sync import passes
    from tests.walk import World

    projects, share = 30, 60
    world = World.build(gitlab)
    seed(gitlab, projects)
    for number in range(projects):
        text = world.document(slug=f"r{number}", flag=f"flag_{number}").replace("/acme/app/", f"/acme/app{number}/")
        plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    world.sync()
    gitlab.limit_requests(2 * share)  # of which half is ours
    world.sync()

    def a_quarter_of_a_minute() -> None:
        time_machine.move_to(timezone.now() + timedelta(seconds=15))
        passes.begin_if_due(default_instance())
        passes.work(default_instance())

    gitlab.server.faults.clear()
    gitlab.fail(status=503)
    gitlab.forget_requests()
    for _ in range(24 * 60 * 4):
        a_quarter_of_a_minute()
    during = len(gitlab.requests)
    for number in range(projects):
        gitlab.state.set_issue(f"acme/app{number}", 12, title="changed while nobody could ask")
    gitlab.server.faults.clear()
    gitlab.forget_requests()
    minutes: list[int] = []
    while TrackedIssue.objects.filter(title="changed while nobody could ask").count() < projects:
        asked = len(gitlab.requests)
        for _ in range(4):
            a_quarter_of_a_minute()
        minutes.append(len(gitlab.requests) - asked)
        assert len(minutes) < 60
    print(f"\n24 h of outage: {during} calls meanwhile, {during / 24:.0f} an hour; well again after {len(minutes)} min, "
          f"calls in each: {minutes}, of {share} that we may make")  # fmt: skip
    while InstanceHealth.objects.get().failures or SyncRun.objects.order_by("-pk").first().outcome != "ok":
        a_quarter_of_a_minute()
    assert during < 24 * 60
    assert max(minutes) <= share
    assert all(request.status != 429 for request in gitlab.requests)


@pytest.mark.django_db(transaction=True)
def test_ten_thousand_malformed_webhooks(transactional_db, gitlab, settings):
    from rollouts import tasks
    from rollouts.models import AuditEvent, HookDelivery
    from tests.walk import World

    settings.GITLAB_WEBHOOK_SECRET = SECRET
    dice, world = random.Random(3), World.build(gitlab)
    world.apply()
    world.sync()
    events, client, answers = AuditEvent.objects.count(), Client(), Counter()
    good = {
        "object_kind": "issue",
        "project": {"id": 1001, "path_with_namespace": "acme/app"},
        "object_attributes": {"iid": 12, "title": "x", "state": "opened", "updated_at": "2020-01-01T00:00:00Z"},
        "labels": [], "assignees": [], "changes": {},
    }  # fmt: skip
    junk = [None, True, -1, 10**400, 1.5, "", "\x00", "\ud800", "x" * 5000, [], {}, [[]], [{}], {"a": 1}, "2020-99-99"]
    for number in range(10_000):
        body = json.loads(json.dumps(good))
        for _ in range(dice.randint(1, 3)):
            place = dice.choice([body, body.get("object_attributes"), body.get("project")])
            if isinstance(place, dict) and place:
                place[dice.choice(list(place))] = copy.deepcopy(dice.choice(junk))
        text = json.dumps(body).encode()
        if dice.random() < 0.2:
            text = text[: dice.randrange(len(text))] + bytes(dice.randrange(256) for _ in range(3))
        headers = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event": "Issue Hook", "webhook-id": f"{number}"}
        answers[client.post("/hooks/gitlab/", text, content_type="application/json", headers=headers).status_code] += 1
        if number % 500 == 0:
            tasks.work_deliveries()
    tasks.work_deliveries()
    changed = AuditEvent.objects.count() - events
    print(f"\n10,000 malformed webhooks: answers {dict(answers)}, {changed} changes, "
          f"{HookDelivery.objects.filter(state='waiting').count()} left")  # fmt: skip
    assert set(answers) <= {202, 204}
    assert (changed, HookDelivery.objects.filter(state="waiting").count()) == (0, 0)
