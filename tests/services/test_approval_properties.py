"""Whoever does what in whatever order: nothing starts but on the policy's approvals of exactly what is started.

The test keeps a record of its own: what stood when each person approved, told apart by the exported plan, the
checklist's rows and GitLab's answers, not by the portal's digest.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import timedelta

import time_machine
from django.contrib.auth.models import Group
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gitlab_simulator import Simulator
from rollouts.models import ChecklistItem
from rollouts.rules.document import DocumentRefused
from rollouts.services import checklist, plans
from rollouts.services.refusals import Refused
from tests.walk import World

PEOPLE = ("mia", "alice", "sam", "root", "eve")
PHASES = ("team", "company", "everyone")
LIVES = timedelta(days=14)
NEEDED = {"team": 1, "company": 2, "everyone": 1}

presses = st.tuples(
    st.sampled_from(("request", "approve", "approve", "approve", "start", "start", "advance", "withdraw", "reject")),
    st.sampled_from(PHASES),
    st.sampled_from(PEOPLE),
)
others = st.one_of(
    st.tuples(
        st.just("plan"), st.sampled_from(([1, 100], [5, 60, 100], [1, 25, 100])), st.sampled_from(("mia", "eve"))
    ),
    st.tuples(st.just("item"), st.booleans(), st.just("mia")),
    st.tuples(st.just("leave"), st.booleans(), st.sampled_from(("alice", "sam"))),
    st.tuples(st.just("later"), st.sampled_from((1, 15)), st.just("")),
    st.tuples(st.just("settle"), st.sampled_from(("complete", "obey")), st.just("mia")),
)
sequences = st.lists(st.one_of(presses, presses, presses, others), min_size=10, max_size=45)


#: A way that gets far: the team, the company after a change that voids the first approvals.
FAR = [
    ("request", "team", "mia"), ("approve", "team", "alice"), ("start", "team", "mia"), ("settle", "obey", ""),
    ("settle", "complete", "mia"), ("request", "company", "mia"), ("approve", "company", "alice"),
    ("item", True, "mia"), ("approve", "company", "sam"), ("start", "company", "mia"), ("item", False, "mia"),
    ("approve", "company", "alice"), ("approve", "company", "root"), ("start", "company", "mia"),
    ("settle", "obey", ""), ("settle", "complete", "mia"), ("request", "everyone", "mia"),
    ("approve", "everyone", "sam"), ("start", "everyone", "mia"),
]  # fmt: skip


#: A request while another phase is approved and waits for its start, which then turns out to have changed.
TWO_AT_ONCE = [
    ("request", "team", "mia"), ("approve", "team", "alice"), ("request", "company", "mia"), ("item", True, "mia"),
    ("approve", "team", "sam"), ("start", "team", "mia"),
]  # fmt: skip


@dataclass
class Record:
    """What this test itself remembers of one phase's request."""

    requester: str
    asked_at: object
    approvals: list[tuple[str, object]] = field(default_factory=list)


class AnyInterleaving(TestCase):
    @settings(max_examples=settings.default.max_examples // 10, suppress_health_check=list(HealthCheck))
    @given(sequences)
    @example(FAR)
    @example(TWO_AT_ONCE)
    def test_nothing_starts_without_its_approvals(self, sequence):
        with (
            Simulator() as gitlab,
            override_settings(GITLAB_URL=gitlab.url, GITLAB_TOKEN=gitlab.token),
            time_machine.travel(timezone.now(), tick=True) as clock,
        ):
            self.clock = clock
            world = World.build(gitlab)
            eve = type(world.people["mia"]).objects.create_user("eve", password="rollout")
            eve.groups.set(Group.objects.filter(name__in=("manager", "approver")))
            world.people["eve"] = eve
            world.up_to("team", "planned")
            for phase in PHASES:
                world.confirm(phase)
            self.records: dict[str, Record] = {}
            self.authors = {"mia"}
            self.started = 0
            for what, on, by in sequence:
                with contextlib.suppress(Refused, DocumentRefused):
                    self.step(world, what, on, by)
            if sequence is FAR:
                assert self.started == 3  # the check is no check if nothing ever starts

    def step(self, world, what, on, by):
        match what:
            case "plan":
                before = plans.export(world.rollout())
                plans.apply(world.document(steps=on), by=world.actor(by), source="plan.yaml")
                if plans.export(world.rollout()) != before:
                    self.authors.add(by)
            case "item":
                item = ChecklistItem.objects.get(rollout=world.rollout(), key="considerations")
                if on:
                    checklist.unconfirm(item, by=world.actor(by), reason="x")
                else:
                    checklist.confirm(item, by=world.actor(by), evidence="https://gitlab.example.com/other")
            case "leave":
                groups = [] if on else [Group.objects.get(name="approver")]
                world.people[by].groups.set(groups)
            case "later":
                self.clock.shift(timedelta(days=on))
                world.sync()
            case "settle":
                if on == "obey":
                    world.obey()
                for phase in PHASES:
                    if on == "complete" and world.phase(phase).state == "active":
                        world.confirm(phase)  # what can be decided only now that GitLab was read at its exposure
                        world.do("complete", phase, by)
            case _:
                self.press(world, what, on, by)

    def press(self, world, verb, phase, by):
        row = world.phase(phase)
        stands, was_active = self.content(world, phase), row.state == "active"
        world.do(verb, phase, by)
        if verb == "request":
            self.records[phase] = Record(by, timezone.now())
        elif verb in ("withdraw", "reject"):
            self.records.pop(phase)
        elif verb == "approve":
            self.records[phase].approvals.append((by, stands))
        elif verb in ("start", "advance"):
            self.check(world, phase, stands, was_active)

    def check(self, world, phase, stands, was_active):
        step = world.phase(phase).percentage or 0
        needed = NEEDED[phase] if not was_active else 0
        before = self.percentage_before if was_active else 0
        if step >= 50 or step - before > 25:
            needed = max(needed, 2)
        if needed == 0:
            return
        record = self.records.pop(phase)
        assert timezone.now() < record.asked_at + LIVES
        people = {who for who, what in record.approvals if what == stands}
        people -= {record.requester, *self.authors}
        people = {who for who in people if self.may_approve(world, who)}
        assert len(people) >= needed, (phase, step, record, people)
        self.started += 1

    def may_approve(self, world, who):
        return world.people[who].groups.filter(name__in=("approver", "admin")).exists()

    def content(self, world, phase):
        """What stands, without any help of the portal's digest. No start rests on what is decided at a phase's end."""
        row = world.phase(phase)
        self.percentage_before = row.percentage or 0
        rows = ChecklistItem.objects.filter(rollout=world.rollout()).exclude(gate="complete").order_by("pk")
        live = [(p.name, p.attempt, p.state in ("active", "completed"), p.percentage) for p in world.rollout().phases.all()
                if p.name != phase]  # fmt: skip
        return (
            plans.export(world.rollout()),
            tuple(rows.values_list("key", "confirmed_by", "evidence")),
            tuple(live),
            row.attempt,
            row.percentage,
        )
