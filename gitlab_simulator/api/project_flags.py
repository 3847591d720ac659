"""``/projects/:id/feature_flags`` and user lists (GitLab lib/api/feature_flags.rb, feature_flags_user_lists.rb)."""

from __future__ import annotations

from typing import Any

from gitlab_simulator.api.exchange import Answer, Asked
from gitlab_simulator.store import Refused


def listed(asked: Asked, project: str) -> Answer:
    found = asked.develop(project)
    scope = asked.choice("scope", ("enabled", "disabled"), "")
    flags = asked.state.project_flags_of(found["id"])
    rows = [flag for flag in flags if not scope or flag["active"] == (scope == "enabled")]
    return asked.page_of(rows, lambda flag: shown(asked, found["id"], flag))


def one(asked: Asked, project: str, name: str) -> Answer:
    found = asked.develop(project)
    return Answer(shown(asked, found["id"], asked.state.project_flag(found["id"], name)))


def creation(asked: Asked, project: str) -> Answer:
    found = asked.develop(project)
    name = str(asked.required("name"))
    if asked.get("version") not in (None, "new_version_flag"):
        raise Refused.message(400, "Version is invalid")
    fields = _fields(asked)
    return Answer(shown(asked, found["id"], asked.state.add_project_flag(found["id"], name, **fields)), 201)


def change(asked: Asked, project: str, name: str) -> Answer:
    found = asked.develop(project)
    fields = _fields(asked) | {name: asked.text(name) for name in asked.given("name")}
    return Answer(shown(asked, found["id"], asked.state.set_project_flag(found["id"], name, **fields)))


def deletion(asked: Asked, project: str, name: str) -> Answer:
    found = asked.develop(project)
    return Answer(shown(asked, found["id"], asked.state.delete_project_flag(found["id"], name)))


def user_lists(asked: Asked, project: str) -> Answer:
    found = asked.develop(project)
    rows = list(asked.state.table("user_lists", found["id"]).values())
    if asked.get("search"):
        rows = [row for row in rows if str(asked.get("search")).lower() in row["name"].lower()]
    return asked.page_of(rows, dict)


def user_list(asked: Asked, project: str, iid: str) -> Answer:
    found = asked.develop(project)
    return Answer(asked.state.user_list(found["id"], iid))


def user_list_creation(asked: Asked, project: str) -> Answer:
    found = asked.develop(project)
    name, xids = str(asked.required("name")), str(asked.required("user_xids"))
    return Answer(asked.state.add_user_list(found["id"], name, xids), 201)


def user_list_change(asked: Asked, project: str, iid: str) -> Answer:
    found = asked.develop(project)
    return Answer(asked.state.set_user_list(found["id"], iid, **asked.given("name", "user_xids")))


def user_list_deletion(asked: Asked, project: str, iid: str) -> Answer:
    found = asked.develop(project)
    asked.state.delete_user_list(found["id"], iid)
    return Answer(status=204)


def shown(asked: Asked, project_id: int, flag: dict[str, Any]) -> dict[str, Any]:
    """A flag as the API shows it (lib/api/entities/feature_flag.rb)."""
    lists = {row["id"]: row for row in asked.state.table("user_lists", project_id).values()}
    strategies = []
    for strategy in flag["strategies"]:
        listed = lists.get(strategy["user_list_id"])
        strategies.append(
            {
                "id": strategy["id"],
                "name": strategy["name"],
                "parameters": strategy["parameters"],
                "scopes": strategy["scopes"],
                "user_list": {key: listed[key] for key in ("id", "iid", "name", "user_xids")} if listed else None,
            }
        )
    shown_fields = ("name", "description", "active", "version", "created_at", "updated_at")
    return {field: flag[field] for field in shown_fields} | {"scopes": [], "strategies": strategies}


def _fields(asked: Asked) -> dict[str, Any]:
    fields = {name: asked.text(name) for name in asked.given("description")} | asked.given("strategies")
    if asked.flag("active") is not None:
        fields["active"] = asked.flag("active")
    strategies = fields.get("strategies", [])
    if not isinstance(strategies, list) or not all(isinstance(one, dict) for one in strategies):
        raise Refused.error("strategies is invalid")
    for strategy in strategies:
        _number(strategy, "strategies[id]")
        scopes = strategy.get("scopes") or []
        if not isinstance(scopes, list) or not all(isinstance(one, dict) for one in scopes):
            raise Refused.error("strategies[scopes] is invalid")
        if any("id" not in scope and not isinstance(scope.get("environment_scope"), str) for scope in scopes):
            raise Refused.error("strategies[scopes][environment_scope] is missing")
        for scope in scopes:
            _number(scope, "strategies[scopes][id]")
    return fields


def _number(given: dict[str, Any], place: str) -> None:
    """The id of something that is there already: a number, also when written as a text."""
    if given.get("id") is None:
        return
    if not str(given["id"]).isdigit():
        raise Refused.error(f"{place} is invalid")
    given["id"] = int(given["id"])
