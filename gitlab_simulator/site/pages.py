"""What the simulator's pages show, by Django's templates with an engine of their own: no settings, no portal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.template import Context, Engine

from gitlab_simulator.directory import Directory
from gitlab_simulator.instance_flags import state_of
from gitlab_simulator.issues import notes_count, tasks_of
from gitlab_simulator.state import State

TEMPLATES = Engine(dirs=[str(Path(__file__).with_name("templates"))])
SHOWN = 200
FAULTS = {
    "500": "answer 500",
    "429": "answer 429 (slow down)",
    "401": "answer 401 (token refused)",
    "403": "answer 403",
    "404": "answer 404",
    "html": "answer a sign-in page",
    "not_json": "answer nonsense",
    "drop": "hang up",
    "lost": "make each change, then hang up",
    "slow": "be 3 s slow",
    "heal": "work again",
}
TARGETS = {
    "user": "user",
    "group": "group",
    "project": "project",
    "feature_group": "feature group",
    "namespace": "namespace",
}
_TABLES = {
    "User": ("users", "username"),
    "Group": ("groups", "full_path"),
    "Namespace": ("groups", "full_path"),
    "Project": ("projects", "path_with_namespace"),
}


def page(template: str, **shown: Any) -> bytes:
    written: str = TEMPLATES.get_template(template).render(Context(shown, use_l10n=False, use_tz=False))
    return written.encode()


def home(state: State, search: str, broken: list[str], log: list[Any]) -> bytes:
    """All flags, and the issues that match ``search`` (the first 200)."""
    projects = state.table("projects")
    matching = [
        (project, issue)
        for project_id, project in projects.items()
        for issue in state.issues_of(project_id)
        if search.lower() in f"{project['path_with_namespace']}#{issue['iid']} {issue['title']}".lower()
    ]
    return page(
        "home.html",
        search=search,
        unset=sorted(set(state.table("definitions")) - set(state.table("features"))),
        flags=[_flag(state, name) for name in sorted(state.table("features"))],
        targets=TARGETS.items(),
        project_flags=[
            _project_flag(project, flag) for key, project in projects.items() for flag in state.project_flags_of(key)
        ],
        projects=[project["path_with_namespace"] for project in projects.values()],
        found=len(matching),
        more=max(len(matching) - SHOWN, 0),
        issues=[_issue(project, issue) for project, issue in matching[:SHOWN]],
        broken=broken,
        faults=FAULTS.items(),
        log=[entry for entry in log[:-500:-1] if entry.path.startswith("/api/")][:30],
    )


def issue(project: dict[str, Any], row: dict[str, Any]) -> bytes:
    """The page of one issue, where the portal's links lead."""
    return page("issue.html", issue=_issue(project, row))


def _flag(state: State, name: str) -> dict[str, Any]:
    gates, definition = state.table("features")[name], state.table("definitions").get(name)
    return {
        "name": name,
        "gates": gates,
        "state": state_of(gates),
        "kind": f"{definition['type']}, {definition['group'] or 'no group'}" if definition else "no definition",
        "actors": [(actor, _actor_words(state, actor)) for actor in gates["actors"]],
    }


def _actor_words(state: Directory, actor: str) -> str:
    """``User:42`` with the name that it stands for."""
    kind, _, rest = actor.partition(":")
    table, name = _TABLES.get(kind, ("", ""))
    known = state.table(table).get(rest.removesuffix(":opt_out")) if table else None
    return f"{actor} ({known[name]})" if known else actor


def _project_flag(project: dict[str, Any], flag: dict[str, Any]) -> dict[str, Any]:
    strategies = [
        {
            "id": strategy["id"],
            "name": strategy["name"],
            "places": ", ".join(scope["environment_scope"] for scope in strategy["scopes"]) or "no environment",
            "users": strategy["parameters"].get("userIds"),
            "percentage": strategy["parameters"].get("rollout", strategy["parameters"].get("percentage")),
        }
        for strategy in flag["strategies"]
    ]
    return flag | {"project": project["id"], "path": project["path_with_namespace"], "strategies": strategies}


def _issue(project: dict[str, Any], issue: dict[str, Any]) -> dict[str, Any]:
    tasks, path = tasks_of(issue), project["path_with_namespace"]
    return issue | {
        "project": project["id"],
        "name": f"{path}#{issue['iid']}",
        "address": f"/{path}/-/issues/{issue['iid']}",
        "assignees": ", ".join(issue["assignees"]),
        "kind": issue["issue_type"].replace("_", " ") if issue["issue_type"] != "issue" else "",
        "tasks": tasks,
        "done": sum(ticked for ticked, _ in tasks),
        "comments": notes_count(issue),
    }
