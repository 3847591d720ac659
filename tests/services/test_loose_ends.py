"""Loose ends: a database in which each kind was planted finds exactly those, at each door."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client

from rollouts.audit.recording import recorded
from rollouts.models import AIModel, ChecklistItem, PlanTemplate, Rollout
from rollouts.rules.definitions import FlagDefinition
from rollouts.services import imports, loose_ends, plans, tokens
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.walk import FLAG

pytestmark = pytest.mark.django_db
KINDS = {
    "flag_without_issue", "flag_gone", "no_feedback_issue", "reopened", "closed_early", "flag_overdue", "owner_left",
    "model_retires", "template_differs",
}  # fmt: skip
ISSUES = "https://gitlab.com/acme/app/-/issues/1"


def found(world):
    return {kind.name: [end.title for end in kind.ends] for kind in loose_ends.find(world.now()) if kind.count}


def define(world, name, **more):
    told = {"milestone": "19.3", "rollout_issue_url": ISSUES, **more}
    definition = FlagDefinition(name, "beta", False, "group::ai coding", **told)
    imports.import_flags([definition], by=world.actor("root"))


@pytest.fixture
def tidy(world):
    """A rollout under way to which nothing is lacking."""
    world.up_to("team", "active")
    define(world, FLAG, milestone="19.8")
    world.sync()
    assert found(world) == {}
    return world


def edited(world, **fields):
    with recorded("test", by=world.actor("root")):
        for model, changes in fields.items():
            row = {"item": ChecklistItem, "model": AIModel, "template": PlanTemplate}[model].objects.get(**changes[0])
            for name, value in changes[1].items():
                setattr(row, name, value)
            row.save()


def without_issue(world):
    define(world, FLAG, rollout_issue_url="", milestone="19.8")
    return "flag_without_issue", [FLAG]


def overdue(world):
    define(world, FLAG, milestone="18.1")
    return "flag_overdue", [FLAG]


def flag_gone(world):
    world.plan |= {"slug": "lost", "title": "Lost", "flag": "lost"}
    world.apply()
    world.sync()
    return "flag_gone", ["Lost"]


def no_feedback(world):
    text = "\n".join(line for line in world.document().splitlines() if "internal_feedback" not in line)
    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    return "no_feedback_issue", ["Claude Haiku"]


def reopened(world):
    own_kind(world, "team_feedback_issue", "issue_closed")
    return "reopened", ["Claude Haiku"]


def closed_early(world):
    own_kind(world, "internal_rollout", "tasks_done")
    world.gitlab.state.set_issue("acme/app", 13, state="closed", description="- [x] one\n- [ ] two")
    world.sync(full=True)
    return "closed_early", ["Claude Haiku"]


def own_kind(world, key, kind):
    """As a template of the house's own would have it, before and after."""
    builtin = world.rollout().template
    before = builtin.document.index(f"key: {key}")
    document = builtin.document[:before] + builtin.document[before:].replace("kind: issue", f"kind: {kind}", 1)
    edited(world, item=({"key": key}, {"kind": kind}), template=({"pk": builtin.pk}, {"document": document}))


def owner_left(world):
    world.people["mia"].is_active = False
    world.people["mia"].save()
    return "owner_left", ["Claude Haiku"]


def retires(world):
    model = world.rollout().ai_model
    edited(world, model=({"pk": model.pk}, {"deprecated_on": (world.now() + timedelta(days=9)).date()}))
    return "model_retires", [str(model)]


def differs(world):
    builtin = world.rollout().template
    document = builtin.document.replace("  - key: rollout_plan", "  - key: plan_of_the_rollout", 1)
    edited(world, template=({"pk": builtin.pk}, {"document": document}))
    return "template_differs", ["Claude Haiku"]


PLANTED = (without_issue, overdue, flag_gone, no_feedback, reopened, closed_early, owner_left, retires, differs)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda each: each.__name__)
def test_what_was_planted_is_found_and_nothing_else(tidy, plant):
    kind, titles = plant(tidy)
    assert found(tidy) == {kind: titles}


def test_every_kind_is_planted_and_told_at_each_door(tidy, capsys):
    told = dict(plant(tidy) for plant in (without_issue, retires, owner_left, differs))
    assert found(tidy) == told
    page = signed_in(tidy, "vic").get("/loose-ends/")
    assert {kind.name for kind in page.context["kinds"]} == set(told)
    assert {kind.name for kind in page.context["kinds"] + page.context["tied"]} == KINDS
    assert "mia left." in flat(page)
    assert 'href="/rollouts/haiku/plan/"' in page.content.decode()
    call_command("loose_ends", "--json")
    command = json.loads(capsys.readouterr().out)
    _, token = tokens.issue(tidy.people["vic"], "ends", tidy.actor("vic"))
    api = Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/loose-ends").json()
    assert command == api
    assert {kind["kind"]: [end["title"] for end in kind["items"]] for kind in api["kinds"] if kind["count"]} == told
    call_command("loose_ends")
    assert "Open rollouts whose owner left: 1" in capsys.readouterr().out


def test_the_number_of_questions_does_not_grow(tidy, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        loose_ends.find(tidy.now())
    for number in range(3):
        tidy.apply(slug=f"more-{number}", title=f"More {number}")
    assert Rollout.objects.count() == 4
    with CaptureQueriesContext(connection) as many:
        loose_ends.find(tidy.now())
    assert len(many) == len(few)
