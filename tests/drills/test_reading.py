"""Drills of the sync: whatever dies, drops or lies, in the end the portal says what GitLab says, once."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import random
import signal
import socket
import statistics
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
import requests
from django.test import Client
from django.utils import timezone

from rollouts.simulator import Simulator
from tests.drills.portal import Ground
from tests.on_services import throw_away_postgres, throw_away_redis
from tests.walk import ISSUES

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]
SECRET = "the secret of the drill"
QUICK = {"SYNC_LEASE_SECONDS": "1", "SYNC_INTERVAL_SECONDS": "1", "FLAG_INTERVAL_SECONDS": "1", "GITLAB_WRITES": "off"}
TRUTH = "__import__('json').dumps(sorted(map(list, TrackedIssue.objects.values_list('project__path', 'iid', 'title', 'state'))))"
DOUBLED = (
    "len([k for k, n in __import__('collections').Counter("
    "(e.object_id, e.after.get('changed_at'), e.after.get('title')) for e in AuditEvent.objects.filter(verb='issue.read')"
    ").items() if n > 1])"
)


def seed(gitlab: Simulator, projects: int) -> None:
    state = gitlab.state
    with state.change():
        state.add_user("ann")
        state.add_group("acme/code")
        for number in range(projects):
            state.add_project(f"acme/app{number}")
            for role, iid in ISSUES.items():
                state.add_issue(f"acme/app{number}", role, iid=iid)
            state.add_flag_definition(f"flag_{number}", type="beta", group="g", milestone="19.3", default_enabled=False)


def truth(gitlab: Simulator) -> list[list]:
    state = gitlab.state
    rows = []
    with state.read():
        for project in state.table("projects").values():
            rows += [
                [project["path_with_namespace"], issue["iid"], issue["title"], issue["state"]]
                for issue in state.table("issues", project["id"]).values()
            ]
    return sorted(rows)


def change_something(gitlab: Simulator, projects: int, dice: random.Random, count: int) -> None:
    for _ in range(count):
        project, iid = f"acme/app{dice.randrange(projects)}", dice.choice(list(ISSUES.values()))
        state = dice.choice(["opened", "closed"])
        gitlab.state.set_issue(project, iid, title=f"title {dice.randrange(10**9)}", state=state)


def test_killed_200_times_while_it_reads(tmp_path):
    projects, dice = 10, random.Random(1)
    with Simulator() as gitlab:
        seed(gitlab, projects)
        ground = Ground(tmp_path, gitlab, **QUICK)
        ground.run("manage.py", "migrate", "-v0")
        ground.run("-m", "tests.drills.ground", "projects", str(projects))
        gitlab.delay(0.02)
        kills = 0
        while kills < 200:
            readers = [ground.spawn("-m", "tests.drills.ground", "read", "60") for _ in range(4)]
            end = time.monotonic() + dice.uniform(1.8, 3.2)
            while time.monotonic() < end:
                change_something(gitlab, projects, dice, 3)
                time.sleep(0.05)
            for reader in readers:
                os.killpg(reader.pid, signal.SIGKILL)
                reader.wait(30)
                kills += 1
        gitlab.heal()
        time.sleep(2)  # the last leases run out
        ground.run("manage.py", "sync", "--full", "--json")
        events = ground.ask("AuditEvent.objects.filter(verb='issue.read').count()")
        doubled = ground.ask(DOUBLED)
        lost = [row for row in truth(gitlab) if row not in json.loads(ground.ask(TRUTH))]
        print(f"\n{kills} kills, {events} changes in the history, {doubled} doubled, {len(lost)} lost")
        assert (lost, doubled) == ([], "0")


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
    told = Counter((event.object_id, event.after.get("title")) for event in events if "title" in event.after)
    doubled = [key for key, count in told.items() if count > 1]
    print(f"\n{len(FAULTS)} kinds of fault, {sum(outcomes.values())} problems {dict(outcomes)}, "
          f"{events.count()} changes, {len(doubled)} doubled, {len(wrong)} wrong in the end")  # fmt: skip
    assert (report.problems, wrong, doubled) == ([], [], [])


@pytest.mark.django_db(transaction=True)
def test_a_day_of_outage_ends_without_a_herd(transactional_db, gitlab, time_machine):
    from rollouts.models import SyncRun
    from rollouts.services.instances import default_instance
    from rollouts.sync import passes
    from tests.walk import World

    world = World.build(gitlab)
    world.apply()
    world.sync()
    gitlab.fail(status=503)
    gitlab.forget_requests()
    for _ in range(24 * 60):  # beat rings each minute
        time_machine.move_to(timezone.now() + timedelta(minutes=1))
        passes.begin_if_due(default_instance())
        passes.work(default_instance())
    during = len(gitlab.requests)
    gitlab.heal()
    gitlab.forget_requests()
    for _minute in range(30):
        time_machine.move_to(timezone.now() + timedelta(minutes=1))
        passes.begin_if_due(default_instance())
        passes.work(default_instance())
        if SyncRun.objects.filter(outcome="ok").order_by("-pk").first() == SyncRun.objects.order_by("-pk").first():
            break
    print(
        f"\n24 h of outage: {during} calls meanwhile; well again after {_minute + 1} min and {len(gitlab.requests)} calls"
    )
    assert SyncRun.objects.order_by("-pk").first().outcome == "ok"
    assert during < 24 * 60
    assert len(gitlab.requests) < 20


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("engine", ["embedded", "services"])
def test_fifty_deliveries_a_second_are_on_the_page_in_time(tmp_path, engine):
    """One web and one worker on SQLite; or two webs and four workers on PostgreSQL and Redis, with twice of each."""
    projects, seconds, dice = 10, 20, random.Random(4)
    webs, workers = (1, 1) if engine == "embedded" else (2, 4)
    with contextlib.ExitStack() as stack:
        more = dict(QUICK)
        if engine == "services":
            more |= {"DATABASE_URL": stack.enter_context(throw_away_postgres())}
            more |= {"CELERY_BROKER_URL": stack.enter_context(throw_away_redis()) + "/0"}
        gitlab = stack.enter_context(Simulator())
        seed(gitlab, projects)
        ground = Ground(tmp_path, gitlab, GITLAB_WEBHOOK_SECRET=SECRET, **more)
        ground.environment["SYNC_INTERVAL_SECONDS"] = "600"  # so that only webhooks bring what is new
        ground.run("manage.py", "migrate", "-v0")
        ground.run("manage.py", "collectstatic", "--noinput", "-v0")
        ground.run("-m", "tests.drills.ground", "projects", str(projects))
        ground.run("manage.py", "sync", "--full")
        ports = [free_port() for _ in range(webs)]
        processes = [
            ground.spawn("-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4")
            for port in ports
        ]
        worker = ["worker", "-P", "threads", "-c", "4", "--without-gossip", "--without-mingle"]
        processes += [ground.spawn("-m", "celery", "-A", "config", *worker) for _ in range(workers)]
        processes.append(ground.spawn("-m", "celery", "-A", "config", "beat", "--pidfile="))
        try:
            time.sleep(8)
            for number in range(projects):
                for port in ports:
                    url = f"http://127.0.0.1:{port}/hooks/gitlab/"
                    gitlab.state.add_hook(f"acme/app{number}", url, token=SECRET, issues_events=True)
            browser = signed_in(ports[0])
            ages, over = [], threading.Event()
            stream = threading.Thread(target=steadily, args=(gitlab, projects, dice, 50 // webs, over))
            began = time.monotonic()
            stream.start()
            while time.monotonic() - began < seconds:
                ages.append(until_visible(browser, ports[0], gitlab, len(ages) % projects))
            over.set()
            stream.join()
            gitlab.wait_for_deliveries(60)
            rate = int(ground.ask("HookDelivery.objects.count()")) / (time.monotonic() - began)
            gitlab.wait_for_deliveries()
            end = time.monotonic() + 30
            while truth(gitlab) != json.loads(ground.ask(TRUTH)) and time.monotonic() < end:
                time.sleep(0.2)
            doubled = ground.ask(DOUBLED)
            p95 = statistics.quantiles(ages, n=20)[-1]
            print(f"\n{engine}: {rate:.0f} deliveries a second to {webs} web and {workers} workers; from the change to "
                  f"the page: median {statistics.median(ages):.2f} s, p95 {p95:.2f} s; {doubled} doubled")  # fmt: skip
            assert truth(gitlab) == json.loads(ground.ask(TRUTH))
            assert doubled == "0"
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)


def steadily(gitlab: Simulator, projects: int, dice: random.Random, a_second: int, over: threading.Event) -> None:
    """Change something so many times a second, but for the issues that until_visible waits for."""
    following = time.monotonic()
    while not over.is_set():
        project, iid = f"acme/app{dice.randrange(projects)}", dice.choice([11, 13, 14])
        gitlab.state.set_issue(project, iid, title=f"title {dice.randrange(10**9)}")
        following += 1 / a_second
        time.sleep(max(0.0, following - time.monotonic()))


def signed_in(port: int) -> requests.Session:
    browser = requests.Session()
    browser.trust_env = False
    url = f"http://127.0.0.1:{port}/accounts/login/"
    browser.get(url).raise_for_status()
    form = {"username": "mia", "password": "rollout", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    answer = browser.post(url, form, headers={"Origin": f"http://127.0.0.1:{port}"})
    assert "Sign out" in answer.text, answer.status_code
    return browser


def until_visible(browser: requests.Session, port: int, gitlab: Simulator, project: int) -> float:
    """Seconds from a change in GitLab until the rollout's page shows it."""
    title = f"seen {time.time_ns()}"
    began = time.monotonic()
    gitlab.state.set_issue(f"acme/app{project}", ISSUES["flag_rollout"], title=title)
    while title not in browser.get(f"http://127.0.0.1:{port}/rollouts/r{project}/").text:
        assert time.monotonic() - began < 30
        time.sleep(0.1)
    return time.monotonic() - began
