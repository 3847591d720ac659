"""An issue as it comes out of the door. See records.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, cast

from rollouts.gitlab import fields
from rollouts.gitlab.errors import BadAnswer
from rollouts.gitlab.phrases import worded


@dataclass(frozen=True, slots=True)
class IssueRecord:
    """One item of ``GET /projects/:id/issues`` (GitLab doc/api/issues.md).

    Required: iid, title, state. ``project_id`` is None and times are None where a server does not send them. People are
    user names. ``path`` is the project's as it is now (``references.full``), empty where not sent. Task counts come
    from ``task_completion_status`` (``has_tasks`` is inverted in GitLab's code).
    """

    project_id: int | None
    iid: int
    title: str
    state: Literal["opened", "closed"]
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    author: str = ""
    confidential: bool = False
    web_url: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    closed_at: datetime | None = None
    task_count: int = 0
    task_done: int = 0
    notes_count: int = 0
    moved_to_id: int | None = None
    issue_type: str = "issue"
    due_date: date | None = None
    path: str = ""

    @classmethod
    def from_gitlab(cls, raw: Any) -> IssueRecord:
        """Read one issue. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "issue")
        iid = fields.required_number(raw, "iid")
        title = fields.required_text(raw, "title")
        state = raw.get("state")
        if state not in ("opened", "closed"):
            raise BadAnswer("state", worded("should be opened or closed"))
        count, done = _tasks(raw)
        return cls(
            project_id=fields.number(raw, "project_id", least=1),
            iid=iid,
            title=title,
            state=cast(Literal["opened", "closed"], state),
            labels=_labels(raw),
            assignees=_assignees(raw),
            author=_username(raw, "author"),
            confidential=fields.boolean(raw, "confidential"),
            web_url=fields.link(raw, "web_url"),
            created_at=fields.moment(raw, "created_at"),
            updated_at=fields.moment(raw, "updated_at"),
            closed_at=fields.moment(raw, "closed_at"),
            task_count=count,
            task_done=done,
            notes_count=fields.number(raw, "user_notes_count") or 0,
            moved_to_id=fields.number(raw, "moved_to_id"),
            issue_type=fields.text(raw, "issue_type", limit=fields.NAME) or "issue",
            due_date=fields.day(raw, "due_date"),
            path=_path(raw),
        )


def _path(raw: Mapping[str, Any]) -> str:
    """``group/app`` of ``group/app#12``: no more calls are needed to see that a project was moved or renamed."""
    references = raw.get("references")
    if not isinstance(references, Mapping) or not isinstance(references.get("full"), str):
        return ""
    path, hash_sign, _ = fields.clean(references["full"], fields.NAME).rpartition("#")
    return path if hash_sign else ""


def _tasks(raw: Mapping[str, Any]) -> tuple[int, int]:
    status = raw.get("task_completion_status")
    if status is None:
        return 0, 0
    status = fields.as_object(status, "task_completion_status")
    count = fields.within("task_completion_status", fields.number, status, "count") or 0
    done = fields.within("task_completion_status", fields.number, status, "completed_count") or 0
    if done > count:
        raise BadAnswer("task_completion_status.completed_count", worded("is more than count"))
    return count, done


def _labels(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Names, or objects with a name where somebody asked for ``with_labels_details``."""
    value = raw.get("labels")
    if isinstance(value, list) and any(isinstance(label, Mapping) for label in value):
        return tuple(
            fields.within(place, fields.required_text, label, "name") for place, label in fields.objects(raw, "labels")
        )
    return fields.names(raw, "labels")


def _assignees(raw: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        fields.within(place, fields.required_text, person, "username")
        for place, person in fields.objects(raw, "assignees")
    )


def _username(raw: Mapping[str, Any], field: str) -> str:
    person = raw.get(field)
    if person is None:  # deleted users, plain servers
        return ""
    return str(fields.within(field, fields.text, fields.as_object(person, field), "username"))
