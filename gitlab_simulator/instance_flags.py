"""Instance flags, with Flipper's arithmetic as GitLab uses it.

Sources: GitLab doc/api/features.md, lib/api/features.rb, app/services/admin/set_feature_flag_service.rb,
lib/feature.rb and lib/api/entities/feature.rb; flipper lib/flipper/feature.rb. Summed up in
docs/decisions/0011-simulator-flipper.md.
"""

from __future__ import annotations

import json
import re
from typing import Any

from gitlab_simulator.directory import Directory
from gitlab_simulator.store import Refused

PERCENTAGES = ("percentage_of_actors", "percentage_of_time")
TARGETS = (
    "feature_group",
    "user",
    "group",
    "namespace",
    "project",
    "organization",
    "repository",
    "runner",
    "endpoint",
)
DEFINITION = (
    "name",
    "feature_issue_url",
    "introduced_by_url",
    "rollout_issue_url",
    "milestone",
    "log_state_changes",
    "type",
    "group",
    "default_enabled",
    "intended_to_rollout_by",
)
OPT_OUT = ":opt_out"
# Written otherwise, 100 and 0 are percentages like others: GitLab compares texts.
ENABLE, DISABLE = ("100", "100.0", "true"), ("0", "0.0", "false")
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


def bad_request(reason: str) -> Refused:
    return Refused.message(400, f"400 Bad request - {reason}")


class InstanceFlags(Directory):
    """Flags of the whole instance: ``/features``."""

    require_definitions = False  # when set, a flag without definition can be set with force only

    def add_flag_definition(self, name: str, **fields: Any) -> dict[str, Any]:
        """Add or change a flag's YAML definition: type, group, milestone, default_enabled, rollout_issue_url, …"""
        unknown = set(fields) - set(DEFINITION)
        if unknown:
            raise TypeError(f"a definition has no {', '.join(sorted(unknown))}")
        with self.change():
            definition = dict.fromkeys(DEFINITION) | {"type": "beta", "default_enabled": False}
            definition |= self.table("definitions").get(name, {}) | fields | {"name": name}
            self.put("definitions", name, definition)
            return dict(definition)

    def remove_flag_definition(self, name: str) -> None:
        """What a clean-up release does: the flag is gone from code; its gates, if any, stay in the database."""
        with self.change():
            self.drop("definitions", name)

    def set_feature(
        self, name: str, value: Any, key: str | None = None, *, force: bool = False, **targets: Any
    ) -> dict[str, Any]:
        """``POST /features/:name``. ``value``: true, false, a percentage, opt_out or remove_opt_out; ``targets``:
        feature_group, user, group, namespace, project, organization, repository, runner, endpoint, each a name, a comma
        list or a list. Returns the feature as JSON. Raises Refused (400) with GitLab's message.
        """
        if unknown := set(targets) - set(TARGETS):
            raise TypeError(f"a feature has no target {', '.join(sorted(unknown))}")
        named = {target: given for target, given in targets.items() if given is not None}
        if key is not None and key not in PERCENTAGES:
            raise Refused.error("key does not have a valid value")
        if key is not None and named:
            raise Refused.error(", ".join(f"key, {target} are mutually exclusive" for target in named))
        written = str(value).lower() if isinstance(value, bool) else str(value)
        with self.change():
            if self.require_definitions and not force and name not in self.table("definitions"):
                raise bad_request(f"The feature flag '{name}' has no definition")
            gates = _copy(self.table("features").get(name) or _no_gates())
            if not named:
                _set_globally(gates, name, written, key)
            elif not self._set_targets(gates, name, written, named):
                return self._shown(name, gates)  # targets that name nobody: GitLab answers as if it had done something
            self.put("features", name, gates)
            return self.feature(name)

    def delete_feature(self, name: str) -> None:
        """``DELETE /features/:name``: back to the definition's default. Says nothing when there was none."""
        with self.change():
            self.drop("features", name)

    def feature(self, name: str) -> dict[str, Any]:
        """One flag as ``/features`` shows it."""
        return self._shown(name, self.table("features")[name])

    def _shown(self, name: str, gates: dict[str, Any]) -> dict[str, Any]:
        definition = self.table("definitions").get(name)
        shown: list[dict[str, Any]] = [
            {"key": "boolean", "value": gates["boolean"]},
            {"key": "expression", "value": None},
        ]
        for gate in ("actors", "percentage_of_actors", "percentage_of_time", "groups"):
            if gates[gate]:  # empty gates and 0 % are left out
                shown.append({"key": gate, "value": gates[gate]})
        return {"name": name, "state": state_of(gates), "gates": shown, "definition": definition and dict(definition)}

    def features(self) -> list[dict[str, Any]]:
        """All flags that were ever set, in the order of their names."""
        return [self.feature(name) for name in sorted(self.table("features"))]

    def flag_definitions(self) -> list[dict[str, Any]]:
        return [dict(self.table("definitions")[name]) for name in sorted(self.table("definitions"))]

    def _set_targets(self, gates: dict[str, Any], name: str, written: str, named: dict[str, Any]) -> int:
        """How many were set; all are looked up before the first."""
        lists = {target: given if isinstance(given, list) else str(given).split(",") for target, given in named.items()}
        pairs = [(target, one) for target, given in lists.items() for one in given if one]
        actors = [None if target == "feature_group" else self._actor(target, one) for target, one in pairs]
        for (target, one), actor in zip(pairs, actors, strict=True):
            called = f"@{one}" if target in ("user", "group", "namespace") else one
            if actor is None and written in (*ENABLE, *DISABLE):
                _put(gates["groups"], one, present=written in ENABLE)
            elif written in ENABLE and f"{actor}{OPT_OUT}" in gates["actors"]:
                raise bad_request(f"Opt-out exists for {called} - remove opt-out before enabling")
            elif written in (*ENABLE, *DISABLE):
                _put(gates["actors"], str(actor), present=written in ENABLE)
            elif written == "remove_opt_out" and f"{actor}{OPT_OUT}" not in gates["actors"]:
                raise bad_request(f"No opt-out exists for {called}")
            elif written not in ("opt_out", "remove_opt_out"):
                raise bad_request(f"Cannot set '{name}' to {_inspected(written)} for {called}")
            elif actor is not None:  # a feature group is not opted out, and nobody is told
                _put(gates["actors"], f"{actor}{OPT_OUT}", present=written == "opt_out")
        return len(pairs)

    def _actor(self, target: str, given: str) -> str:
        """The Flipper id of a target. Raises Refused 400 for one that is not there."""
        match target:
            case "user":
                found, kind = self.user_named(given), "User"
            case "group":
                found, kind = self.group_at(given), "Group"
            case "project":
                found, kind = self.project_at(given), "Project"
            case "repository":
                found, kind = self.project_at(given.removesuffix(".git")), "Repository"
            case "namespace":
                found, kind = self.group_at(given) or self.user_named(given), "Namespace"
            case "organization":
                found, kind = {"id": 1} if given in ("1", "default") else None, "Organizations::Organization"
            case "runner":
                found, kind = {"id": given} if given.isdigit() else None, "Ci::Runner"
            case _:
                found, kind = {"id": given}, "Endpoint"
        if found is None:
            raise bad_request(f"{given} is not found!")
        return f"{kind}:{found['id']}"


