"""Drills: workers die at any point, many run at once, beats are doubled. Nothing is lost, nothing is doubled."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from gitlab_simulator import Simulator
from tests.drills.portal import Ground, end_of, wait_until
from tests.on_services import Postgres, Redis, throw_away
from tests.prometheus import prometheus
from tests.walk import ISSUES

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]


def seed(gitlab: Simulator, flags: int) -> None:
    state = gitlab.state
    with state.change():
        state.add_project("acme/app")
        state.add_group("acme/code")
        state.add_user("ann")
        for role, iid in ISSUES.items():
            state.add_issue("acme/app", role, iid=iid)
        for name in ("use_haiku", *(f"flag_{number}" for number in range(flags))):
            state.add_flag_definition(name, type="beta", group="group::ai", milestone="19.3", default_enabled=False)


def markers(gitlab: Simulator) -> Counter:
    """Each marker that stands in GitLab, with how often."""
    project = gitlab.state.project("acme/app")["id"]
    counts: Counter = Counter()
    for issue in gitlab.state.table("issues", project).values():
        for text in [issue["description"] or "", *(note["body"] for note in issue["notes"])]:
            if "model-rollout-portal:" in text:
                counts[text.split("model-rollout-portal:")[1][:32]] += 1
    return counts


def test_the_outbox_worker_is_killed_100_times(tmp_path):
    dice = random.Random(20261124)
    with Simulator() as gitlab:
        seed(gitlab, 0)
        ground = Ground(tmp_path, gitlab, GITLAB_TIMEOUT_SECONDS="1")  # so that claims of what was sent end soon
        ground.run("manage.py", "migrate", "-v0")
        ground.run("-m", "tests.drills.ground", "writes", "120")
        gitlab.delay(0.15)
        kills = 0
        while kills < 100:
            workers = [ground.spawn("-m", "tests.drills.ground", "work", "60") for _ in range(2)]
            time.sleep(dice.uniform(2.0, 4.5))
            for worker in workers:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait(30)
                kills += 1
            if ground.ask("GitLabWrite.objects.unfinished().count() < 40") == "True":
                ground.run("-m", "tests.drills.ground", "writes", "60")
        gitlab.heal()
        time.sleep(8)  # the last claims run out
        owed = int(ground.ask("GitLabWrite.objects.count()"))
        while ground.ask("GitLabWrite.objects.unfinished().count()") != "0":
            ground.run("-m", "tests.drills.ground", "work", "10")
        found = markers(gitlab)
        doubled = {marker: count for marker, count in found.items() if count > 1}
        print(f"\n{kills} kills, {owed} writes owed, {len(found)} done, {len(doubled)} doubled")
        assert ground.ask("set(GitLabWrite.objects.values_list('state', flat=True))") == "{'done'}"
        assert (len(found), doubled) == (owed, {})


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_roll_back_whose_worker_is_killed_is_finished_within_seconds(tmp_path, engine):
    postgres = throw_away(Postgres()) if engine == "postgresql" else contextlib.nullcontext("")
    with postgres as database, Simulator() as gitlab:
        seed(gitlab, 1)
        # As it is by default: 10 seconds after the last sign of life.
        more = {"OUTBOX_CLAIM_SECONDS": "10"} | ({"DATABASE_URL": database} if database else {})
        ground = Ground(tmp_path, gitlab, **more)
        ground.run("manage.py", "migrate", "-v0")
        ground.run("-m", "tests.drills.ground", "ramps", "1")
        ground.run("-m", "tests.drills.ground", "work", "3")
        assert "percentage_of_actors" in gates(gitlab)
        ground.run("manage.py", "transition", "r0", "everyone", "roll_back", "--reason", "latency doubled")
        gitlab.delay(1, path="/features/", method="POST")
        first = ground.spawn("-m", "tests.drills.ground", "work", "60")
        wait_until(lambda: "percentage_of_actors" not in gates(gitlab))  # the wipe has passed, what follows has not
        end_of(first)
        killed, wiped = time.monotonic(), gates(gitlab)
        gitlab.heal()
        second = ground.spawn("-m", "tests.drills.ground", "work", "60")
        back = "SELECT count(*) FROM rollouts_gitlabwrite WHERE kind = 'set_gates' AND is_narrowing AND state = 'done'"
        wait_until(lambda: ground.count(back) == 1)
        print(f"\n{engine}: killed at {wiped}, rolled back {time.monotonic() - killed:.1f} s later")
        assert gates(gitlab)["groups"] == ["acme_team_members"]
        wait_until(lambda: ground.ask("GitLabWrite.objects.unfinished().count()") == "0")
        end_of(second)
        assert set(markers(gitlab).values()) == {1}
        ended = "sorted(e.object_id for e in AuditEvent.objects.filter(verb='outbox.done'))"
        assert ground.ask(f"len({ended}) == len(set({ended})) == GitLabWrite.objects.count()") == "True"


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_eight_workers_and_two_beats_let_each_guard_metric_act_once(tmp_path, engine):
    count, processes = 6, []
    begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)
    series = {
        f'latency_seconds{{model="{model}"}}': [(begin + timedelta(minutes=n), value) for n in range(240)]
        for model, value in (("new", 0.9), ("old", 0.5))
    }
    postgres = throw_away(Postgres()) if engine == "postgresql" else contextlib.nullcontext("")
    with (
        postgres as database,
        throw_away(Redis()) as broker,
        Simulator() as gitlab,
        prometheus(tmp_path / "prometheus", series) as server,
    ):
        seed(gitlab, count)
        more = {"DATABASE_URL": database} if database else {}
        more |= {"PROMETHEUS_URL": server, "PROMETHEUS_PRIVATE": "true", "METRICS_INTERVAL_SECONDS": "10"}
        ground = Ground(tmp_path, gitlab, CELERY_BROKER_URL=broker, **more)
        ground.run("manage.py", "migrate", "-v0")
        ground.run("-m", "tests.drills.ground", "guarded", str(count))
        try:
            for number in range(8):
                quiet = ("--without-gossip", "--without-mingle", "-n", f"w{number}@drill")
                processes.append(ground.spawn("-m", "celery", "-A", "config", "worker", "-P", "solo", *quiet))
            for number in range(2):
                schedule = str(tmp_path / f"beat{number}")
                processes.append(ground.spawn("-m", "celery", "-A", "config", "beat", "-s", schedule))
            wait_until(lambda: ground.ask("Phase.objects.filter(name='team', state='active').count()") == "0", 600)
            time.sleep(15)  # whatever would be done twice is done now
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)
        events = "AuditEvent.objects.filter(actor='metrics').values_list('rollout__slug', 'verb')"
        acted = Counter(eval(ground.ask(f"list({events})")))
        wanted = {(f"r{number}", f"phase.{'pause' if number % 2 else 'roll_back'}"): 1 for number in range(count)}
        print(f"\n{engine}: 8 workers, 2 beats, {count} figures beyond: {sum(acted.values())} acted")
        assert dict(acted) == wanted
        assert (
            ground.ask(
                "MetricSample.objects.count() == MetricSample.objects.values('rollout', 'at').distinct().count()"
            )
            == "True"
        )


def gates(gitlab: Simulator) -> dict[str, object]:
    return {gate["key"]: gate["value"] for gate in gitlab.state.feature("flag_0")["gates"]}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_eight_workers_and_two_beats_take_each_automatic_step_once(tmp_path, engine):
    from tests.drills.ground import STEPS

    count, processes = 4, []
    postgres = throw_away(Postgres()) if engine == "postgresql" else contextlib.nullcontext("")
    with postgres as database, throw_away(Redis()) as broker, Simulator() as gitlab:
        seed(gitlab, count)
        more = {"DATABASE_URL": database} if database else {}
        ground = Ground(tmp_path, gitlab, CELERY_BROKER_URL=broker, **more)
        ground.run("manage.py", "migrate", "-v0")
        ground.run("-m", "tests.drills.ground", "ramps", str(count))
        try:
            for number in range(8):
                quiet = ("--without-gossip", "--without-mingle", "-n", f"w{number}@drill")
                processes.append(ground.spawn("-m", "celery", "-A", "config", "worker", "-P", "solo", *quiet))
            for number in range(2):
                schedule = str(tmp_path / f"beat{number}")
                processes.append(ground.spawn("-m", "celery", "-A", "config", "beat", "-s", schedule))
            end = time.monotonic() + 600
            at_45 = "Phase.objects.filter(current_step__percentage=45, confirmed_at__isnull=False).count()"
            while ground.ask(at_45) != str(count):
                assert time.monotonic() < end, ground.ask("list(Phase.objects.values_list('held_by', flat=True))")
                time.sleep(2)
            time.sleep(10)  # whatever would be taken twice is taken now
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)
        events = "sorted(AuditEvent.objects.filter(verb='phase.advance').values_list('rollout__slug', 'after'))"
        taken = Counter(eval(ground.ask(f"[(s, a['percentage']) for s, a in {events}]".replace("sorted(", "("))))
        wanted = {(f"r{number}", step): 1 for number in range(count) for step in STEPS[1:-1]}
        print(f"\n{engine}: 8 workers, 2 beats, {count} ramps: {sum(taken.values())} steps, {len(wanted)} wanted")
        assert dict(taken) == wanted
        for number in range(count):
            gates = {gate["key"]: gate["value"] for gate in gitlab.state.feature(f"flag_{number}")["gates"]}
            assert gates["percentage_of_actors"] == 45
