"""What each change of a rollout asks the database: a walk through every verb, with the queries of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollouts.models import ChecklistItem, Rollout
from rollouts.services import checklist, plans, transitions
from tests.walk import FLAG, World

#: What Django says around a transaction: no query of ours.
AROUND = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK", "BEGIN", "COMMIT")
EVIDENCE = "https://gitlab.example.com/x"


class Costs:
    """The statements of each change that was done; of one that was done several times, the dearest."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.of: dict[str, list[str]] = {}

    def count(self, name: str, change: Callable[[], Any]) -> Any:
        with CaptureQueriesContext(connection) as asked:
            done = change()
        statements = [query["sql"] for query in asked if not query["sql"].startswith(AROUND)]
        self.of[name] = max(self.of.get(name, []), statements, key=len)
        return done

    def do(self, verb: str, phase: str, by: str, **more: Any) -> None:
        """One transition, by a person who has the page before them: what the page asked is not counted."""
        if verb in ("approve", "reject"):
            more["looked_at"] = self.world.looked_at(phase)
        row, actor = self.world.phase(phase), self.world.actor(by)
        self.count(verb, lambda: transitions.perform(verb, row, by=actor, reason="because", **more))

    def apply(self, name: str, **changes: Any) -> Rollout:
        text, actor = self.world.document(**changes), self.world.actor("mia")
        self.count(name, lambda: plans.apply(text, by=actor, source="plan.yaml"))
        return self.world.rollout()

    def over(self, verb: str) -> None:
        """``abandon`` or ``close`` the rollout itself."""
        row, actor = self.world.rollout(), self.world.actor("mia")
        self.count(verb, lambda: transitions.perform_on_rollout(verb, row, by=actor, reason="because"))

    def an_item(self) -> None:
        """One item is confirmed and taken back, as long as it can still be."""
        item, actor = ChecklistItem.objects.filter(kind="manual", phase=None).first(), self.world.actor("mia")
        assert item is not None
        self.count("confirm", lambda: checklist.confirm(item, by=actor, evidence=EVIDENCE))
        self.count("unconfirm", lambda: checklist.unconfirm(item, by=actor, reason="because"))

    def ask(self, phase: str) -> None:
        self.world.confirm(phase)
        self.do("request", phase, "mia")
        for approver in ("alice", "sam"):
            told = self.world.facts()
            request = told.phase(phase).request
            if request is not None and not request.is_granted(self.world.now()):
                self.do("approve", phase, approver)

    def start(self, phase: str) -> None:
        self.ask(phase)
        self.do("start", phase, "mia")
        self.world.obey()

    def complete(self, phase: str) -> None:
        self.world.confirm(phase)
        self.do("complete", phase, "mia")


def walked(world: World) -> dict[str, list[str]]:
    """Every verb of phases and rollouts, items and plans, on a rollout that has neighbours, one on the same flag."""
    costs = Costs(world)
    for number in range(3):
        world.apply(
            slug=f"neighbour-{number}", title=f"Neighbour {number}", flag="use_haiku" if number == 0 else "other"
        )
    costs.apply("plan apply (new)")
    world.sync()
    costs.apply("plan apply (changed)", steps=[1, 50, 100])
    costs.apply("plan apply (the same)", steps=[1, 50, 100])
    costs.an_item()
    world.confirm()
    world.confirm("team")
    for verb, by in (("request", "mia"), ("withdraw", "mia"), ("request", "mia"), ("reject", "alice")):
        costs.do(verb, "team", by)
    world.waive("team")
    costs.do("skip", "team", "mia")
    costs.start("company")
    costs.do("pause", "company", "mia")
    costs.do("resume", "company", "mia")
    costs.complete("company")
    costs.start("everyone")
    while world.phase("everyone").percentage != 100:
        told = world.facts()
        if told.policy(told.phase("everyone")) is not None:
            costs.ask("everyone")
        costs.do("advance", "everyone", "mia")
        world.obey()
        if world.phase("everyone").attempt == 1:
            costs.do("roll_back", "everyone", "mia")
            world.gitlab.state.set_feature(FLAG, "false")
            world.obey()
            costs.do("retry", "everyone", "mia")
            costs.start("everyone")
    costs.complete("everyone")
    world.gitlab.state.delete_feature(FLAG)
    world.gitlab.state.remove_flag_definition(FLAG)
    world.sync()
    costs.over("close")
    world.plan |= {"slug": "neighbour-2", "flag": "other"}
    world.sync()
    world.skip("team", reason="because")
    world.confirm()
    world.confirm("company")
    world.do("request", "company", "mia")
    costs.over("abandon")
    return costs.of