def state_of(gates: dict[str, Any]) -> str:
    """on, conditional or off. 100 % of actors alone is conditional: code that passes no actor stays off."""
    if gates["boolean"] or gates["percentage_of_time"] == 100:
        return "on"
    opens = any(gates[gate] for gate in ("groups", *PERCENTAGES)) or bool(gates["actors"])
    return "conditional" if opens else "off"


def _set_globally(gates: dict[str, Any], name: str, written: str, key: str | None) -> None:
    if written in ENABLE or written in DISABLE:  # whatever the key; every other gate is wiped
        gates.update(_no_gates(), boolean=written in ENABLE)
        return
    if not NUMBER.fullmatch(written):
        raise bad_request("Not a percentage" if key else f"Cannot set '{name}' to {_inspected(written)}")
    gate, number = key or "percentage_of_time", float(written)  # GitLab's own default, for history's sake
    if state_of(gates) == "on":
        raise bad_request(f"Cannot enable {gate.replace('_', ' ')} for a fully-enabled flag")
    if number > 100:  # Flipper raises what GitLab does not catch
        raise Refused.message(500, "500 Internal Server Error")
    gates[gate] = int(number) if number == int(number) else number


def _inspected(written: str) -> str:
    """A text as Ruby shows it."""
    return json.dumps(written, ensure_ascii=False)


def _no_gates() -> dict[str, Any]:
    return {"boolean": False, "actors": [], "groups": [], "percentage_of_actors": 0, "percentage_of_time": 0}


def _copy(gates: dict[str, Any]) -> dict[str, Any]:
    return {gate: list(value) if isinstance(value, list) else value for gate, value in gates.items()}


def _put(names: list[str], name: str, *, present: bool) -> None:
    if present and name not in names:
        names.append(name)
    elif not present and name in names:
        names.remove(name)
