"""Records from GitLab's JSON: its own examples, plainer ones, wrong ones and random ones."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.gitlab import BadAnswer, DefinitionRecord, FeatureRecord, IssueRecord, ProjectFlagRecord, StrategyRecord

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "gitlab" / "examples"

ISSUE = {"iid": 1, "title": "Rollout plan", "state": "opened"}
RECORDS = (IssueRecord, FeatureRecord, DefinitionRecord, ProjectFlagRecord, StrategyRecord)


@pytest.mark.shared  # skipped by the conftest where it is absent
@pytest.mark.parametrize(
    ("file", "record"),
    [
        ("issues_list.json", IssueRecord),
        ("issue_get.json", IssueRecord),
        ("issue_update_response.json", IssueRecord),
        ("issue_link_get.json", None),
        ("instance_features_list.json", FeatureRecord),
        ("instance_feature_gates_CONSTRUCTED.json", FeatureRecord),
        ("instance_feature_post_percentage_of_actors.json", FeatureRecord),
        ("instance_feature_post_percentage_of_time.json", FeatureRecord),
        ("instance_features_definitions.json", DefinitionRecord),
        ("project_feature_flags_list.json", ProjectFlagRecord),
        ("project_feature_flag_get.json", ProjectFlagRecord),
        ("project_feature_flag_create_response.json", ProjectFlagRecord),
        ("project_feature_flag_update_response.json", ProjectFlagRecord),
    ],
)
def test_gitlabs_own_examples_are_read(file: str, record: Any) -> None:
    read = json.loads((EXAMPLES / file).read_text())
    if record is None:  # both ends of a link are issues
        rows, record = [read["source_issue"], read["target_issue"]], IssueRecord
    else:
        rows = read if isinstance(read, list) else [read]
    assert rows
    for row in rows:
        found = record.from_gitlab(row)
        for field in ("name", "iid", "title", "state", "description", "version"):
            if hasattr(found, field) and row.get(field) is not None:
                assert getattr(found, field) == row[field]


@pytest.mark.shared  # skipped by the conftest where it is absent
def test_the_constructed_example_has_every_gate() -> None:
    (row,) = json.loads((EXAMPLES / "instance_feature_gates_CONSTRUCTED.json").read_text())
    gates = {gate.key: gate.value for gate in FeatureRecord.from_gitlab(row).gates}
    assert gates == {
        "boolean": False,
        "expression": None,
        "actors": ("User:1", "Project:278964"),
        "groups": ("gitlab_team_members",),
        "percentage_of_actors": 25,
    }


@pytest.mark.shared  # skipped by the conftest where it is absent
def test_a_user_list_comes_with_its_strategy() -> None:
    rows = json.loads((EXAMPLES / "project_feature_flags_list.json").read_text())
    strategies = [flag.strategies[0] for flag in map(ProjectFlagRecord.from_gitlab, rows)]
    assert strategies[2].user_xids == ("user1", "user2", "user3")
    assert strategies[0].parameters == {"userIds": "user1"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"iid": None}, "iid"),
        ({"iid": "1"}, "iid"),
        ({"iid": True}, "iid"),
        ({"iid": 0}, "iid"),
        ({"iid": 2**63}, "iid"),
        ({"title": None}, "title"),
        ({"title": " "}, "title"),
        ({"title": ["x"]}, "title"),
        ({"state": "locked"}, "state"),
        ({"state": None}, "state"),
        ({"labels": "a,b"}, "labels"),
        ({"labels": ["a", 1]}, "labels[1]"),
        ({"labels": [{"name": None}]}, "labels[0].name"),
        ({"assignees": [{"username": "a"}, {}]}, "assignees[1].username"),
        ({"author": "root"}, "author"),
        ({"author": {"username": 1}}, "author.username"),
        ({"confidential": "no"}, "confidential"),
        ({"updated_at": "yesterday"}, "updated_at"),
        ({"updated_at": 1_700_000_000}, "updated_at"),
        ({"updated_at": "0001-01-01T00:00:00+23:00"}, "updated_at"),
        ({"due_date": "soon"}, "due_date"),
        ({"task_completion_status": []}, "task_completion_status"),
        ({"task_completion_status": {"count": "2"}}, "task_completion_status.count"),
        ({"task_completion_status": {"count": 1, "completed_count": 2}}, "task_completion_status.completed_count"),
        ({"user_notes_count": -1}, "user_notes_count"),
    ],
)
def test_a_wrong_field_of_an_issue_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadAnswer) as problem:
        IssueRecord.from_gitlab({**ISSUE, **change})
    assert problem.value.field == field
    assert field in problem.value.words


@pytest.mark.parametrize(
    ("gates", "field"),
    [
        (None, "gates"),
        ({}, "gates"),
        ([[]], "gates[0]"),
        ([{}], "gates[0].key"),
        ([{"key": "boolean"}], "gates[0].value"),
        ([{"key": "boolean", "value": 1}], "gates[0].value"),
        ([{"key": "percentage_of_actors", "value": "25"}], "gates[0].value"),
        ([{"key": "percentage_of_actors", "value": 101}], "gates[0].value"),
        ([{"key": "percentage_of_actors", "value": float("nan")}], "gates[0].value"),
        ([{"key": "percentage_of_time", "value": True}], "gates[0].value"),
        ([{"key": "actors", "value": "User:1"}], "gates[0].value"),
        ([{"key": "actors", "value": ["User:1", 2]}], "gates[0].value[1]"),
    ],
)
def test_a_wrong_gate_is_named(gates: Any, field: str) -> None:
    with pytest.raises(BadAnswer) as problem:
        FeatureRecord.from_gitlab({"name": "flag", "gates": gates})
    assert problem.value.field == field


def test_gates_of_a_future_gitlab_are_kept() -> None:
    raw = {"name": "flag", "gates": [{"key": "moon", "value": {"phase": "full"}}, {"key": "tide", "value": []}]}
    assert [(gate.key, gate.value) for gate in FeatureRecord.from_gitlab(raw).gates] == [
        ("moon", '{"phase": "full"}'),
        ("tide", None),
    ]


def test_a_links_scheme_is_checked() -> None:
    assert IssueRecord.from_gitlab(ISSUE | {"web_url": "javascript:alert(1)"}).web_url == ""
    assert IssueRecord.from_gitlab(ISSUE | {"web_url": "https://x/" + "y" * 3_000}).web_url == ""


def test_strings_are_what_a_database_can_hold() -> None:
    issue = IssueRecord.from_gitlab(ISSUE | {"title": "a\0b\ud800c" + "x" * 100_000})
    assert issue.title.startswith("ab?cxxx")
    assert len(issue.title) == 1_000


def test_a_name_is_never_cut_into_another() -> None:
    with pytest.raises(BadAnswer, match="longer"):
        FeatureRecord.from_gitlab({"name": "x" * 300, "gates": []})
    with pytest.raises(BadAnswer, match="characters"):
        FeatureRecord.from_gitlab({"name": "a\0b", "gates": []})


def test_times_are_utc() -> None:
    issue = IssueRecord.from_gitlab(
        ISSUE | {"created_at": "2026-11-23T12:00:00.123+02:00", "updated_at": "2026-11-23 10:00:00 UTC"}
    )
    assert str(issue.created_at) == "2026-11-23 10:00:00.123000+00:00"
    assert str(issue.updated_at) == "2026-11-23 10:00:00+00:00"


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["opened", "boolean", "1"])
)
names = st.sampled_from(
    sorted(
        {field.name for record in RECORDS for field in fields(record)}
        | {"key", "value", "username", "name", "user_list", "task_completion_status", "count", "user_notes_count"}
    )
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | st.text(max_size=3), inner, max_size=8)
)
near = st.fixed_dictionaries(
    {
        "iid": st.just(1),
        "title": st.just("t"),
        "state": st.just("opened"),
        "name": st.just("n"),
        "active": st.just(True),
        "gates": anything,
    },
    optional={
        "strategies": anything,
        "definition": anything,
        "labels": anything,
        "assignees": anything,
        "author": anything,
        "updated_at": anything,
        "due_date": scalars,
        "parameters": anything,
        "scopes": anything,
        "user_list": anything,
        "task_completion_status": anything,
        "milestone": scalars,
    },
)


@given(anything | near)
def test_random_json_is_a_record_or_a_bad_answer(raw: Any) -> None:
    for record in RECORDS:
        try:
            found = record.from_gitlab(raw)
        except BadAnswer as problem:
            assert problem.field
        else:
            assert is_dataclass(found)
