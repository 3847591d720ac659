"""A project's webhooks: which there are, how they do, and how they are made (GitLab doc/api/project_webhooks.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollouts.gitlab import fields
from rollouts.gitlab.answers import json_of
from rollouts.gitlab.connection import PER_PAGE, Connection, segment
from rollouts.gitlab.errors import Forbidden

#: What the portal wants to hear. Rollout plans are confidential issues, so the confidential events too.
EVENTS = (
    "issues_events",
    "confidential_issues_events",
    "note_events",
    "confidential_note_events",
    "feature_flag_events",
)


@dataclass(frozen=True, slots=True)
class HookRecord:
    """One webhook. ``alert_status`` is executable, temporarily_disabled or disabled; tokens are never told."""

    id: int
    url: str
    events: frozenset[str]
    verifies_tls: bool = True
    alert_status: str = ""
    disabled_until: datetime | None = None
    has_token: bool | None = None
    has_signing_token: bool | None = None

    @classmethod
    def from_gitlab(cls, raw: Any) -> HookRecord:
        """Read one hook. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "hook")
        return cls(
            id=fields.required_number(raw, "id"),
            url=fields.text(raw, "url", limit=fields.URL),
            events=frozenset(name for name in EVENTS if fields.boolean(raw, name)),
            verifies_tls=fields.boolean(raw, "enable_ssl_verification", True),
            alert_status=fields.text(raw, "alert_status", limit=fields.NAME),
            disabled_until=fields.moment(raw, "disabled_until"),
            has_token=fields.boolean(raw, "token_present", None),
            has_signing_token=fields.boolean(raw, "signing_token_present", None),
        )


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One entry of a hook's log: GitLab keeps a week of them. ``status`` is that of our answer, as GitLab writes it."""

    trigger: str
    status: str
    at: datetime | None = None

    @classmethod
    def from_gitlab(cls, raw: Any) -> DeliveryRecord:
        """Read one entry. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "delivery")
        status = raw.get("response_status")
        return cls(
            trigger=fields.text(raw, "trigger", limit=fields.NAME),
            status=str(status)[: fields.NAME] if isinstance(status, str | int) else "",
            at=fields.moment(raw, "created_at"),
        )

    @property
    def failed(self) -> bool:
        """2xx and 3xx are deliveries that arrived."""
        return not self.status.startswith(("2", "3"))


class Hooks(Connection):
    """Questions about webhooks and changes to them. All take a Maintainer's token."""

    def hooks(self, project: str | int) -> list[HookRecord]:
        """All webhooks of a project (``GET /projects/:id/hooks``, all pages)."""
        query = {"per_page": PER_PAGE}
        return self._records(_hooks(project), query, HookRecord.from_gitlab, needs=Forbidden.HOOKS)

    def hook_deliveries(self, project: str | int, hook: int) -> list[DeliveryRecord]:
        """What a webhook sent lately, the newest first: the first page of its log (``GET …/hooks/:id/events``)."""
        response = self._get(f"{_hooks(project)}/{int(hook)}/events", {"per_page": 20}, needs=Forbidden.HOOKS)
        rows = fields.as_rows(json_of(response), "events")
        return [fields.within(f"events[{index}]", DeliveryRecord.from_gitlab, row) for index, row in enumerate(rows)]

    def create_hook(self, project: str | int, url: str, *, token: str = "", signing_token: str = "") -> HookRecord:
        """Register a webhook for all that the portal wants to hear (``POST /projects/:id/hooks``)."""
        body = _body(url, token, signing_token)
        return self._change("post", _hooks(project), body, HookRecord.from_gitlab, needs=Forbidden.HOOKS)

    def update_hook(
        self, project: str | int, hook: int, url: str, *, token: str = "", signing_token: str = ""
    ) -> HookRecord:
        """Bring a webhook to what ``create_hook`` would make (``PUT …/hooks/:id``)."""
        path = f"{_hooks(project)}/{int(hook)}"
        body = _body(url, token, signing_token)
        return self._change("put", path, body, HookRecord.from_gitlab, needs=Forbidden.HOOKS)


def _hooks(project: str | int) -> str:
    return f"/projects/{segment(project)}/hooks"


def _body(url: str, token: str, signing_token: str) -> dict[str, Any]:
    secrets: Mapping[str, str] = {"token": token, "signing_token": signing_token}
    return {
        "url": url,
        "push_events": False,
        "enable_ssl_verification": True,
        **dict.fromkeys(EVENTS, True),
        **{name: value for name, value in secrets.items() if value},
    }
