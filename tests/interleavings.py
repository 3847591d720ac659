"""People, jobs and GitLab at the same rollouts at once, each in a thread with a connection of its own.

What each of them does is drawn from a seed before anything runs; in which order it happens is the machine's. So a seed
that fails may need a few tries, and :func:`Walk.run` can take the same steps one after another to see whether it is
the order that matters.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection, connections
from django.test import Client, override_settings
from django.utils import timezone

from rollouts import tasks
from rollouts.models import ChangeLock, ChecklistItem, FeatureFlag, GitLabWrite, HookDelivery, Phase, Rollout
from rollouts.rules.document import DocumentRefused
from rollouts.rules.exposure import Exposure
from rollouts.rules.machine import LEADS_ON, PHASE_VERBS
from rollouts.services import checklist, locks, plans, portfolio_rows, readings, transitions
from rollouts.services.instances import default_instance
from rollouts.services.refusals import Refused
from rollouts.sync import outbox, passes
from rollouts.sync.leases import Lost
from tests.walk import FLAG, ISSUES, World

ROLLOUTS = {"haiku": FLAG, "opus": FLAG, "sonnet": "use_sonnet"}  # two of them share a flag
PHASES = ("company", "everyone")
SECRET = "a secret that nobody guesses"
BY_HAND = ("manual", "decision", "announcement")
STEPS = ([1, 25, 100], [1, 50, 100], [5, 25, 100])


class Killed(BaseException):
    """The process is dead: its connection is gone, and nothing that it would have done afterwards happens."""


@contextlib.contextmanager
def dying(after: int | None) -> Iterator[None]:
    """Who works in this block is killed as it asks the database for the ``after``-th time; None lives on."""
    left = after

    def ask(execute: Any, *arguments: Any) -> Any:
        nonlocal left
        if left is not None and (left := left - 1) < 0:
            raise Killed
        return execute(*arguments)

    try:
        with connection.execute_wrapper(ask):
            yield
    except Killed:
        connection.close()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that somebody does: a method of Walk, and what it is told."""

    what: str
    told: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.what}{self.told}"


def drawn(seed: int, threads: int, steps: int) -> list[list[Step]]:
    """What each thread does, from the seed alone."""
    dice = random.Random(seed)
    return [[_step(dice) for _ in range(steps)] for _ in range(threads)]


def _step(dice: random.Random) -> Step:
    slug, flag = dice.choice(list(ROLLOUTS)), dice.choice(sorted(set(ROLLOUTS.values())))
    dies = dice.randrange(1, 60) if dice.random() < 0.15 else None
    kinds: list[tuple[int, Step]] = [
        (14, Step("press", (slug, dice.random() < 0.8, dice.randrange(100), dice.random() < 0.1))),
        (3, Step("decide", (slug,))),
        (3, Step("apply", (slug, dice.choice(STEPS)))),
        (3, Step("item", (slug, dice.randrange(20), dice.random() < 0.7))),
        (1, Step("read_by_hand", (flag, dice.choice([0, 1, 25])))),
        (2, Step("hook", (dice.choice(list(ISSUES.values())), dice.choice(["opened", "opened", "closed"])))),
        (4, Step("obey", (slug,))),
        (2, Step("somebody_sets", (flag, dice.choice(["7", "25", "true", "false"])))),
        (3, Step("sync", (dice.random() < 0.3, dies))),
        (3, Step("read_flags", (dies,))),
        (2, Step("turn", (dies,))),
        (4, Step("outbox", (dies,))),
        (2, Step("deliveries", (dies,))),
        (1, Step("lock", (dice.randrange(1, 90),))),
        (1, Step("unlock")),
        (3, Step("portfolio")),
        (3, Step("beat", (dice.randrange(100), dies))),
        (2, Step("time_goes_by", (dice.choice([1, 5, 20, 20, 400]),))),
    ]
    return dice.choices([step for _, step in kinds], [weight for weight, _ in kinds])[0]


