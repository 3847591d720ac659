"""A world for tests: a simulated GitLab over real HTTP, people with roles, and rollouts that walk legal paths.

No test writes a state: ``world.up_to("team", "approved")`` goes there through plans, GitLab, syncs and transitions.
Who goes from the beginning where another test went before stands there at once (``tests.worlds``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from gitlab_simulator import Simulator
from rollouts.audit.actor import Actor
from rollouts.models import ChecklistItem, GitLabInstance, GitLabProject, Phase, Rollout, Waiver
from rollouts.rules.machine import PhaseState
from rollouts.rules.progress import blockers_of_exit_item
from rollouts.services import checklist, facts, plans, transitions, waivers
from rollouts.services.instances import all_instances
from rollouts.sync import passes
from tests.worlds import Memory

FLAG = "use_haiku"
ROLES = {"mia": "manager", "alice": "approver", "vic": "viewer", "root": "admin", "sam": "approver"}
SECRET_TITLE = "Haiku beats the others, secretly"
PHASES = ("team", "company", "everyone")
WAY = (PhaseState.PLANNED, PhaseState.REQUESTED, PhaseState.APPROVED, PhaseState.ACTIVE, PhaseState.COMPLETED)
ISSUES = {"rollout_plan": 11, "flag_rollout": 12, "internal_rollout": 13, "internal_feedback": 14}

ALIKE = checklist.Recorded(latency="alike", correctness="alike", verdict="alike")

PLAN = """
rollout: {slug}
title: {title}
model: {{provider: anthropic, id: claude-haiku, host: Vertex AI, capability: code_completion,
        quota: {{requests_per_minute: 60000}}}}
baseline: codestral-2501
flag: {{name: {flag}}}
workload: {{peak_requests_per_minute: 42000}}
owners: [mia]
issues:
  rollout_plan: {url}/acme/app/-/issues/11
  flag_rollout: {url}/acme/app/-/issues/12
  internal_rollout: {url}/acme/app/-/issues/13
  internal_feedback: {url}/acme/app/-/issues/14
phases:
  team: {{actors: ["user:ann", "group:acme/code"]}}
  company: {{groups: [acme_team_members]}}
  everyone: {{method: percentage, steps: {steps}, soak: {soak}, final_soak: {soak}}}
