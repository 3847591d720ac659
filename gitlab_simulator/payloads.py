"""What the simulated GitLab's webhooks say.

Sources: GitLab doc/user/project/integrations/webhook_events.md, lib/gitlab/data_builder/issuable.rb and note.rb,
lib/gitlab/hook_data/issue_builder.rb and note_builder.rb.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import Enum
from typing import Any

MOMENTS = ("created_at", "updated_at", "closed_at")
# What ``changes`` may tell, by its name there.
COMPARED = {
    "title": "title",
    "description": "description",
    "state_id": "state",
    "labels": "labels",
    "assignees": "assignees",
    "confidential": "confidential",
    "discussion_locked": "discussion_locked",
    "due_date": "due_date",
    "closed_at": "closed_at",
    "updated_at": "updated_at",
}
STATE_IDS = {"opened": 1, "closed": 2}
TYPE_NAMES = {"issue": "Issue", "ticket": "Issue", "test_case": "Test Case"}


class Times(Enum):
    """How a hook writes a moment, always in whole seconds: ``2026-11-28T18:07:00Z`` or ``2026-11-28 18:07:00 UTC``.

    GitLab's documentation has both, by kind: the first in an issue's own attributes, the second in its ``changes`` and
    in comments. Instances that people recorded wrote the second everywhere.
    """

    AS_DOCUMENTED = "as documented"
    PLAIN = "plain"


@dataclass(frozen=True)
class Told:
    """An issue that a hook tells of: where, by whom, and the people in it by their names."""

    url: str
    project: dict[str, Any]
    issue: dict[str, Any]
    by: dict[str, Any]
    people: dict[str, dict[str, Any]]

    @property
    def kind(self) -> str:
        """``issue`` for issues and tickets, ``work_item`` for all others."""
        return "issue" if TYPE_NAMES.get(self.issue["issue_type"]) == "Issue" else "work_item"

    def attributes(self, *, iso: bool) -> dict[str, Any]:
        """The issue as it is, by the names of GitLab's hooks."""
        issue = self.issue
        assigned = [self.people[name].get("id") for name in issue["assignees"]]
        kept = ("id", "iid", "title", "description", "state", "confidential", "due_date", "moved_to_id", "project_id")
        return {
            **{name: issue[name] for name in kept},
            **{name: in_seconds(issue[name], iso=iso) for name in MOMENTS},
            "state_id": STATE_IDS[issue["state"]],
            "discussion_locked": issue.get("discussion_locked"),
            "author_id": self.people[issue["author"]].get("id"),
            "assignee_ids": assigned,
            "assignee_id": assigned[0] if assigned else None,
            "type": TYPE_NAMES.get(issue["issue_type"]) or issue["issue_type"].capitalize(),
            "url": f"{self.url}/{self.project['path_with_namespace']}/-/issues/{issue['iid']}",
            "labels": _labels(issue["labels"], self.project),
        }

    def assigned(self, names: list[str]) -> list[dict[str, Any]]:
        return [_person(self.people.get(name) or {"name": name, "username": name}) for name in names]

    def changes(self, before: dict[str, Any] | None) -> dict[str, Any]:
        """What is other than ``before``; of a new issue (None), what it was made with."""
        found = {}
        for told, name in COMPARED.items():
            old, new = before.get(name) if before else None, self.issue.get(name)
            if (before or new) and old != new:
                found[told] = {"previous": self._shown(told, old), "current": self._shown(told, new)}
        return found

    def _shown(self, told: str, value: Any) -> Any:
        match told:
            case "state_id":
                return value and STATE_IDS[value]
            case "labels":
                return _labels(value or [], self.project)
            case "assignees":
                return self.assigned(value or [])
        return in_seconds(value, iso=False) if told in MOMENTS else value


def issue(told: Told, before: dict[str, Any] | None, times: Times) -> Any:
    """An issue or another work item was opened (``before`` None) or changed."""
    action, after = ("update" if before else "open"), told.issue
    if before and before["state"] != after["state"]:
        action = "close" if after["state"] == "closed" else "reopen"
    attributes = told.attributes(iso=times is Times.AS_DOCUMENTED)
    return {
        "object_kind": told.kind,
        "event_type": f"confidential_{told.kind}" if after["confidential"] else told.kind,
        "user": _person(told.by),
        "project": _project(told.project, told.url),
        "object_attributes": attributes | {"action": action},
        "labels": attributes["labels"],
        "changes": told.changes(before),
        # Left out where nobody is assigned.
        **({"assignees": told.assigned(after["assignees"])} if after["assignees"] else {}),
    }


def note(told: Told, written: dict[str, Any]) -> Any:
    """Somebody commented on an issue. Comments are told in plain times by any GitLab."""
    at, about = in_seconds(written["created_at"], iso=False), told.attributes(iso=False)
    return {
        "object_kind": "note",
        "event_type": "confidential_note" if about["confidential"] or written["internal"] else "note",
        "user": _person(told.by),
        "project_id": told.project["id"],
        "project": _project(told.project, told.url),
        "object_attributes": {
            "id": written["id"],
            "note": written["body"],
            "description": written["body"],
            "noteable_type": "Issue",
            "noteable_id": about["id"],
            "author_id": told.by.get("id"),
            "project_id": told.project["id"],
            "internal": written["internal"],
            "created_at": at,
            "updated_at": at,
            "system": written["system"],
            "action": "create",
            "url": f"{about['url']}#note_{written['id']}",
        },
        "issue": about,
    }


def feature_flag(project: dict[str, Any], user: dict[str, Any], flag: dict[str, Any], url: str) -> Any:
    """A project's flag was switched on or off; nothing is said of its strategies."""
    return {
        "object_kind": "feature_flag",
        "project": _project(project, url),
        "user": _person(user),
        "user_url": f"{url}/{user['username']}",
        "object_attributes": {"id": flag.get("id", 1)}
        | {name: flag[name] for name in ("name", "description", "active")},
    }


def in_seconds(at: str | None, *, iso: bool) -> str | None:
    if not at:
        return at
    return f"{at[:19]}Z" if iso else f"{at[:10]} {at[11:19]} UTC"


def _project(project: dict[str, Any], url: str) -> dict[str, Any]:
    path = project["path_with_namespace"]
    return {
        "id": project["id"],
        "name": project["name"],
        "description": None,
        "web_url": f"{url}/{path}",
        "avatar_url": None,
        "namespace": path.rpartition("/")[0],
        "visibility_level": 10,
        "path_with_namespace": path,
        "default_branch": "main",
        "homepage": f"{url}/{path}",
        "http_url": f"{url}/{path}.git",
    }


def _person(user: dict[str, Any]) -> dict[str, Any]:
    known = {name: user[name] for name in ("id", "name", "username") if name in user}
    return known | {"avatar_url": None, "email": "[REDACTED]"}


def _labels(names: list[str], project: dict[str, Any]) -> list[dict[str, Any]]:
    """Labels are no more than their names here; the number of one is made of it."""
    return [
        {
            "id": zlib.crc32(name.encode()),
            "title": name,
            "color": "#ffffff",
            "project_id": project["id"],
            "template": False,
            "description": None,
            "type": "ProjectLabel",
            "group_id": None,
        }
        for name in names
    ]
