"""Project flags and their user lists (GitLab doc/api/feature_flags.md, feature_flag_user_lists.md)."""

from __future__ import annotations

import re
from typing import Any

from gitlab_simulator import payloads
from gitlab_simulator.hooks import Hooks
from gitlab_simulator.store import Refused, now

NAME = re.compile(r"^[a-z]([a-z0-9_\-]{0,61}[a-z0-9])?$")
GROUP_ID = re.compile(r"^[a-z]{1,32}$")
STICKINESS = ("default", "userId", "sessionId", "random")
# app/models/operations/feature_flags/strategy.rb: the exact parameters of each strategy
STRATEGIES = {
    "default": set(),
    "gradualRolloutUserId": {"groupId", "percentage"},
    "flexibleRollout": {"groupId", "rollout", "stickiness"},
    "userWithId": {"userIds"},
    "gitlabUserList": set(),
}


class ProjectFlags(Hooks):
    """Flags of one project, with strategies for environments."""

    def add_project_flag(self, project: str | int, name: str, **fields: Any) -> dict[str, Any]:
        """``POST``: ``fields`` are description, active, strategies [{name, parameters, scopes, user_list_id}]."""
        with self.change():
            project_id = self.project(project)["id"]
            flags = self.table("project_flags", project_id)
            if not NAME.match(name):
                raise Refused.message(
                    400,
                    [
                        "Name can contain only lowercase letters, digits, '_' and '-'. Must start with a letter, "
                        "and cannot end with '-' or '_'"
                    ],
                )
            if name in flags:
                raise Refused.message(400, ["Name has already been taken"])
            at = now()
            flag: dict[str, Any] = {
                "id": self.next_id("project flag"),
                "name": name,
                "description": None,
                "active": True,
                "version": "new_version_flag",
                "created_at": at,
                "updated_at": at,
                "strategies": [],
            }
            self._change_flag(project_id, flag, fields)
            self.put("project_flags", name, flag, within=project_id)
            return flag

    def set_project_flag(self, project: str | int, flag_name: str, **fields: Any) -> dict[str, Any]:
        """``PUT``: description, active, name, strategies (nested changes by id, ``_destroy``)."""
        with self.change():
            project_id = self.project(project)["id"]
            flag = self.project_flag(project, flag_name)
            changed = {**flag, "strategies": [dict(strategy) for strategy in flag["strategies"]]}
            self._change_flag(project_id, changed, fields)
            changed["updated_at"] = now()
            if changed["name"] != flag_name:
                self.drop("project_flags", flag_name, within=project_id)
            self.put("project_flags", changed["name"], changed, within=project_id)
            if changed["active"] != flag["active"]:  # of nothing else GitLab tells (feature_flags/update_service.rb)
                by = self.user_named("root") or {}
                payload = payloads.feature_flag(self.project(project), by, changed, self.url)
                self.tell(project_id, "feature_flag_events", "Feature Flag Hook", payload)
            return changed

    def delete_project_flag(self, project: str | int, name: str) -> dict[str, Any]:
        with self.change():
            flag = self.project_flag(project, name)
            self.drop("project_flags", name, within=self.project(project)["id"])
            return flag

    def project_flag(self, project: str | int, name: str) -> dict[str, Any]:
        """A flag by name. Raises Refused 404."""
        found = self.table("project_flags", self.project(project)["id"]).get(name)
        if found is None:
            raise Refused.message(404, "404 Not found")
        flag: dict[str, Any] = found
        return flag

    def project_flags_of(self, project: str | int) -> list[dict[str, Any]]:
        flags = self.table("project_flags", self.project(project)["id"])
        return [flags[name] for name in sorted(flags)]

    def add_user_list(self, project: str | int, name: str, user_xids: str) -> dict[str, Any]:
        """A list of users for the strategy gitlabUserList; ``user_xids`` is a comma list."""
        with self.change():
            project_id = self.project(project)["id"]
            lists = self.table("user_lists", project_id)
            if any(other["name"] == name for other in lists.values()):
                raise Refused.message(400, ["Name has already been taken"])
            iid, at = self.next_id(f"user list of {project_id}"), now()
            row = {
                "id": self.next_id("user list"),
                "iid": iid,
                "project_id": project_id,
                "name": name,
                "user_xids": user_xids,
                "created_at": at,
                "updated_at": at,
            }
            self.put("user_lists", iid, row, within=project_id)
            return row

    def user_list(self, project: str | int, iid: int | str) -> dict[str, Any]:
        found = self.table("user_lists", self.project(project)["id"]).get(str(iid))
        if found is None:
            raise Refused.message(404, "404 Not found")
        user_list: dict[str, Any] = found
        return user_list

    def set_user_list(self, project: str | int, iid: int | str, **fields: Any) -> dict[str, Any]:
        with self.change():
            kept = {key: value for key, value in fields.items() if key in ("name", "user_xids")}
            changed = self.user_list(project, iid) | kept | {"updated_at": now()}
            self.put("user_lists", iid, changed, within=changed["project_id"])
            return changed

    def delete_user_list(self, project: str | int, iid: int | str) -> None:
        with self.change():
            user_list = self.user_list(project, iid)
            for flag in self.project_flags_of(project):
                if any(strategy["user_list_id"] == user_list["id"] for strategy in flag["strategies"]):
                    raise Refused.message(409, ["User list is associated with a strategy"])
            self.drop("user_lists", iid, within=user_list["project_id"])

    def _change_flag(self, project_id: int, flag: dict[str, Any], fields: dict[str, Any]) -> None:
        if fields.get("description") is not None and len(fields["description"]) > 255:
            raise Refused.message(400, ["Description is too long (maximum is 255 characters)"])
        if fields.get("name") not in (None, flag["name"]):
            if not NAME.match(fields["name"]):
                raise Refused.message(400, ["Name is invalid"])
            if fields["name"] in self.table("project_flags", project_id):
                raise Refused.message(400, ["Name has already been taken"])
        flag |= {key: fields[key] for key in ("name", "description", "active") if fields.get(key) is not None}
        for given in fields.get("strategies") or ():
            known = next((one for one in flag["strategies"] if one["id"] == given.get("id")), None)
            if given.get("id") is not None and known is None:
                raise Refused.message(404, "404 Not found")
            if known is not None and given.get("_destroy"):
                flag["strategies"].remove(known)
                continue
            strategy = known or {"id": self.next_id("strategy"), "parameters": {}, "scopes": [], "user_list_id": None}
            strategy |= {key: given[key] for key in ("name", "parameters", "user_list_id") if key in given}
            _check(strategy)
            self._link_user_list(project_id, strategy)
            self._change_scopes(strategy, given.get("scopes") or ())
            if known is None:
                flag["strategies"].append(strategy)

    def _link_user_list(self, project_id: int, strategy: dict[str, Any]) -> None:
        lists = self.table("user_lists", project_id).values()
        if strategy["name"] == "gitlabUserList" and strategy["user_list_id"] not in [one["id"] for one in lists]:
            raise Refused.message(400, ["Strategies user list must belong to the same project"])

    def _change_scopes(self, strategy: dict[str, Any], scopes: Any) -> None:
        strategy["scopes"] = [dict(scope) for scope in strategy["scopes"]]
        for scope in scopes:
            given = {"environment_scope": scope} if isinstance(scope, str) else scope
            known = next((one for one in strategy["scopes"] if one["id"] == given.get("id")), None)
            if known is not None and given.get("_destroy"):
                strategy["scopes"].remove(known)
            elif known is not None:
                known["environment_scope"] = given.get("environment_scope", known["environment_scope"])
            else:
                strategy["scopes"].append(
                    {"id": self.next_id("scope"), "environment_scope": given["environment_scope"]}
                )


def _check(strategy: dict[str, Any]) -> None:
    name, parameters = strategy.get("name"), strategy["parameters"]
    if name not in STRATEGIES:
        raise Refused.message(400, ["Strategies name is invalid"])
    percentage = (
        str(parameters.get("percentage", parameters.get("rollout", "0"))) if isinstance(parameters, dict) else ""
    )
    right = (
        isinstance(parameters, dict)
        and set(parameters) == STRATEGIES[name]
        and all(isinstance(value, str) for value in parameters.values())
        and bool(re.fullmatch(r"100|[0-9]{1,2}", percentage))
        and bool(GROUP_ID.match(parameters.get("groupId", "default")))
        and parameters.get("stickiness", "default") in STICKINESS
        and all(len(user) <= 256 for user in parameters.get("userIds", "").split(","))
    )
    if not right:
        raise Refused.message(400, ["Strategies parameters are invalid"])