"""


@dataclass
class World:
    """One GitLab, one portal, and what people do in it."""

    gitlab: Simulator
    memory: Memory | None = None
    people: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(
        default_factory=lambda: {
            "slug": "haiku",
            "title": "Claude Haiku",
            "flag": FLAG,
            "steps": [1, 25, 100],
            "soak": "0",
        }
    )

    @classmethod
    def build(cls, gitlab: Simulator) -> World:
        """Seed GitLab with a project, its four issues (the plan is confidential), a flag; and people for each role."""
        world = cls(gitlab)
        world.memory = Memory(gitlab)
        world.remembered("build", world._build)
        world.people = {user.username: user for user in get_user_model().objects.filter(username__in=ROLES)}
        return world

    def _build(self) -> None:
        state = self.gitlab.state
        state.add_project("acme/app")
        state.add_group("acme/code")
        state.add_user("ann")
        state.add_flag_definition(FLAG, type="beta", group="group::ai coding", milestone="19.3", default_enabled=False)
        for role, iid in ISSUES.items():
            confidential = role == "rollout_plan"
            title = SECRET_TITLE if confidential else role.replace("_", " ")
            state.add_issue("acme/app", title, iid=iid, confidential=confidential)
        for name, role in ROLES.items():
            self._join(name, role)

    def join(self, name: str, role: str) -> Any:
        """One person more."""
        self.remembered(("join", name, role), partial(self._join, name, role))
        self.people[name] = get_user_model().objects.get(username=name)
        return self.people[name]

    def _join(self, name: str, role: str) -> None:
        user = get_user_model().objects.create_user(name, password="rollout")
        user.groups.add(Group.objects.get(name=role))

    def remembered(self, step: Hashable, walk: Callable[[], Any]) -> Any:
        """Stand where this walk leads, whoever in this process walked it first. A fixture's own walk may be one too."""
        return self.memory.of(step, walk) if self.memory else walk()

    def actor(self, name: str) -> Actor:
        return Actor.of(get_user_model().objects.get(username=name))

    def document(self, **changes: Any) -> str:
        return PLAN.format(url=self.gitlab.url, **{**self.plan, **changes})

    def apply(self, **changes: Any) -> Rollout:
        return self.apply_text(self.document(**changes))

    def apply_text(self, document: str) -> Rollout:
        def walk() -> str:
            return plans.apply(document, by=self.actor("mia"), source="plan.yaml").slug

        return self.rollout(self.remembered(("apply", document.replace(self.gitlab.url, "")), walk))

    def rollout(self, slug: str | None = None) -> Rollout:
        return Rollout.objects.whole().get(slug=slug or self.plan["slug"])

    def phase(self, name: str, slug: str | None = None) -> Phase:
        """The newest attempt, alone: tests ask for it at each step."""
        attempts = Phase.objects.select_related("rollout").filter(rollout__slug=slug or self.plan["slug"], name=name)
        return attempts.latest("attempt")

    def sync(self, **how: Any) -> list[Any]:
        def walk() -> list[Any]:
            return [passes.sync_instance(instance, trigger="command", **how) for instance in all_instances()]

        return self.remembered(("sync", repr(how)), walk)

    def do(self, verb: str, phase: str, by: str, **more: Any) -> Phase:
        """What the person presses who looks at the page as it is now."""
        if verb in ("approve", "reject"):
            more.setdefault("looked_at", self.looked_at(phase))
        return transitions.perform(verb, self.phase(phase), by=self.actor(by), **more)

    def looked_at(self, phase: str) -> str:
        """The digest of what stands under the phase's request."""
        asked = self.facts().phase(phase).request
        return asked.stands if asked else "-"

    def confirm(self, phase: str | None = None) -> None:
        """Confirm what the template asks of the rollout, or of one phase, and can be known yet, with evidence."""
        self.remembered(("confirm", phase, self.plan["slug"]), partial(self._confirm, phase))

    def _confirm(self, phase: str | None) -> None:
        told = self.facts()
        for item in ChecklistItem.objects.filter(rollout__slug=self.plan["slug"], confirmed_at=None, criterion=""):
            name = item.phase.name if item.phase else None
            if name and item.gate == "complete" and blockers_of_exit_item(told.phase(name)):
                continue
            if not item.is_automatic and name == phase:
                checklist.confirm(
                    item,
                    by=self.actor("mia"),
                    evidence="https://gitlab.example.com/x",
                    channel="#ai",
                    recorded=ALIKE if item.kind == "comparison" else checklist.NOTHING_BESIDES,
                )

    def obey(self) -> None:
        """Set GitLab's flag to what the portal expects now, as the person at the chat would, and read it."""
        rollout, state = self.rollout(), self.gitlab.state
        flag = rollout.flag.name
        expected = facts.for_rollout(rollout, self.now()).expected
        if expected.is_everyone:
            state.set_feature(flag, "true")
        else:
            names = {actor.gitlab_id: actor.name for actor in rollout.flag.instance.actors.all()}
            for gitlab_id in expected.actors:
                kind, _, name = names[gitlab_id].partition(":")
                state.set_feature(flag, "true", **{kind: name})
            for group in expected.groups:
                state.set_feature(flag, "true", feature_group=group)
            if expected.percentage_of_actors:
                state.set_feature(flag, str(expected.percentage_of_actors), key="percentage_of_actors")
        self.sync()

    def let_pass(self, time_machine: Any, **span: float) -> None:
        """Time goes by, and GitLab's flags are read all along."""
        then = self.now() + timedelta(**span)
        for scope in (*GitLabInstance.objects.all(), *GitLabProject.objects.all()):
            if scope.flags_read_at is not None:
                scope.flags_read_at = then - timedelta(minutes=1)
                scope.save(update_fields=["flags_read_at"])
        time_machine.move_to(then)
        self.sync()

    @staticmethod
    def now() -> Any:
        from django.utils import timezone

        return timezone.now()

    def up_to(self, name: str, state: str) -> Phase:
        """From nothing to this phase in this state, through every door in between."""
        self.remembered(("up_to", name, state, repr(self.plan)), partial(self._up_to, name, state))
        return self.phase(name)

    def _up_to(self, name: str, state: str) -> None:
        earlier = PHASES[: PHASES.index(name)]
        if Rollout.objects.filter(slug=self.plan["slug"]).exists():
            if earlier:
                self.up_to(earlier[-1], PhaseState.COMPLETED)
        elif step := WAY[: WAY.index(state)]:  # place by place, so that each is a place to begin from
            self.up_to(name, step[-1])
        elif earlier:
            self.up_to(earlier[-1], WAY[-1])
        else:
            self.apply()
            self.sync()
            self.confirm()
        self._walk(name, state)

    def _walk(self, name: str, goal: str) -> None:
        way = {
            PhaseState.REQUESTED: ("request", "mia"),
            PhaseState.APPROVED: ("approve", ""),
            PhaseState.ACTIVE: ("start", "mia"),
            PhaseState.COMPLETED: ("complete", "mia"),
        }
        for at, (step, (verb, by)) in enumerate(way.items()):
            now = self.phase(name).state
            if now == goal or now in (PhaseState.COMPLETED, PhaseState.SKIPPED):
                return
            if now in list(way)[at + 1 :]:
                continue  # it was walked before
            if step == PhaseState.REQUESTED:
                self.confirm(name)
            if verb == "complete":
                self.climb(name)
                self.confirm(name)
            if verb == "approve":
                self.approve(name)
            elif now != step:
                self.do(verb, name, by)
            if verb == "start":
                self.obey()

    def waive(self, phase: str, item: str = "", *, days: int = 30, granted: bool = True, **who: str) -> Waiver:
        """mia asks, alice grants, as people do on the pages."""
        what = waivers.named(self.rollout(), phase, item)
        ends_at = self.now() + timedelta(days=days)
        waiver = waivers.ask(what, by=self.actor(who.get("by", "mia")), reason="it can wait", ends_at=ends_at)
        if not granted:
            return waiver
        return waivers.decide("grant", waiver, by=self.actor(who.get("granted_by", "alice")), note="until then")

    def skip(self, name: str, *, by: str = "mia", reason: str = "not needed") -> Phase:
        """On a waiver."""
        self.waive(name)
        return self.do("skip", name, by, reason=reason)

    def approve(self, name: str) -> None:
        """Give the approvals that are missing: alice, then sam."""
        for approver in ("alice", "sam"):
            request = self.facts().phase(name).request
            if request is None or request.is_granted(self.now()):
                return
            self.do("approve", name, approver, looked_at=request.stands)

    def facts(self) -> Any:
        return facts.for_rollout(self.rollout(), self.now())

    def climb(self, name: str) -> None:
        """Advance through all steps that are left, GitLab following each."""
        while self.phase(name).percentage not in (None, 100):
            self.advance(name)
            self.obey()

    def advance(self, name: str) -> None:
        """To the next step, approved first where it must be."""
        told = self.facts()
        if told.policy(told.phase(name)) is not None:
            if told.phase(name).request is None:
                self.do("request", name, "mia")
            self.approve(name)
        self.do("advance", name, "mia")