@dataclass
class Walk:
    """Three rollouts, the second phase of each about to start, and what happens to them."""

    world: World
    time_machine: Any
    told: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _clock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """To where it becomes interesting, by legal steps alone."""
        self.world.gitlab.state.add_flag_definition(
            "use_sonnet", type="beta", group="group::ai coding", milestone="19.3", default_enabled=False
        )
        for slug, flag in ROLLOUTS.items():
            self.world.apply(slug=slug, title=slug.title(), flag=flag)
        self.world.sync()
        for slug, flag in ROLLOUTS.items():
            self.world.plan |= {"slug": slug, "title": slug.title(), "flag": flag}
            for phase in (None, *PHASES):
                self.world.confirm(phase)
            self.world.skip("team", reason="because")
            self.world.do("request", "company", "mia")
            if slug != "opus":
                self.world.approve("company")
                self.world.do("start", "company", "mia")
                self.obey(slug)
        self.world.sync()
        self.decide("haiku")
        self.world.plan |= {"slug": "haiku", "title": "Haiku", "flag": ROLLOUTS["haiku"]}
        self.world.do("complete", "company", "mia")
        self.world.do("request", "everyone", "mia")
        self.world.approve("everyone")
        self.world.do("start", "everyone", "mia")
        self.obey("haiku")

    def run(self, parts: list[list[Step]], *, at_once: bool = True) -> None:
        if not at_once:
            for number in range(max(map(len, parts))):
                for who, steps in enumerate(parts):
                    for step in steps[number : number + 1]:
                        self._take(who, step)
            return
        begin = threading.Barrier(len(parts))

        def work(who: int, steps: list[Step]) -> None:
            try:
                begin.wait(30)
                for step in steps:
                    self._take(who, step)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=each, name=f"walk {each[0]}") for each in enumerate(parts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _take(self, who: int, step: Step) -> None:
        try:
            outcome = getattr(self, step.what)(*step.told) or "done"
        except (Refused, DocumentRefused) as refused:
            outcome = f"refused: {str(refused)[:100]}"
        except Lost:
            outcome = "its lease ran out before it was through: the next one reads it"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
            self.broken.append(f"{who}: {step}: {traceback.format_exc()}")
        self.told.append(f"{who}: {step}: {outcome}")

    def rest(self) -> None:
        """Nobody does anything any more; jobs come to their end, and GitLab is read once more."""
        self.time_goes_by(120)
        for lock in ChangeLock.objects.filter(ended_at=None):
            locks.end(lock, by=self.world.actor("root"), reason="rest")
        for _ in range(30):
            self.time_goes_by(400)  # longer than anything is put off
            self.outbox(None)
            self.deliveries(None)
            self.turn(None)
            waits = HookDelivery.objects.filter(state="waiting")
            if not GitLabWrite.objects.unfinished().exists() and not waits.exists():
                break
        self.world.sync(full=True)
        for number in range(len(settings.CELERY_BEAT_SCHEDULE)):
            self.beat(number, None)
        while portfolio_rows.bring_up_to_date():
            pass

    # What somebody does

    def press(self, slug: str, where_it_stands: bool, number: int, override: bool) -> str:
        """What the phase's state allows; of a phase that it is not at, anything."""
        phases = [self._newest(slug, name) for name in PHASES]
        row = next((phase for phase in phases if phase.state != "completed"), phases[-1])
        if not where_it_stands:
            row = phases[number % 2]
        fitting = [verb for verb in PHASE_VERBS.values() if row.state in verb.sources]
        if row.name != "everyone" and row.state == "active":  # it has no steps
            fitting = [PHASE_VERBS[name] for name in ("complete", "pause", "roll_back")]
        verbs = [verb.name for verb in fitting for _ in range(5 if verb.name in LEADS_ON else 1)] or ["roll_back"]
        verb, more = verbs[number % len(verbs)], {"reason": "because"}
        if override and verb in ("start", "advance"):
            more |= {"override": True, "confirm": slug}
        by = "root" if override else "alice" if verb in ("approve", "reject") else "mia"
        if verb in ("approve", "reject"):
            more["looked_at"] = transitions.digest_of(row.rollout, row.name) or "-"
            if verb == "approve" and number % 2:
                by = "sam"
        transitions.perform(verb, row, by=self.world.actor(by), **more)
        return f"{row.name}: {verb}"

    def _newest(self, slug: str, name: str) -> Phase:
        return Phase.objects.select_related("rollout").filter(rollout__slug=slug, name=name).latest("attempt")

    def decide(self, slug: str) -> str:
        """Whatever can be confirmed is."""
        done, last = 0, None
        for item in ChecklistItem.objects.filter(rollout__slug=slug, confirmed_at=None, kind__in=BY_HAND):
            try:
                checklist.confirm(
                    item, by=self.world.actor("mia"), evidence="https://gitlab.example.com/x", channel="#ai"
                )
                done += 1
            except Refused as refused:
                last = refused
        return f"{done} items, {last or 'none refused'}"

    def apply(self, slug: str, steps: list[int]) -> None:
        text = self.world.document(slug=slug, title=slug.title(), flag=ROLLOUTS[slug], steps=steps)
        plans.apply(text, by=self.world.actor("mia"), source="plan.yaml")

    def item(self, slug: str, number: int, done: bool) -> str | None:
        rows = ChecklistItem.objects.filter(rollout__slug=slug, kind__in=BY_HAND)
        items = list(rows.order_by("pk"))
        item, by = items[number % len(items)], self.world.actor("mia")
        if done:
            checklist.confirm(item, by=by, evidence="https://gitlab.example.com/x", channel="#ai")
        else:
            checklist.unconfirm(item, by=by, reason="because")
        return item.key

    def read_by_hand(self, flag: str, percentage: int) -> None:
        row = FeatureFlag.objects.get(name=flag)
        gates = {"percentage_of_actors": percentage} if percentage else {}
        readings.enter(row, Exposure.from_json(gates), by=self.world.actor("mia"), evidence="the chat")

    def hook(self, iid: int, state: str) -> str:
        """GitLab tells of what it has just done."""
        at = timezone.now().isoformat()
        with self.world.gitlab.state.change():
            self.world.gitlab.state.set_issue("acme/app", iid, state=state)
        issue = self.world.gitlab.state.issue("acme/app", iid)
        about = {name: issue[name] for name in ("iid", "title", "state", "confidential")}
        payload = {
            "object_kind": "issue",
            "project": {"id": 1001, "path_with_namespace": "acme/app"},
            "object_attributes": about | {"action": "update", "updated_at": at},
            "labels": [], "assignees": [], "changes": {},
        }  # fmt: skip
        with override_settings(GITLAB_WEBHOOK_SECRET=SECRET):
            answer = Client().post(
                "/hooks/gitlab/",
                json.dumps(payload),
                content_type="application/json",
                headers={"X-Gitlab-Event": "Issue Hook", "X-Gitlab-Token": SECRET},
            )
        assert answer.status_code in (202, 204), answer.content
        return str(answer.status_code)

    def portfolio(self) -> None:
        """Somebody looks at it."""
        browser = Client()
        browser.force_login(self.world.people["vic"])
        assert browser.get("/").status_code == 200

    def obey(self, slug: str) -> str:
        """Somebody at the chat sets the flag to what the plan says."""
        from rollouts.services import facts

        rollout = Rollout.objects.whole().get(slug=slug)
        expected, state = facts.for_rollout(rollout, timezone.now()).expected, self.world.gitlab.state
        name = rollout.flag.name
        with state.change():
            state.set_feature(name, "false")
            if expected.is_everyone:
                state.set_feature(name, "true")
            for group in expected.groups:
                state.set_feature(name, "true", feature_group=group)
            if expected.percentage_of_actors and not expected.is_everyone:
                state.set_feature(name, str(expected.percentage_of_actors), key="percentage_of_actors")
        return expected.words

    def somebody_sets(self, flag: str, to: str) -> None:
        key = {} if to in ("true", "false") else {"key": "percentage_of_actors"}
        with self.world.gitlab.state.change():
            if key:
                self.world.gitlab.state.set_feature(flag, "false")
            self.world.gitlab.state.set_feature(flag, to, **key)

    # What jobs do

    def sync(self, full: bool, dies: int | None) -> None:
        with dying(dies):
            passes.sync_instance(default_instance(), trigger="command", full=full)

    def read_flags(self, dies: int | None) -> None:
        with dying(dies):
            passes.read_flags(default_instance())

    def turn(self, dies: int | None) -> None:
        with dying(dies):
            passes.begin(default_instance(), trigger="beat")
            passes.work(default_instance())

    def outbox(self, dies: int | None) -> str:
        with dying(dies):
            return str(outbox.work())
        return "killed"

    def deliveries(self, dies: int | None) -> None:
        with dying(dies):
            tasks.work_deliveries()

    def beat(self, number: int, dies: int | None) -> str:
        """Whatever beat rings for."""
        rings = sorted(ring["task"] for ring in settings.CELERY_BEAT_SCHEDULE.values())
        task = rings[number % len(rings)]
        with dying(dies):
            current_app.tasks[task]()
        return str(task)

    # What time does

    def lock(self, minutes: int) -> None:
        now = timezone.now().replace(tzinfo=None)
        ends = now + timedelta(minutes=minutes)
        locks.add({"title": "freeze", "kind": "once", "starts": now, "ends": ends}, by=self.world.actor("mia"))

    def unlock(self) -> str | None:
        lock = ChangeLock.objects.filter(ended_at=None).first()
        if lock is None:
            return "none"
        locks.end(lock, by=self.world.actor("root"), reason="because")
        return None

    def time_goes_by(self, seconds: int) -> None:
        with self._clock:
            self.time_machine.move_to(timezone.now() + timedelta(seconds=seconds))
