"""Project webhooks of the simulated GitLab: who wants to hear of what, and what there is to tell.

Sources: GitLab doc/user/project/integrations/webhook_events.md, app/models/concerns/web_hooks/auto_disabling.rb.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gitlab_simulator.directory import Directory
from gitlab_simulator.store import Refused, now

EVENTS = (
    "issues_events",
    "confidential_issues_events",
    "note_events",
    "confidential_note_events",
    "feature_flag_events",
)
FOR_A_WHILE_AFTER, FOR_GOOD_AFTER = 4, 40
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(days=1)
MOST_LOGGED = 50


@dataclass(frozen=True)
class Outgoing:
    """One event for one hook, as it was when it happened."""

    project_id: int
    hook_id: int
    header: str
    payload: dict[str, Any]


class Hooks(Directory):
    """Hooks by project; ``outgoing`` holds what has happened and was not sent yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.outgoing: deque[Outgoing] = deque()
        super().__init__(*args, **kwargs)

    def add_hook(
        self, project: str | int, url: str, *, token: str = "", signing_token: str = "", **events: bool
    ) -> int:
        """``events`` are switches of EVENTS; push events alone are on by default, as in GitLab."""
        with self.change():
            hook_id = self.next_id("hook")
            self.table("hooks", self.project(project)["id"])[str(hook_id)] = {
                "id": hook_id,
                "url": url,
                "token": token,
                "signing_token": signing_token,
                "enable_ssl_verification": True,
                "created_at": now(),
                "failures": 0,
                "disabled_until": None,
                "log": [],
                **dict.fromkeys(EVENTS, False),
                **_switches(events),
            }
            return hook_id

    def set_hook(self, project: str | int, hook_id: int | str, **fields: Any) -> dict[str, Any]:
        with self.change():
            hook = self.hook(project, hook_id)
            texts = {name: fields[name] for name in ("url", "token", "signing_token") if fields.get(name) is not None}
            hook |= texts | _switches({name: value for name, value in fields.items() if name in EVENTS})
            if fields.get("enable_ssl_verification") is not None:
                hook["enable_ssl_verification"] = bool(fields["enable_ssl_verification"])
            return hook

    def hook(self, project: str | int, hook_id: int | str) -> dict[str, Any]:
        found = self.table("hooks", self.project(project)["id"]).get(str(hook_id))
        if found is None:
            raise Refused.message(404, "404 Not found")
        hook: dict[str, Any] = found
        return hook

    def delete_hook(self, project: str | int, hook_id: int | str) -> None:
        with self.change():
            self.hook(project, hook_id)
            del self.table("hooks", self.project(project)["id"])[str(hook_id)]

    def tell(self, project_id: int, event: str, header: str, payload: dict[str, Any]) -> None:
        """Something happened: each hook that asked for ``event`` will hear of it, unless it is switched off."""
        for hook in self.table("hooks", project_id).values():
            if hook[event] and alert_status(hook) == "executable":
                self.outgoing.append(Outgoing(project_id, hook["id"], header, payload))

    def note_delivery(self, sent: Outgoing, status: int) -> None:
        """``status`` of the answer, 0 for none. 2xx and 3xx count as delivered; nothing is ever sent again."""
        with self.change():
            hook = self.table("hooks", sent.project_id).get(str(sent.hook_id))
            if hook is None:
                return
            hook["log"] = [*hook["log"], {"trigger": sent.header, "status": status, "at": now()}][-MOST_LOGGED:]
            if 200 <= status < 400:
                hook |= {"failures": 0, "disabled_until": None}
                return
            hook["failures"] += 1
            if (over := hook["failures"] - FOR_A_WHILE_AFTER) >= 0:
                until = datetime.now(UTC) + min(FIRST_PAUSE * 2**over, LONGEST_PAUSE)
                hook["disabled_until"] = until.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alert_status(hook: dict[str, Any]) -> str:
    """``executable``, ``temporarily_disabled`` or ``disabled``, as GitLab's API says."""
    if hook["failures"] >= FOR_GOOD_AFTER:
        return "disabled"
    until = hook["disabled_until"]
    return "temporarily_disabled" if until and datetime.fromisoformat(until) > datetime.now(UTC) else "executable"


def _switches(events: dict[str, Any]) -> dict[str, bool]:
    if unknown := set(events) - set(EVENTS):
        raise TypeError(f"no such event: {', '.join(sorted(unknown))}")
    return {name: bool(value) for name, value in events.items() if value is not None}
