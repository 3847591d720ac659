"""What GitLab sends us by itself: is it from our GitLab, and what does it say?

Sources: GitLab doc/user/project/integrations/webhooks.md and webhook_events.md; the Standard Webhooks specification.
A delivery is a hint in all but what it says itself of an issue; who sends too much or nonsense gets no error of ours.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from rollouts.gitlab import fields
from rollouts.gitlab.errors import BadAnswer
from rollouts.gitlab.phrases import worded

#: GitLab's descriptions hold a million characters, and a delivery may hold three of them (now, before, after).
LARGEST_DELIVERY = 12 * 1024 * 1024
LONGEST_KEY = 128


class NotGenuine(Exception):
    """Nobody who knows our secret has sent this; ``words`` say what is missing."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class NotUnderstood(Exception):
    """It is genuine, and not what GitLab's documentation describes."""


@dataclass(frozen=True, slots=True)
class WebhookContent:
    """What one delivery says. ``kind`` None: of no interest.

    ``values`` are fields of an issue as they are now: state, changed_at and, where the delivery says them at all,
    title, confidential, labels, assignees, closed_at, moved_to_id; what is absent is unchanged. ``needs_reading``:
    something changed that it does not say (task counts, number of comments, a move, a flag's strategies).
    """

    kind: Literal["issue", "note", "feature_flag"] | None
    project_id: int | None = None
    project_path: str = ""
    iid: int | None = None
    at: datetime | None = None
    user: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    needs_reading: bool = False


def check_token(headers: Mapping[str, str], *, secret: str, signing_token: str) -> bool:
    """What can be checked before the body is read: whether the plain token is right. Raises NotGenuine.

    False where the body's signature decides.
    """
    if not secret and not signing_token:
        raise NotGenuine(
            "This portal has no secret for webhooks: set GITLAB_WEBHOOK_SECRET or GITLAB_WEBHOOK_SIGNING_TOKEN."
        )
    if signing_token and headers.get("webhook-signature"):
        return False
    given = headers.get("X-Gitlab-Token", "")
    if secret and hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode()):
        return True
    raise NotGenuine("X-Gitlab-Token is not the secret of this portal's webhooks, and there is no signature.")


def check_signature(body: bytes, headers: Mapping[str, str], *, signing_token: str) -> None:
    """``webhook-signature`` over id, time and body, not older or newer than five minutes. Raises NotGenuine."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    try:
        Webhook(signing_token).verify(body, {name: headers.get(name, "") for name in names}, json_parse=False)
    except WebhookVerificationError as error:
        raise NotGenuine(f"webhook-signature does not hold: {error}.") from None
    except Exception:  # the library lets the errors of base64, of text and of numbers through
        raise NotGenuine("webhook-signature can't be read.") from None


def key_of(body: bytes, headers: Mapping[str, str]) -> str:
    """What the same delivery has in common with its copies: GitLab's own id, else what it says.

    ``X-Gitlab-Event-UUID`` alone is shared by all hooks that one event set off.
    """
    given = headers.get("webhook-id") or headers.get("Idempotency-Key")
    if given and given.isascii() and given.isprintable() and len(given) <= LONGEST_KEY:
        return given
    parts = (headers.get("X-Gitlab-Event-UUID", ""), headers.get("X-Gitlab-Event", ""))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace") + body).hexdigest()


def read(body: bytes) -> WebhookContent:
    """What a delivery says. Raises NotUnderstood for what is no JSON object or lacks what makes it one of its kind."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raise NotUnderstood("The body is not JSON.") from None
    try:
        raw = fields.as_object(raw, "the body")
        match raw.get("object_kind"):
            case "issue" | "work_item":
                return _issue(raw)
            case "note":
                return _note(raw)
            case "feature_flag":
                return WebhookContent("feature_flag", *_project(raw), user=_user(raw), needs_reading=True)
    except BadAnswer as problem:
        raise NotUnderstood(f"{problem.field} {problem.why}.") from None
    return WebhookContent(None)


def _issue(raw: Mapping[str, Any]) -> WebhookContent:
    about = fields.as_object(raw.get("object_attributes"), "object_attributes")
    state = about.get("state")
    if state not in ("opened", "closed"):
        raise BadAnswer("object_attributes.state", worded("should be opened or closed"))
    at = fields.moment(about, "updated_at")
    changes = raw.get("changes")
    changed = set(changes) if isinstance(changes, Mapping) else set()
    values: dict[str, Any] = {"state": state, "changed_at": at}
    if about.get("title") is not None:
        values["title"] = fields.required_text(about, "title")
    if about.get("confidential") is not None:
        values["confidential"] = fields.boolean(about, "confidential")
    if "moved_to_id" in about:
        values["moved_to_id"] = fields.number(about, "moved_to_id")
    labelled = raw if raw.get("labels") is not None else about
    if labelled.get("labels") is not None:
        values["labels"] = sorted(_titles(labelled))
    if (assignees := _assignees(raw, about)) is not None:
        values["assignees"] = assignees
    if about.get("closed_at") or state == "opened":
        values["closed_at"] = fields.moment(about, "closed_at")
    unsaid = "description" in changed or about.get("action") == "open" or values.get("moved_to_id") is not None
    return WebhookContent(
        "issue",
        *_project(raw),
        iid=fields.required_number(about, "iid"),
        at=at,
        user=_user(raw),
        values=values,
        needs_reading=unsaid or at is None or "closed_at" not in values,
    )


def _assignees(raw: Mapping[str, Any], about: Mapping[str, Any]) -> list[str] | None:
    """User names; None where nothing is said of them. GitLab leaves the list out where nobody is assigned any more."""
    if raw.get("assignees") is None:
        return [] if about.get("assignee_ids") == [] else None
    return sorted(
        fields.within(place, fields.required_text, person, "username")
        for place, person in fields.objects(raw, "assignees")
    )


def _note(raw: Mapping[str, Any]) -> WebhookContent:
    about = fields.as_object(raw.get("object_attributes"), "object_attributes")
    if about.get("noteable_type") != "Issue":
        return WebhookContent(None)
    issue = fields.as_object(raw.get("issue"), "issue")
    iid, at = fields.required_number(issue, "iid"), fields.moment(about, "updated_at")
    return WebhookContent("note", *_project(raw), iid=iid, at=at, user=_user(raw), needs_reading=True)


def _project(raw: Mapping[str, Any]) -> tuple[int | None, str]:
    project = fields.as_object(raw.get("project"), "project")
    return fields.number(project, "id", least=1), fields.text(project, "path_with_namespace", limit=fields.NAME)


def _user(raw: Mapping[str, Any]) -> str:
    user = raw.get("user")
    return fields.text(user, "username", limit=fields.NAME) if isinstance(user, Mapping) else ""


def _titles(raw: Mapping[str, Any]) -> list[str]:
    return [
        fields.within(place, fields.required_text, label, "title") for place, label in fields.objects(raw, "labels")
    ]
