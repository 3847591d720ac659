"""Who and where: users, groups, projects, the token itself, the version."""

from __future__ import annotations

from typing import Any

from gitlab_simulator.api.exchange import Answer, Asked
from gitlab_simulator.store import Refused

VERSION = "19.3.0-simulator"


def version(asked: Asked) -> Answer:
    asked.sign_in()
    return Answer({"version": VERSION, "revision": "0000000"})


def metadata(asked: Asked) -> Answer:
    asked.sign_in()
    kas = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    return Answer({"version": VERSION, "revision": "0000000", "kas": kas, "enterprise": True})


def current_user(asked: Asked) -> Answer:
    asked.sign_in()
    user = asked.caller.user or {}
    shown = person(asked, user) | {"created_at": user["created_at"]}
    return Answer(shown | {"is_admin": True} if asked.caller.is_admin else shown)


def own_token(asked: Asked) -> Answer:
    asked.sign_in()
    user = asked.caller.user or {}
    return Answer(
        {
            "id": asked.caller.token_id,
            "name": "simulator",
            "revoked": False,
            "created_at": user["created_at"],
            "description": None,
            "scopes": list(asked.caller.scopes),
            "user_id": user["id"],
            "last_used_at": None,
            "active": True,
            "expires_at": asked.caller.expires_at,
        }
    )


def users(asked: Asked) -> Answer:
    asked.sign_in()
    rows = list(asked.state.table("users").values())
    if asked.get("username") is not None:
        known = asked.state.user_named(str(asked.get("username")))
        rows = [known] if known else []
    elif asked.get("search"):
        wanted = str(asked.get("search")).lower()
        rows = [row for row in rows if wanted in row["username"].lower() or wanted in row["name"].lower()]
    rows.sort(key=lambda row: -row["id"])
    return asked.page_of(rows, lambda row: person(asked, row))


def user(asked: Asked, reference: str) -> Answer:
    asked.sign_in()
    found = asked.state.table("users").get(reference)
    if found is None:
        raise Refused.message(404, "404 User Not Found")
    return Answer(person(asked, found) | {"created_at": found["created_at"]})


def group(asked: Asked, reference: str) -> Answer:
    asked.sign_in()
    found = asked.state.group_at(reference)
    if found is None:
        raise Refused.message(404, "404 Group Not Found")
    path = found["full_path"]
    return Answer(
        {
            "id": found["id"],
            "web_url": f"{asked.base_url}/groups/{path}",
            "name": found["name"],
            "path": path.rsplit("/", 1)[-1],
            "description": "",
            "visibility": "internal",
            "full_name": path.replace("/", " / "),
            "full_path": path,
            "created_at": found["created_at"],
            "parent_id": None,
        }
    )


def project(asked: Asked, reference: str) -> Answer:
    found = asked.visit(reference)
    path = found["path_with_namespace"]
    namespace = path.rpartition("/")[0]
    return Answer(
        {
            "id": found["id"],
            "description": None,
            "name": found["name"],
            "name_with_namespace": path.replace("/", " / "),
            "path": path.rsplit("/", 1)[-1],
            "path_with_namespace": path,
            "created_at": found["created_at"],
            "default_branch": "main",
            "web_url": f"{asked.base_url}/{path}",
            "namespace": {"full_path": namespace, "kind": "group"},
            "visibility": "internal",
            "archived": False,
            "issues_enabled": True,
        }
    )


def person(asked: Asked, row: dict[str, Any] | None) -> Any:
    """A user as GitLab shows one inside other things; None stays None."""
    if row is None:
        return None
    return {
        "id": row["id"],
        "username": row["username"],
        "name": row["name"],
        "state": "active",
        "locked": False,
        "avatar_url": None,
        "web_url": f"{asked.base_url}/{row['username']}",
    }
