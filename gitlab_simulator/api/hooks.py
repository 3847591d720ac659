"""``/projects/:id/hooks`` (GitLab doc/api/project_webhooks.md). For maintainers."""

from __future__ import annotations

from typing import Any

from gitlab_simulator.api.exchange import Answer, Asked
from gitlab_simulator.hooks import EVENTS, alert_status
from gitlab_simulator.store import Refused


def listed(asked: Asked, project: str) -> Answer:
    found = _maintained(asked, project)
    return asked.page_of(list(asked.state.table("hooks", found["id"]).values()), lambda hook: shown(found, hook))


def one(asked: Asked, project: str, hook_id: str) -> Answer:
    found = _maintained(asked, project)
    return Answer(shown(found, asked.state.hook(found["id"], hook_id)))


def creation(asked: Asked, project: str) -> Answer:
    found = _maintained(asked, project)
    url = asked.text("url")
    if not url:
        raise Refused.error("url is missing")
    if not url.startswith(("http://", "https://")):
        raise Refused.error("Invalid url given")
    hook_id = asked.state.add_hook(found["id"], url)
    asked.state.set_hook(found["id"], hook_id, **_changes(asked))
    return Answer(shown(found, asked.state.hook(found["id"], hook_id)), 201)


def change(asked: Asked, project: str, hook_id: str) -> Answer:
    found = _maintained(asked, project)
    asked.state.hook(found["id"], hook_id)
    return Answer(shown(found, asked.state.set_hook(found["id"], hook_id, url=asked.text("url"), **_changes(asked))))


def deletion(asked: Asked, project: str, hook_id: str) -> Answer:
    found = _maintained(asked, project)
    asked.state.delete_hook(found["id"], hook_id)
    return Answer(None, 204)


def events(asked: Asked, project: str, hook_id: str) -> Answer:
    found = _maintained(asked, project)
    hook = asked.state.hook(found["id"], hook_id)
    rows = [
        {
            "id": number,
            "url": hook["url"],
            "trigger": entry["trigger"].lower().replace(" ", "_") + "s",
            "response_status": str(entry["status"]) if entry["status"] else "internal error",
            "created_at": entry["at"],
            "execution_duration": 0.1,
        }
        for number, entry in enumerate(hook["log"], start=1)
    ]
    return asked.page_of(rows[::-1], lambda row: row)


def shown(project: dict[str, Any], hook: dict[str, Any]) -> dict[str, Any]:
    """A hook as the API shows it: never its tokens."""
    return {
        **{name: hook[name] for name in ("id", "url", "enable_ssl_verification", "created_at", "disabled_until")},
        **{name: hook[name] for name in EVENTS},
        "project_id": project["id"],
        "push_events": False,
        "alert_status": alert_status(hook),
        "token_present": bool(hook["token"]),
        "signing_token_present": bool(hook["signing_token"]),
    }


def _maintained(asked: Asked, project: str) -> dict[str, Any]:
    found: dict[str, Any] = asked.visit(project)
    if not asked.caller.is_admin:
        raise Refused.message(403, "403 Forbidden")
    return found


def _changes(asked: Asked) -> dict[str, Any]:
    switches: dict[str, Any] = {name: asked.flag(name) for name in (*EVENTS, "enable_ssl_verification")}
    texts: dict[str, Any] = {name: asked.text(name) for name in ("token", "signing_token")}
    return {name: value for name, value in (switches | texts).items() if value is not None}
