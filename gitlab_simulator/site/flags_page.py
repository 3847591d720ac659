"""Flags on the simulator's page: what each gate says, and a form for each way to change one."""

from __future__ import annotations

from typing import Any

from gitlab_simulator.directory import Directory
from gitlab_simulator.instance_flags import state_of
from gitlab_simulator.site.html import Safe, button, choice, field, form, tag
from gitlab_simulator.state import State

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


def section(state: State) -> Safe:
    """All instance flags that were ever set, and a form for one more."""
    known = sorted(set(state.table("definitions")) - set(state.table("features")))
    new = form(
        "feature/set",
        {"key": "percentage_of_actors"},
        field("name", "flag name", required=True, list="definitions"),
        field("value", "0, 25, true …", required=True, size=10),
        button("Set flag", class_="main"),
        tag("datalist", [tag("option", value=name) for name in known], id="definitions"),
    )
    cards = [_card(state, name) for name in sorted(state.table("features"))]
    nothing = tag("p", "No flag was ever set. Its definition's default holds.", class_="muted")
    return tag(
        "section",
        tag("h2", "Instance flags"),
        tag("div", tag("div", new, class_="row"), cards or nothing, class_="cards"),
        id="flags",
    )


def _card(state: State, name: str) -> Safe:
    gates = state.table("features")[name]
    definition = state.table("definitions").get(name)
    here = {"name": name}
    words = state_of(gates)
    flag_type = f"{definition['type']}, {definition['group'] or 'no group'}" if definition else "no definition"
    head = tag(
        "div",
        tag("h3", name),
        tag("span", words, class_=f"pill {words}"),
        tag("span", flag_type, class_="muted"),
        class_="row",
    )
    percentage = form(
        "feature/set",
        here | {"key": "percentage_of_actors"},
        field(
            "value",
            "% of actors",
            type="number",
            min="0",
            max="100",
            step="0.001",
            required=True,
            value=gates["percentage_of_actors"] or None,
        ),
        button("Set %", label=f"Set the percentage of actors of {name}"),
    )
    everyone = form(
        "feature/set", here | {"value": "true"}, button("On for everyone", label=f"{name}: on for everyone")
    )
    nobody = form("feature/set", here | {"value": "false"}, button("Off (wipes all gates)", label=f"{name}: off"))
    target = form(
        "feature/set",
        here | {"value": "true"},
        choice("target", f"Kind of target for {name}", TARGETS),
        field("given", "name or path", required=True, size=16),
        button("Add", label=f"Add a target to {name}"),
    )
    reset = form(
        "feature/delete", here, button("Delete record", label=f"Delete the record of {name}", class_="quiet stop")
    )
    return tag(
        "article",
        head,
        _gates(state, name, gates),
        tag("div", percentage, everyone, nobody, target, tag("span", reset, class_="end"), class_="row"),
        class_="card",
        id=f"flag-{name}",
    )


def _gates(state: State, name: str, gates: dict[str, Any]) -> Safe:
    words = []
    if gates["boolean"]:
        words.append(tag("span", "everyone", class_="pill on"))
    if gates["percentage_of_actors"]:
        words.append(tag("span", f"{gates['percentage_of_actors']} % of actors", class_="pill num"))
    if gates["percentage_of_time"]:
        words.append(
            tag("span", f"{gates['percentage_of_time']} % of time (deprecated)", class_="pill conditional num")
        )
    for group in gates["groups"]:
        away = form(
            "feature/set",
            {"name": name, "value": "false", "target": "feature_group", "given": group},
            button("×", label=f"Remove group {group} from {name}", class_="quiet"),
        )
        words.append(tag("span", f"group {group}", away, class_="chip"))
    for actor in gates["actors"]:
        away = form(
            "feature/remove-actor",
            {"name": name, "actor": actor},
            button("×", label=f"Remove {actor} from {name}", class_="quiet"),
        )
        words.append(tag("span", actor_words(state, actor), away, class_="chip"))
    return tag("div", words or tag("span", "Nobody: every gate is closed.", class_="muted"), class_="row")


def actor_words(state: Directory, actor: str) -> str:
    """``User:42`` with the name that it stands for."""
    kind, _, rest = actor.partition(":")
    table, name = _TABLES.get(kind, ("", ""))
    known = state.table(table).get(rest.removesuffix(":opt_out")) if table else None
    return f"{actor} ({known[name]})" if known else actor


def project_section(state: State) -> Safe | None:
    """Flags of projects: switch, and the percentage of those strategies that have one."""
    cards = []
    for project_id, project in state.table("projects").items():
        for flag in state.project_flags_of(project_id):
            cards.append(_project_card(project["path_with_namespace"], project_id, flag))
    if not cards:
        return None
    return tag("section", tag("h2", "Project flags"), tag("div", cards, class_="cards"))


def _project_card(path: str, project_id: str, flag: dict[str, Any]) -> Safe:
    here = {"project": project_id, "name": flag["name"]}
    state = "on" if flag["active"] else "off"
    switch = form(
        "project-flag/active",
        here | {"active": "" if flag["active"] else "true"},
        button("Switch off" if flag["active"] else "Switch on", label=f"Switch {flag['name']}"),
    )
    rows = []
    for strategy in flag["strategies"]:
        scopes = ", ".join(scope["environment_scope"] for scope in strategy["scopes"]) or "no environment"
        parameter = {"flexibleRollout": "rollout", "gradualRolloutUserId": "percentage"}.get(strategy["name"])
        change = parameter and form(
            "project-flag/percentage",
            here | {"strategy": strategy["id"]},
            field(
                "percentage",
                "%",
                type="number",
                min="0",
                max="100",
                required=True,
                value=strategy["parameters"][parameter],
            ),
            button("Set %", label=f"Set the percentage of {flag['name']}"),
        )
        users = strategy["parameters"].get("userIds")
        rows.append(
            tag(
                "div",
                tag("code", strategy["name"]),
                tag("span", f"in {scopes}"),
                users and tag("span", f"for {users}"),
                change,
                class_="row",
            )
        )
    return tag(
        "article",
        tag(
            "div",
            tag("h3", flag["name"]),
            tag("span", state, class_=f"pill {state}"),
            tag("span", path, class_="muted"),
            tag("span", switch, class_="end"),
            class_="row",
        ),
        rows,
        class_="card",
    )
