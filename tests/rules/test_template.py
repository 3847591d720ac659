"""Plan templates: the guide as data, and templates of others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollouts.rules.checklist import Gate, ItemKind
from rollouts.rules.durations import parse_duration
from rollouts.rules.template import TemplateItem
from rollouts.rules.template_document import parse_template
from tests.rules.plans import TEMPLATES, faults_of

GUIDE = TEMPLATES["code_suggestions"]

SMALL = """\
template: mine
title: Mine
phases:
  - {name: pilot, title: Pilot, audience: actors}
  - {name: all, title: All, audience: everyone}
items:
  - {key: plan, title: Plan, kind: issue, role: plan}
"""


def test_the_guide_lets_the_team_in_first_then_the_company_then_everyone():
    assert [(phase.name, phase.audience, phase.optional) for phase in GUIDE.phases] == [
        ("team", "actors", True),
        ("company", "groups", False),
        ("everyone", "everyone", False),
    ]
    everyone = GUIDE.phase("everyone")
    assert (everyone.method, everyone.steps) == ("percentage", (1, 10, 25, 50, 75, 100))
    assert (everyone.soak, everyone.final_soak) == (timedelta(minutes=15), timedelta(days=1))
    assert GUIDE.phase("team").recommended.startswith("Recommended.")


def test_every_rule_of_the_guide_is_in_it():
    carried = {item.guide for item in GUIDE.items} | {"G8", "G11"}  # those two are phases: company and everyone
    assert carried == {f"G{number}" for number in range(1, 14)}


@pytest.mark.parametrize(
    ("guide", "phase", "kind", "gate", "role"),
    [
        ("G1", None, ItemKind.ISSUE, Gate.START, "rollout_plan"),
        ("G2", None, ItemKind.FLAG, Gate.START, ""),
        ("G3", None, ItemKind.ISSUE, Gate.START, "flag_rollout"),
        ("G4", None, ItemKind.MANUAL, Gate.START, ""),
        ("G5", None, ItemKind.CAPACITY, Gate.START, ""),
        ("G6", "team", ItemKind.COMPARISON, Gate.COMPLETE, ""),
        ("G7", "team", ItemKind.ISSUE, Gate.START, "internal_feedback"),
        ("G9", "company", ItemKind.ISSUE, Gate.START, "internal_rollout"),
        ("G10", "company", ItemKind.DECISION, Gate.COMPLETE, ""),
        ("G12", "everyone", ItemKind.ANNOUNCEMENT, Gate.START, ""),
        ("G13", "everyone", ItemKind.MANUAL, Gate.START, ""),
    ],
)
def test_each_rule_is_checked_where_the_guide_says(guide, phase, kind, gate, role):
    item = next(item for item in GUIDE.items if item.guide == guide)
    assert (item.phase, item.kind, item.gate, item.role) == (phase, kind, gate, role)
    assert item.required is (guide not in ("G6", "G13"))
    assert item.help


def test_four_decisions_gate_the_end_of_the_company_phase():
    decisions = [item for item in GUIDE.items_of("company") if item.kind is ItemKind.DECISION]
    assert [item.gate for item in decisions] == [Gate.COMPLETE] * 4
    assert [item.key for item in decisions] == [
        "decide_quota",
        "decide_post_processing",
        "decide_provider_bugs",
        "decide_anything_else",
    ]


def test_roles_are_known_in_the_order_of_the_items():
    assert GUIDE.roles == ("rollout_plan", "flag_rollout", "internal_feedback", "internal_rollout")


def test_another_organisation_writes_its_own():
    template = parse_template(SMALL)
    assert template.phase_names == ("pilot", "all")
    assert template.items_of(None) == (TemplateItem("plan", "Plan", ItemKind.ISSUE, role="plan"),)
    with pytest.raises(KeyError):
        template.phase("nobody")
    hash(template)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("template: mine", "template: My", 1, "is not a slug"),
        ("title: Mine\n", "", 1, "`title` is missing"),
        ("audience: actors", "audience: people", 4, "Write actors, groups or everyone."),
        ("name: all", "name: pilot", 5, "a phase «pilot» is there already"),
        ("audience: actors", "audience: actors, groups: [a]", 4, "`groups` does not fit the audience actors"),
        ("audience: everyone", "audience: everyone, steps: [5, 1]", 5, "steps must rise: 1 comes after 5"),
        ("audience: everyone", "audience: everyone, soak: 3", 5, "3 of what?"),
        (
            "audience: everyone",
            "audience: everyone, optional: 1",
            5,
            "optional must be true or false, not the number 1",
        ),
        (
            "audience: everyone",
            "audience: everyone, optinal: true",
            5,
            "`optinal` is not a key of phases. Did you mean `optional`?",
        ),
        ("kind: issue", "kind: isue", 7, "kind is the text «isue». Write issue, issue_closed"),
        (", role: plan", "", 7, "an item of kind issue needs the role of its issue"),
        ("kind: issue", "kind: manual", 7, "only items about an issue have a role"),
        ("role: plan", "role: plan, phase: pilott", 7, "is no phase of this template. Did you mean `pilot`?"),
        ("role: plan", "role: plan, gate: end", 7, "Write start or complete."),
        ("role: plan}", "role: plan}\n  - {key: plan, title: P, kind: flag}", 8, "an item «plan» is there already"),
    ],
)
def test_a_bad_template_is_refused_with_line_and_cure(old, new, line, message):
    assert old in SMALL
    (fault,) = faults_of(parse_template, SMALL.replace(old, new, 1))
    assert message in fault.message
    assert fault.line == line


def test_an_issues_description_has_its_greatest_length_and_not_one_sign_more():
    longest = SMALL + "issues: {plan: {title: Plan, description: %s}}\n"
    assert parse_template(longest % ("x" * 50_000))
    (fault,) = faults_of(parse_template, longest % ("x" * 50_001))
    assert fault.line == 8


def test_a_template_has_phases():
    (fault,) = faults_of(parse_template, "template: t\ntitle: T\nphases: []\n")
    assert fault.message == "phases needs at least one entry."


@pytest.mark.parametrize(
    ("field", "least", "most", "below", "beyond"),
    [
        ("lives", "1h", "90d", "59m", None),
        ("reauthenticate", "1m", "24h", "59s", "1441m"),
        ("decide_within", "10m", "20d", "9m", "481h"),
    ],
)
def test_times_of_approvals_have_bounds(field, least, most, below, beyond):
    def asking(span):
        approvals = f"approvals: {{needed: 1, {field}: {span}}}"
        return SMALL.replace("{name: all, title: All, ", f"{{name: all, title: All, {approvals}, ")

    for span in (least, most):
        policy = parse_template(asking(span)).phase("all").approvals.start
        assert getattr(policy, field) == parse_duration(span)
    for span in filter(None, (below, beyond)):
        (fault,) = faults_of(parse_template, asking(span))
        assert field in fault.message
