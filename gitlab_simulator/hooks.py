"""Project webhooks of the simulated GitLab: who wants to hear of what, and what there is to tell.

Sources: GitLab doc/user/project/integrations/webhook_events.md, app/models/concerns/web_hooks/auto_disabling.rb.
"""

from __future__ import annotations

import functools
import itertools
import queue
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gitlab_simulator.directory import Directory
from gitlab_simulator.store import Refused, as_written, now

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


@dataclass
class Post:
    """What may go wrong on the way, on purpose: each delivery sent twice, lost so often, held back for so long."""

    twice: bool = False
    lost: float = 0.0
    held: float = 0.0
    shuffled: bool = False


class Outbox(queue.PriorityQueue[tuple[float, int, Outgoing | None]]):
    """What has happened and was not sent yet, in its order or shuffled. None, before all else, stops a sender."""

    def __init__(self) -> None:
        super().__init__()
        self.post = Post()
        self._numbers = itertools.count()

    def add(self, sent: Outgoing | None) -> None:
        place = -1.0 if sent is None else random.random() if self.post.shuffled else 0.0
        self.put((place, next(self._numbers), sent))

    def take(self) -> Outgoing | None:
        """The next one, as soon as there is one. ``task_done()`` when it was sent."""
        return self.get()[2]

    def wait(self, seconds: float) -> None:
        """Until all is sent. TimeoutError where it takes longer."""
        with self.all_tasks_done:
            if not self.all_tasks_done.wait_for(lambda: not self.unfinished_tasks, seconds):
                raise TimeoutError(f"{self.unfinished_tasks} deliveries wait")


class Hooks(Directory):
    """Hooks by project; ``outgoing`` holds what has happened and was not sent yet. ``url``: where this GitLab is."""

    url = "http://gitlab.invalid"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.outgoing = Outbox()
        super().__init__(*args, **kwargs)

    def add_hook(
        self, project: str | int, url: str, *, token: str = "", signing_token: str = "", **events: bool
    ) -> int:
        """``events`` are switches of EVENTS; push events alone are on by default, as in GitLab."""
        with self.change():
            hook_id = self.next_id("hook")
            hook: dict[str, Any] = {
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
            self.put("hooks", hook_id, hook, within=self.project(project)["id"])
            return hook_id

    def set_hook(self, project: str | int, hook_id: int | str, **fields: Any) -> dict[str, Any]:
        with self.change():
            hook, given = self.hook(project, hook_id), {key: one for key, one in fields.items() if one is not None}
            kept = {
                key: given[key] for key in ("url", "token", "signing_token", "enable_ssl_verification") if key in given
            }
            changed = hook | kept | _switches({key: one for key, one in given.items() if key in EVENTS})
            self.put("hooks", hook_id, changed, within=self.project(project)["id"])
            return changed

    def hook(self, project: str | int, hook_id: int | str) -> dict[str, Any]:
        found = self.table("hooks", self.project(project)["id"]).get(str(hook_id))
        if found is None:
            raise Refused.message(404, "404 Not found")
        hook: dict[str, Any] = found
        return hook

    def delete_hook(self, project: str | int, hook_id: int | str) -> None:
        with self.change():
            self.hook(project, hook_id)
            self.drop("hooks", hook_id, within=self.project(project)["id"])

    def tell(self, project_id: int, event: str, header: str, payload: dict[str, Any]) -> None:
        """Something happened: each hook that asked for ``event`` will hear of it, unless it is switched off."""
        for hook in self.table("hooks", project_id).values():
            if hook[event] and alert_status(hook) == "executable":
                sent = Outgoing(project_id, hook["id"], header, payload)
                self.afterwards(functools.partial(self.outgoing.add, sent))

    def note_delivery(self, sent: Outgoing, status: int) -> None:
        """``status`` of the answer, 0 for none. 2xx and 3xx count as delivered; nothing is ever sent again."""
        with self.change():
            hook = self.table("hooks", sent.project_id).get(str(sent.hook_id))
            if hook is None:
                return
            log = [*hook["log"], {"trigger": sent.header, "status": status, "at": now()}][-MOST_LOGGED:]
            failures, until = (0, None) if 200 <= status < 400 else (hook["failures"] + 1, hook["disabled_until"])
            if (over := failures - FOR_A_WHILE_AFTER) >= 0:
                until = as_written(datetime.now(UTC) + min(FIRST_PAUSE * 2**over, LONGEST_PAUSE))
            changed = hook | {"log": log, "failures": failures, "disabled_until": until}
            self.put("hooks", sent.hook_id, changed, within=sent.project_id)


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
