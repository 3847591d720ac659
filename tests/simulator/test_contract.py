"""The simulator's answers against GitLab's OpenAPI document and examples: no field that GitLab has not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitlab_simulator import Simulator

GITLAB = Path(__file__).resolve().parents[3] / "shared" / "gitlab"
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
# Where the document itself is wrong: gates hold booleans and lists as well, parameters are an object. Its lists are
# single objects, too: check() takes both.
WRONG = {("APIEntitiesFeatureGate", "value"), ("APIEntitiesFeatureFlagStrategy", "parameters")}

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((GITLAB / "openapi" / "openapi_v3_portal_subset.json").read_text())
    return read


def check(document: dict[str, Any], name: str, value: Any, place: str) -> list[str]:
    """What in ``value`` the schema does not know, or has as another type. A list is checked row by row."""
    if isinstance(value, list):
        return [wrong for index, row in enumerate(value) for wrong in check(document, name, row, f"{place}[{index}]")]
    if value is None:
        return []
    properties = document["components"]["schemas"][name].get("properties", {})
    found = []
    for field, inner in value.items():
        here = f"{place}.{field}"
        if field not in properties:
            found.append(f"{here} is no field of {name}")
            continue
        if (name, field) in WRONG or inner is None:
            continue
        reference = properties[field].get("$ref")
        if reference:
            found += check(document, reference.rsplit("/", 1)[-1], inner, here)
            continue
        expected = TYPES.get(properties[field].get("type", ""), object)
        if not isinstance(inner, expected) or (isinstance(inner, bool) and expected is int):
            found.append(f"{here} is {inner!r}, not {expected}")
    return found


@pytest.fixture
def filled(simulator: Simulator) -> Simulator:
    state = simulator.state
    state.add_user("alice", id=42)
    state.add_group("acme/code")
    state.add_project("acme/app")
    state.add_issue("acme/app", "One", description="- [x] a", labels=["x"], assignees=["alice"], due_date="2026-12-01")
    state.set_issue("acme/app", 1, state="closed")
    state.add_issue("acme/app", "Two")
    state.add_note("acme/app", 1, "Hello")
    state.add_flag_definition(
        "flag", group="group::x", milestone="19.1", rollout_issue_url="https://x.example/a/-/issues/1"
    )
    state.set_feature("flag", 12.5, key="percentage_of_actors")
    state.set_feature("flag", True, user="alice", feature_group="team")
    friends = state.add_user_list("acme/app", "friends", "a,b")
    state.add_project_flag(
        "acme/app",
        "flag",
        strategies=[
            {"name": "default", "parameters": {}, "scopes": ["production"]},
            {"name": "gitlabUserList", "user_list_id": friends["id"], "scopes": ["*"]},
        ],
    )
    return simulator


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/features", "/api/v4/features"),
        ("/features/definitions", "/api/v4/features/definitions"),
        ("/projects/acme%2Fapp/issues", "/api/v4/projects/{id}/issues"),
        ("/projects/acme%2Fapp/issues/1", "/api/v4/projects/{id}/issues/{issue_iid}"),
        ("/projects/acme%2Fapp/issues/1/notes", "/api/v4/projects/{id}/issues/{noteable_id}/notes"),
        ("/projects/acme%2Fapp/feature_flags", "/api/v4/projects/{id}/feature_flags"),
        ("/projects/acme%2Fapp/feature_flags/flag", "/api/v4/projects/{id}/feature_flags/{feature_flag_name}"),
        ("/projects/acme%2Fapp/feature_flags_user_lists", "/api/v4/projects/{id}/feature_flags_user_lists"),
        ("/version", "/api/v4/version"),
        ("/metadata", "/api/v4/metadata"),
        ("/personal_access_tokens/self", "/api/v4/personal_access_tokens/self"),
    ],
)
def test_answers_fit_the_openapi_document(
    filled: Simulator, ask: Any, document: dict[str, Any], path: str, operation: str
) -> None:
    answer = ask("GET", path)
    assert answer.status_code == 200
    assert answer.json()
    schema = document["paths"][operation]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    reference = schema.get("$ref") or schema["items"]["$ref"]
    assert check(document, reference.rsplit("/", 1)[-1], answer.json(), "") == []


@pytest.mark.parametrize(
    ("verb", "path", "body", "operation", "status"),
    [
        ("post", "/features/flag", {"value": "true"}, "/api/v4/features/{name}", 201),
        ("post", "/projects/acme%2Fapp/issues", {"title": "x", "labels": "a"}, "/api/v4/projects/{id}/issues", 201),
        (
            "post",
            "/projects/acme%2Fapp/issues/1/notes",
            {"body": "x"},
            "/api/v4/projects/{id}/issues/{noteable_id}/notes",
            201,
        ),
        (
            "put",
            "/projects/acme%2Fapp/feature_flags/flag",
            {"active": False, "strategies": [{"name": "default", "scopes": [{"environment_scope": "*"}]}]},
            "/api/v4/projects/{id}/feature_flags/{feature_flag_name}",
            200,
        ),
    ],
)
def test_answers_to_changes_fit_the_openapi_document(
    filled: Simulator,
    ask: Any,
    document: dict[str, Any],
    verb: str,
    path: str,
    body: dict[str, Any],
    operation: str,
    status: int,
) -> None:
    answer = ask(verb.upper(), path, json=body)
    assert answer.status_code == status
    schema = document["paths"][operation][verb]["responses"][str(status)]["content"]["application/json"]["schema"]
    assert check(document, schema["$ref"].rsplit("/", 1)[-1], answer.json(), "") == []


@pytest.mark.parametrize(
    ("path", "example"),
    [
        ("/features", "instance_features_list.json"),
        ("/projects/acme%2Fapp/issues/1", "issue_get.json"),
        ("/projects/acme%2Fapp/issues/1/notes", "issue_notes_list.json"),
        ("/projects/acme%2Fapp/feature_flags", "project_feature_flags_list.json"),
        ("/projects/acme%2Fapp/feature_flags_user_lists", "feature_flag_user_lists_list.json"),
    ],
)
def test_no_field_of_gitlabs_examples_is_missing(filled: Simulator, ask: Any, path: str, example: str) -> None:
    wanted = json.loads((GITLAB / "examples" / example).read_text())
    wanted = wanted[0] if isinstance(wanted, list) else wanted
    answer = ask("GET", path).json()
    answer = answer[0] if isinstance(answer, list) else answer
    assert set(wanted) - set(answer) == set()
