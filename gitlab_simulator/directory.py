"""Users, groups, projects and tokens of the simulated GitLab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitlab_simulator.store import Refused, Store, now

ADMIN_TOKEN = "simulator-admin-token"
READER_TOKEN = "simulator-reader-token"


@dataclass(frozen=True)
class Caller:
    """Who asks. ``sees_confidential`` and ``develops`` stand for Reporter and Developer in every project."""

    user: dict[str, Any] | None = None
    is_admin: bool = False
    scopes: tuple[str, ...] = ()
    token_id: int = 0
    expires_at: str | None = None

    @property
    def develops(self) -> bool:
        return self.is_admin or bool(self.user and self.user["access"] == "developer")

    sees_confidential = develops


class Directory(Store):
    """The part of the state that names things.

    ``admin_mode``: an administrator's token without the scope ``admin_mode`` is anybody's (GitLab
    lib/gitlab/auth/current_user_mode.rb).
    """

    admin_mode = False

    def seed(self) -> None:
        """Two people and their tokens: an administrator, and one who may read but sees nothing confidential."""
        self.add_user("root", name="Administrator", access="admin")
        self.add_user("reader", name="Reader", access="guest")
        self.add_token(ADMIN_TOKEN, "root", scopes=("api", "admin_mode"))
        self.add_token(READER_TOKEN, "reader", scopes=("read_api",))

    def add_user(self, username: str, *, name: str = "", access: str = "guest", id: int | None = None) -> int:
        """Add a user, or find the one of that name. ``access``: guest, developer (sees confidential issues), admin."""
        with self.change():
            known = self.user_named(username)
            if known:
                return int(known["id"])
            user_id = id or self.next_id("user")
            self.put("counters", "user", max(self.table("counters").get("user", 0), user_id))
            row = {
                "id": user_id,
                "username": username,
                "name": name or username.replace("_", " ").replace(".", " ").title(),
                "access": access,
                "created_at": now(),
            }
            self.put("users", user_id, row)
            return user_id

    def add_token(
        self, token: str, username: str, *, scopes: tuple[str, ...] = ("api",), expires_at: str | None = None
    ) -> None:
        """Let ``token`` stand for a user, with these scopes (api, read_api, admin_mode, …), until a day."""
        with self.change():
            row = {
                "id": self.next_id("token"),
                "username": username,
                "scopes": list(scopes),
                "expires_at": expires_at,
                "created_at": now(),
            }
            self.put("tokens", token, row)

    def add_group(self, path: str, *, name: str = "") -> int:
        """Add a group by its full path, or find it."""
        with self.change():
            known = self.group_at(path)
            if known:
                return int(known["id"])
            # Groups and projects do not share ids in GitLab, but a test that mixes them up should notice.
            group_id = self.next_id("group", at_least=101)
            row = {
                "id": group_id,
                "full_path": path,
                "name": name or path.rsplit("/", 1)[-1],
                "created_at": now(),
            }
            self.put("groups", group_id, row)
            return group_id

    def add_project(self, path: str, *, name: str = "") -> int:
        """Add a project by its full path, or find it."""
        with self.change():
            known = self.project_at(path)
            if known:
                return int(known["id"])
            project_id = self.next_id("project", at_least=1001)
            row = {
                "id": project_id,
                "path_with_namespace": path,
                "name": name or path.rsplit("/", 1)[-1],
                "created_at": now(),
            }
            self.put("projects", project_id, row)
            return project_id

    def rename_project(self, reference: str | int, path: str) -> None:
        """Give a project another path, or transfer it: the old path leads to it until somebody else takes it."""
        with self.change():
            project = self.project(reference)
            former = [*project.get("former_paths", ()), project["path_with_namespace"]]
            self.put("projects", project["id"], project | {"former_paths": former, "path_with_namespace": path})

    def rename_group(self, old: str, new: str) -> None:
        """Give a group another path, and all that is in it."""
        with self.change():
            for group in list(self.table("groups").values()):
                if group["full_path"] == old or group["full_path"].startswith(f"{old}/"):
                    self.put("groups", group["id"], group | {"full_path": new + group["full_path"].removeprefix(old)})
            for project in list(self.table("projects").values()):
                if project["path_with_namespace"].startswith(f"{old}/"):
                    self.rename_project(project["id"], new + project["path_with_namespace"].removeprefix(old))

    def user_named(self, username: str) -> dict[str, Any] | None:
        """GitLab ignores upper and lower case in user names and paths."""
        return _first(self.table("users"), "username", username)

    def group_at(self, reference: str | int) -> dict[str, Any] | None:
        return self.table("groups").get(str(reference)) or _first(self.table("groups"), "full_path", str(reference))

    def project_at(self, reference: str | int) -> dict[str, Any] | None:
        projects, wanted = self.table("projects"), str(reference)
        return (
            projects.get(wanted)
            or _first(projects, "path_with_namespace", wanted)
            or next((row for row in projects.values() if wanted in row.get("former_paths", ())), None)
        )

    def project(self, reference: str | int) -> dict[str, Any]:
        """A project by id or path. Raises Refused 404 as GitLab does."""
        found = self.project_at(reference)
        if found is None:
            raise Refused.message(404, "404 Project Not Found")
        return found

    def caller(self, token: str | None) -> Caller:
        """Whom a token stands for. No token: nobody. Raises Refused 401 for an unknown one."""
        if not token:
            return Caller()
        known = self.table("tokens").get(token)
        user = self.user_named(known["username"]) if known else None
        if known is None or user is None:
            raise Refused.message(401, "401 Unauthorized")
        is_admin = user["access"] == "admin" and (not self.admin_mode or "admin_mode" in known["scopes"])
        return Caller(user, is_admin, tuple(known["scopes"]), known["id"], known.get("expires_at"))


def _first(table: dict[str, Any], field: str, value: str) -> dict[str, Any] | None:
    wanted = value.lower()
    return next((row for row in table.values() if row[field].lower() == wanted), None)
