"""What the simulated GitLab's webhooks say (doc/user/project/integrations/webhook_events.md)."""

from __future__ import annotations

from typing import Any

TIMES = ("created_at", "updated_at", "closed_at")
COMPARED = ("title", "description", "state", "labels", "assignees", "confidential", "closed_at", "due_date")


def issue(
    project: dict[str, Any],
    user: dict[str, Any],
    before: dict[str, Any] | None,
    after: dict[str, Any],
    *,
    iso: bool = False,
) -> Any:
    """An issue was opened (``before`` None) or changed. ``iso`` says how times are written."""
    changed = [name for name in COMPARED if before is not None and before[name] != after[name]]
    action = "open" if before is None else "update"
    if "state" in changed:
        action = "close" if after["state"] == "closed" else "reopen"
    attributes = {name: after[name] for name in ("id", "iid", "title", "description", "state", "confidential")}
    return {
        "object_kind": "issue",
        "event_type": "confidential_issue" if after["confidential"] else "issue",
        "user": _person(user),
        "project": _project(project),
        "object_attributes": {
            **attributes,
            "project_id": project["id"],
            **{name: in_seconds(after[name], iso=iso) for name in TIMES},
            "moved_to_id": after["moved_to_id"],
            "type": "Issue",
            "action": action,
            "labels": _labels(after["labels"]),
            "assignee_ids": list(range(1, len(after["assignees"]) + 1)),
        },
        "labels": _labels(after["labels"]),
        **_assigned(after["assignees"]),
        "changes": {
            name: {"previous": _shown(name, before[name]), "current": _shown(name, after[name])}
            for name in changed
            if before is not None
        },
    }


def in_seconds(at: str | None, *, iso: bool = False) -> str | None:
    """A time as GitLab's hooks tell it: whole seconds, mostly ``2026-11-27 16:52:00 UTC``, else ``…T16:52:00Z``."""
    if not at:
        return at
    return f"{at[:19]}Z" if iso else f"{at[:10]} {at[11:19]} UTC"


def note(
    project: dict[str, Any], user: dict[str, Any], about: dict[str, Any], written: dict[str, Any], *, iso: bool = False
) -> Any:
    """Somebody commented on an issue."""
    at = in_seconds(written["created_at"], iso=iso)
    return {
        "object_kind": "note",
        "event_type": "confidential_note" if about["confidential"] or written["internal"] else "note",
        "user": _person(user),
        "project_id": project["id"],
        "project": _project(project),
        "object_attributes": {
            "id": written["id"],
            "note": written["body"],
            "noteable_type": "Issue",
            "noteable_id": about["id"],
            "project_id": project["id"],
            "created_at": at,
            "updated_at": at,
            "system": written["system"],
            "action": "create",
        },
        "issue": {
            **{name: about[name] for name in ("id", "iid", "title", "state", "confidential")},
            "updated_at": in_seconds(about["updated_at"], iso=iso),
        },
    }


def feature_flag(project: dict[str, Any], user: dict[str, Any], flag: dict[str, Any]) -> Any:
    """A project's flag was switched on or off; nothing is said of its strategies."""
    return {
        "object_kind": "feature_flag",
        "project": _project(project),
        "user": _person(user),
        "user_url": f"http://gitlab.invalid/{user['username']}",
        "object_attributes": {
            "id": 1,
            "name": flag["name"],
            "description": flag["description"],
            "active": flag["active"],
        },
    }


def _project(project: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": project["id"],
        "name": project["name"],
        "path_with_namespace": project["path_with_namespace"],
        "visibility_level": 10,
    }


def _person(user: dict[str, Any]) -> dict[str, Any]:
    return {"id": user["id"], "name": user["name"], "username": user["username"], "email": "[REDACTED]"}


def _assigned(names: list[str]) -> dict[str, Any]:
    """GitLab leaves the list out where nobody is assigned (lib/gitlab/data_builder/issuable.rb)."""
    return {"assignees": [{"name": name, "username": name} for name in names]} if names else {}


def _labels(names: list[str]) -> list[dict[str, Any]]:
    return [{"title": name, "color": "#ffffff", "type": "ProjectLabel"} for name in names]


def _shown(name: str, value: Any) -> Any:
    if name in TIMES:
        return in_seconds(value)
    return _labels(value) if name == "labels" else value
