"""What the forms of the page do: each action is one change of the state, or of the faults in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitlab_simulator.faults import Fault, Faults
from gitlab_simulator.site.pages import TARGETS
from gitlab_simulator.state import State
from gitlab_simulator.store import Refused

Form = dict[str, str]


def set_feature(state: State, form: Form) -> None:
    name, value = form["name"].strip(), form["value"].strip()
    if not name:
        raise Refused.message(400, "A flag needs a name.")
    if form.get("given"):
        target = form.get("target", "user")
        if target not in TARGETS:
            raise Refused.message(400, f"{target} is no kind of target.")
        targets: dict[str, Any] = {target: form["given"].strip()}
        state.set_feature(name, value, **targets)
    else:
        state.set_feature(name, value, form.get("key"))


def remove_actor(state: State, form: Form) -> None:
    """By Flipper id: an actor may stay in a gate when its user is long gone."""
    with state.change():
        if gates := state.table("features").get(form["name"]):
            kept = [actor for actor in gates["actors"] if actor != form["actor"]]
            state.put("features", form["name"], gates | {"actors": kept})


def set_issue(state: State, form: Form) -> None:
    changes: dict[str, Any] = {key: form[key] for key in ("title", "state", "description") if key in form}
    for listed in ("labels", "assignees"):
        if listed in form:
            changes[listed] = [name.strip() for name in form[listed].split(",") if name.strip()]
    if "confidential" in form:
        changes["confidential"] = bool(form["confidential"])
    if changes.get("state", "opened") not in ("opened", "closed") or changes.get("title", "x") == "":
        raise Refused.message(400, "An issue has a title, and is opened or closed.")
    state.set_issue(form["project"], int(form["iid"]), **changes)


def add_issue(state: State, form: Form) -> None:
    project = form["project"].strip("/ ")
    if "/" not in project or not form["title"].strip():
        raise Refused.message(400, "An issue needs a project, written group/project, and a title.")
    with state.change():
        state.add_issue(state.add_project(project), form["title"].strip())


def set_percentage(state: State, form: Form) -> None:
    flag = state.project_flag(form["project"], form["name"])
    for strategy in flag["strategies"]:
        if str(strategy["id"]) == form["strategy"]:
            parameter = "rollout" if "rollout" in strategy["parameters"] else "percentage"
            changed = {"id": strategy["id"], "parameters": {**strategy["parameters"], parameter: form["percentage"]}}
            state.set_project_flag(form["project"], form["name"], strategies=[changed])


def set_fault(faults: Faults, form: Form) -> None:
    """``what`` is a status, or drop, truncated, not_json, html, slow, or lost: changes are made, their answers lost."""
    what = form.get("what", "")
    if what == "heal":
        faults.clear()
    elif what == "slow":
        faults.add(Fault(delay=3.0, path="/api/v4/"))
    elif what == "lost":
        for method in ("POST", "PUT"):
            faults.add(Fault("drop", path="/api/v4/", method=method, after=True))
    elif what in ("drop", "not_json", "html", "truncated"):
        faults.add(Fault(what, path="/api/v4/"))  # type: ignore[arg-type]
    elif what in ("401", "403", "404", "429", "500", "503"):
        headers = {"Retry-After": "60"} if what == "429" else {}
        faults.add(Fault(status=int(what), headers=headers, path="/api/v4/"))
    else:
        raise Refused.message(400, f"{what} is no fault that can be set here.")


ACTIONS: dict[str, Callable[[State, Form], object]] = {
    "feature/set": set_feature,
    "feature/remove-actor": remove_actor,
    "feature/delete": lambda state, form: state.delete_feature(form["name"]),
    "project-flag/active": lambda state, form: state.set_project_flag(
        form["project"], form["name"], active=bool(form["active"])
    ),
    "project-flag/percentage": set_percentage,
    "issue/set": set_issue,
    "issue/add": add_issue,
    "issue/delete": lambda state, form: state.delete_issue(form["project"], int(form["iid"])),
    "issue/task": lambda state, form: state.tick_task(form["project"], int(form["iid"]), int(form["index"])),
    "issue/note": lambda state, form: state.add_note(form["project"], int(form["iid"]), form["body"]),
}
