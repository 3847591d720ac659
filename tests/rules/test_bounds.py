"""How much a document may say: the most is taken, one more is refused in words. And what it means that leaves it out."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest

from rollouts.rules.document import Document
from rollouts.rules.model_sheet import SheetWritten
from rollouts.rules.plan_schema import PlanWritten
from rollouts.rules.schema import fit
from rollouts.rules.template_schema import TemplateWritten

PLAN = {"rollout": "haiku", "title": "Haiku", "model": {"provider": "x", "id": "y"}, "flag": {"name": "use_haiku"}}
PHASE = {"name": "all", "title": "All", "audience": "everyone"}
ITEM = {"key": "plan", "title": "Plan", "kind": "issue", "role": "plan"}
TEMPLATE = {"template": "mine", "title": "Mine", "phases": [PHASE], "items": [ITEM], "issues": {"plan": {"title": "x"}}}
SHEET = {"ai_models": [{"slug": "haiku"}]}
TREES = {PlanWritten: PLAN, TemplateWritten: TEMPLATE, SheetWritten: SHEET}

letters = "x".__mul__


def names(count):
    return [f"acme_{number}" for number in range(count)]


def people(count):
    return [f"user:ann{number}" for number in range(count)]


def steps(count):
    return [*range(1, count), 100]


def schedule(count):
    return [{"step": number + 1} for number in range(count)]


def metrics(count):
    return {f"p{number}": {"at_most": 1} for number in range(count)}


def phases(count):
    return [PHASE | {"name": f"p{number}"} for number in range(count)]


def items(count):
    return [ITEM | {"key": f"i{number}"} for number in range(count)]


def models(count):
    return [{"slug": f"m{number}"} for number in range(count)]


def as_is(count):
    return count


#: A shape, where in its document, what so many of it are, and how many it may be.
MOST = [
    (PlanWritten, "title", letters, 200),
    (PlanWritten, "model provider", letters, 100),
    (PlanWritten, "model id", letters, 200),
    (PlanWritten, "model host", letters, 100),
    (PlanWritten, "model name", letters, 200),
    (PlanWritten, "model quota requests_per_minute", as_is, 2_000_000_000),
    (PlanWritten, "workload peak_requests_per_minute", as_is, 2_000_000_000),
    (PlanWritten, "flag name", letters, 300),
    (PlanWritten, "flag environment", letters, 255),
    (PlanWritten, "owners", names, 100),
    (PlanWritten, "mitigation", letters, 10_000),
    (PlanWritten, "criteria success", lambda count: ["x"] * count, 50),
    (PlanWritten, "criteria pause", letters, 2000),
    (PlanWritten, "guard_metrics", metrics, 20),
    (PlanWritten, "guard_metrics latency", lambda count: {"at_most": 1, "unit": letters(count)}, 20),
    (PlanWritten, "guard_metrics latency at_most", as_is, 10**15),
    (PlanWritten, "timeline company", letters, 500),
    (PlanWritten, "phases team actors", people, 500),
    (PlanWritten, "phases company groups", names, 100),
    (PlanWritten, "phases everyone steps", steps, 50),
    (PlanWritten, "phases everyone schedule", schedule, 50),
    (TemplateWritten, "title", letters, 200),
    (TemplateWritten, "phases", phases, 20),
    (TemplateWritten, "items", items, 200),
    (TemplateWritten, "phases 0 approvals needed", as_is, 10),
    (TemplateWritten, "phases 0 approvals groups", names, 20),
    (TemplateWritten, "phases 0 approvals jump", lambda count: {"points": 50, "needed": count}, 10),
    (
        TemplateWritten,
        "phases 0 approvals steps",
        lambda count: [{"at_least": number + 1, "needed": 1} for number in range(count)],
        50,
    ),
    (TemplateWritten, "issues plan description", letters, 50_000),
    (TemplateWritten, "issues plan labels", names, 50),
    (SheetWritten, "ai_models 0 name", letters, 200),
    (SheetWritten, "ai_models 0 provider", letters, 100),
    (SheetWritten, "ai_models 0 provider_model_id", letters, 200),
    (SheetWritten, "ai_models 0 host", letters, 100),
    (SheetWritten, "ai_models 0 capability", letters, 100),
    (SheetWritten, "ai_models 0 description", letters, 5000),
    (SheetWritten, "ai_models 0 quota_requests_per_minute", as_is, 2_000_000_000),
    (SheetWritten, "ai_models 0 removal_version", letters, 20),
    (SheetWritten, "ai_models 0 default_for", names, 500),
    (SheetWritten, "ai_models 0 selectable_for", names, 500),
    (SheetWritten, "ai_models 0 catalogue_identifier", letters, 200),
]
#: And how little.
LEAST = [
    (PlanWritten, "model quota requests_per_minute", as_is, 1),
    (PlanWritten, "workload peak_requests_per_minute", as_is, 0),
    (TemplateWritten, "phases", phases, 1),
    (TemplateWritten, "phases 0 approvals needed", as_is, 1),
    (SheetWritten, "ai_models 0 quota_requests_per_minute", as_is, 1),
]


def faults(shape, where, value):
    """Of the document that says this there, and nothing else that it need not."""
    tree = copy.deepcopy(TREES[shape])
    *way, last = (int(key) if key.isdigit() else key for key in where.split())
    at = tree
    for key in way:
        at = at[key] if isinstance(at, list) else at.setdefault(key, {})
    at[last] = value
    return fit(Document("document.yaml", {**tree}, {}), shape)[1]


@pytest.mark.parametrize(("shape", "where", "so_many", "most"), MOST)
def test_the_most_is_taken_and_one_more_is_refused(shape, where, so_many, most):
    assert faults(shape, where, so_many(most)) == []
    assert len(faults(shape, where, so_many(most + 1))) == 1


@pytest.mark.parametrize(("shape", "where", "so_many", "least"), LEAST)
def test_the_least_is_taken_and_one_less_is_refused(shape, where, so_many, least):
    assert faults(shape, where, so_many(least)) == []
    assert len(faults(shape, where, so_many(least - 1))) == 1


def test_a_template_that_says_little_means_the_careful():
    written, _ = fit(Document("template.yaml", TEMPLATE, {}), TemplateWritten)
    phase, item = written.phases[0], written.items[0]
    assert (phase.steps, phase.soak) == ([1, 10, 25, 50, 75, 100], timedelta(minutes=15))
    assert (phase.optional, phase.method, phase.final_soak) == (False, "percentage", None)
    approvals = phase.approvals
    assert (approvals.needed, approvals.roles, approvals.requester_may, approvals.author_may) == (
        None,
        ["approver"],
        False,
        False,
    )
    assert (item.gate, item.required, written.issues["plan"].confidential) == ("start", True, False)


def test_a_jump_that_says_no_number_needs_two():
    (phase,) = fit(
        Document("template.yaml", TEMPLATE | {"phases": [PHASE | {"approvals": {"jump": {"points": 50}}}]}, {}),
        TemplateWritten,
    )[0].phases
    assert phase.approvals.jump.needed == 2
