"""Instance flags, with Flipper's arithmetic as GitLab uses it.

Sources: GitLab doc/api/features.md, app/services/admin/set_feature_flag_service.rb, lib/feature.rb and
lib/api/entities/feature.rb; flipper lib/flipper/feature.rb. Summed up in docs/decisions/0011-simulator-flipper.md.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

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
Value = bool | int | float | Literal["opt_out", "remove_opt_out"]


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
            self.table("definitions")[name] = definition
            return dict(definition)

    def remove_flag_definition(self, name: str) -> None:
        """What a clean-up release does: the flag is gone from code; its gates, if any, stay in the database."""
        with self.change():
            self.table("definitions").pop(name, None)

    def set_feature(
        self, name: str, value: Any, key: str | None = None, *, force: bool = False, **targets: Any
    ) -> dict[str, Any]:
        """``POST /features/:name``. ``value``: true, false, a percentage, opt_out or remove_opt_out; ``targets``:
        feature_group, user, group, namespace, project, organization, repository, runner, endpoint, each a name, a comma
        list or a list. Returns the feature as JSON. Raises Refused (400) with GitLab's message.
        """
        unknown = set(targets) - set(TARGETS)
        if unknown:
            raise TypeError(f"a feature has no target {', '.join(sorted(unknown))}")
        named = {target: _listed(given) for target, given in targets.items() if given not in (None, "", [], ())}
        if key is not None and key not in PERCENTAGES:
            raise Refused.error("key does not have a valid value")
        if key is not None and named:
            raise Refused.error(", ".join(f"key, {target} are mutually exclusive" for target in named))
        setting = gate_value(value)
        with self.change():
            if self.require_definitions and not force and name not in self.table("definitions"):
                raise bad_request(f"The feature flag '{name}' has no definition")
            before = self.table("features").get(name)
            gates = _copy(before) if before else _no_gates()
            if named:
                for target, given in named.items():
                    for one in given:
                        self._set_target(gates, target, one, setting)
            else:
                _set_globally(gates, setting, key)
            self.table("features")[name] = gates
            return self.feature(name)

    def delete_feature(self, name: str) -> None:
        """``DELETE /features/:name``: back to the definition's default. Says nothing when there was none."""
        with self.change():
            self.table("features").pop(name, None)

    def feature(self, name: str) -> dict[str, Any]:
        """One flag as ``/features`` shows it."""
        gates = self.table("features")[name]
        shown: list[dict[str, Any]] = [
            {"key": "boolean", "value": gates["boolean"]},
            {"key": "expression", "value": None},
        ]
        for gate in ("actors", "percentage_of_actors", "percentage_of_time", "groups"):
            if gates[gate]:  # empty gates and 0 % are left out
                shown.append({"key": gate, "value": gates[gate]})
        return {"name": name, "state": state_of(gates), "gates": shown, "definition": self._definition(name)}

    def features(self) -> list[dict[str, Any]]:
        """All flags that were ever set, in the order of their names."""
        return [self.feature(name) for name in sorted(self.table("features"))]

    def flag_definitions(self) -> list[dict[str, Any]]:
        return [dict(self.table("definitions")[name]) for name in sorted(self.table("definitions"))]

    def _definition(self, name: str) -> dict[str, Any] | None:
        definition = self.table("definitions").get(name)
        return dict(definition) if definition else None

    def _set_target(self, gates: dict[str, Any], target: str, given: str, setting: Value) -> None:
        if isinstance(setting, int | float) and not isinstance(setting, bool):
            raise bad_request("a percentage cannot be set for a target")
        if target == "feature_group":
            if isinstance(setting, str):
                raise bad_request("a feature group cannot be opted out")
            _put(gates["groups"], given, present=setting)
            return
        actor = self._actor(target, given)
        out = actor + OPT_OUT
        match setting:
            case "opt_out":
                _put(gates["actors"], out, present=True)
            case "remove_opt_out":
                _put(gates["actors"], out, present=False)
            case True if out in gates["actors"]:
                raise bad_request(f"Opt-out of {given} must be removed before it can be enabled")
            case _:
                _put(gates["actors"], actor, present=bool(setting))

    def _actor(self, target: str, given: str) -> str:
        """The Flipper id of a target. Raises Refused 400 for one that is not there."""
        match target:
            case "user":
                found, kind = self.user_named(given), "User"
            case "group":
                found, kind = self.group_at(given), "Group"
            case "project" | "repository":
                found, kind = self.project_at(given), "Project" if target == "project" else "Repository"
            case "namespace":
                found, kind = self.group_at(given) or self.user_named(given), "Namespace"
            case "organization":
                found, kind = {"id": 1} if given == "default" else None, "Organizations::Organization"
            case "runner":
                found, kind = {"id": given} if given.isdigit() else None, "Ci::Runner"
            case _:
                found, kind = {"id": given}, "Endpoint"
        if found is None:
            raise bad_request(f"{given} is not found!")
        return f"{kind}:{found['id']}"


def gate_value(value: Any) -> Value:
    """What GitLab makes of ``value``: 100 is true and 0 is false, whatever the key."""
    if isinstance(value, bool):
        return value
    written = str(value).strip().lower()
    if written in ("true", "false"):
        return written == "true"
    if written == "opt_out":
        return "opt_out"
    if written == "remove_opt_out":
        return "remove_opt_out"
    try:
        number = float(written)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or not 0 <= number <= 100:
        raise bad_request("value must be true, false, or a percentage from 0 to 100")
    return whole(number) if 0 < number < 100 else number == 100


def whole(number: float) -> int | float:
    """A percentage as GitLab writes it: an integer when whole."""
    return int(number) if number == int(number) else number


def state_of(gates: dict[str, Any]) -> str:
    """on, conditional or off. 100 % of actors alone is conditional: code that passes no actor stays off."""
    if gates["boolean"] or gates["percentage_of_time"] == 100:
        return "on"
    opens = any(gates[gate] for gate in ("groups", *PERCENTAGES)) or bool(gates["actors"])
    return "conditional" if opens else "off"


def _set_globally(gates: dict[str, Any], setting: Value, key: str | None) -> None:
    if isinstance(setting, str):
        raise bad_request(f"{setting} takes a target")
    if isinstance(setting, bool):
        gates.update(_no_gates(), boolean=setting)  # on or off, every other gate is wiped
        return
    gate = key or "percentage_of_time"  # GitLab's own default, for history's sake
    if state_of(gates) == "on":
        raise bad_request(f"Cannot enable {gate.replace('_', ' ')} for a fully-enabled flag")
    gates[gate] = setting


def _no_gates() -> dict[str, Any]:
    return {"boolean": False, "actors": [], "groups": [], "percentage_of_actors": 0, "percentage_of_time": 0}


def _copy(gates: dict[str, Any]) -> dict[str, Any]:
    return {gate: list(value) if isinstance(value, list) else value for gate, value in gates.items()}


def _put(names: list[str], name: str, *, present: bool) -> None:
    if present and name not in names:
        names.append(name)
    elif not present and name in names:
        names.remove(name)


def _listed(given: Any) -> list[str]:
    parts = given.split(",") if isinstance(given, str) else [str(part) for part in given]
    return [part.strip() for part in parts if part.strip()]
