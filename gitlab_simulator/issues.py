"""Issues and notes of the simulated GitLab (doc/api/issues.md, doc/api/notes.md)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from gitlab_simulator import payloads, quick_actions
from gitlab_simulator.hooks import Hooks
from gitlab_simulator.store import Refused, now

# A task is a list item that begins with a box; [~] does not apply and is not counted.
TASK = re.compile(r"^(?P<lead>[ \t>]*(?:[-*+]|\d+[.)])[ \t]+)\[(?P<box>[ xX~])\](?=[ \t])", re.MULTILINE)
FIELDS = frozenset(
    "title description state labels assignees author confidential created_at updated_at closed_at due_date issue_type "
    "notes_count moved_to_id".split()
)


class Issues(Hooks):
    """Issues by project and number. ``hook_times_in_iso``: how hooks write their times, GitLab does both."""

    hook_times_in_iso = False

    def add_issue(
        self, project: str | int, title: str, iid: int | None = None, *, state: str = "opened", **fields: Any
    ) -> int:
        """Add an issue, return its iid. ``fields``: description, labels, assignees and author (user names, added when
        unknown), confidential, notes_count, due_date, issue_type, created_at, updated_at, closed_at, moved_to_id.
        """
        with self.change():
            project_id = int(self.project(project)["id"])
            issues = self.table("issues", project_id)
            number = self.next_id(f"issue of {project_id}") if iid is None else iid
            if str(number) in issues:
                raise Refused.message(409, "Duplicated issue")
            counters = self.document["counters"]
            counters[f"issue of {project_id}"] = max(counters.get(f"issue of {project_id}", 0), number)
            at = fields.get("created_at") or now()
            issues[str(number)] = {
                "id": self.next_id("issue"),
                "iid": number,
                "project_id": project_id,
                "title": title,
                "description": None,
                "state": "opened",
                "labels": [],
                "assignees": [],
                "author": "root",
                "confidential": False,
                "created_at": at,
                "updated_at": at,
                "closed_at": None,
                "closed_by": None,
                "due_date": None,
                "issue_type": "issue",
                "notes_count": 0,
                "moved_to_id": None,
                "notes": [],
            }
            if fields or state != "opened":
                self._set(project_id, number, "root", {"state": state, "updated_at": at, **fields})
            self._tell_issue(None, issues[str(number)], fields.get("author", "root"))
            return number

    def set_issue(self, project: str | int, iid: int, *, by: str = "root", **fields: Any) -> dict[str, Any]:
        """Change an issue, whatever it is about. ``updated_at`` moves unless given. Raises Refused 404."""
        with self.change():
            before = dict(self.issue(project, iid))
            issue = self._set(project, iid, by, fields)
            self._tell_issue(before, issue, by)
            return issue

    def _set(self, project: str | int, iid: int, by: str, fields: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(fields) - FIELDS:
            raise TypeError(f"an issue has no {', '.join(sorted(unknown))}")
        if fields.get("state", "opened") not in ("opened", "closed"):
            raise ValueError("state is opened or closed")
        with self.change():
            issue = self.issue(project, iid)
            for person in [*fields.get("assignees", ()), *([fields["author"]] if "author" in fields else [])]:
                self.add_user(person)
            at = fields.get("updated_at") or _after(issue)
            if fields.get("state", issue["state"]) != issue["state"]:
                closing = fields["state"] == "closed"
                issue |= {"closed_at": at if closing else None, "closed_by": by if closing else None}
                issue["notes"].append(self._note(issue, "closed" if closing else "reopened", by, at, system=True))
            for listed in ("labels", "assignees"):
                if listed in fields:
                    fields[listed] = list(dict.fromkeys(fields[listed]))
            issue |= fields | {"updated_at": at}
            self.table("issues", issue["project_id"])[str(iid)] = issue
            return issue

    def move_issue(self, project: str | int, iid: int, to: str | int) -> int:
        """Move an issue to another project: a new one there, the old one closed and pointing to it. The new iid."""
        with self.change():
            issue = self.issue(project, iid)
            kept = ("description", "labels", "assignees", "author", "confidential", "due_date", "issue_type")
            new = self.add_issue(to, issue["title"], **{name: issue[name] for name in kept})
            self.set_issue(project, iid, state="closed", moved_to_id=self.issue(to, new)["id"])
            return new

    def issue_by_id(self, id: int) -> dict[str, Any]:
        """An issue by its id within the instance. Raises Refused 404."""
        for issues in self.table("issues").values():
            for issue in issues.values():
                if issue["id"] == id:
                    found: dict[str, Any] = issue
                    return found
        raise Refused.message(404, "404 Not found")

    def _tell_issue(self, before: dict[str, Any] | None, after: dict[str, Any], by: str) -> None:
        is_secret = after["confidential"]
        event, header = (
            ("confidential_issues_events", "Confidential Issue Hook") if is_secret else ("issues_events", "Issue Hook")
        )
        project = self.project(after["project_id"])
        if self.table("hooks", project["id"]):
            payload = payloads.issue(project, self.user_named(by) or {}, before, after, iso=self.hook_times_in_iso)
            self.tell(project["id"], event, header, payload)

    def delete_issue(self, project: str | int, iid: int) -> None:
        with self.change():
            issue = self.issue(project, iid)
            del self.table("issues", issue["project_id"])[str(iid)]

    def add_note(
        self, project: str | int, iid: int, body: str, *, author: str = "root", internal: bool = False
    ) -> dict[str, Any]:
        """Comment on an issue."""
        with self.change():
            issue = self.issue(project, iid)
            self.add_user(author)
            note = self._note(issue, body, author, _after(issue), internal=internal)
            issue["notes"].append(note)
            issue["updated_at"] = note["created_at"]
            is_secret = issue["confidential"] or internal
            event, header = (
                ("confidential_note_events", "Confidential Note Hook") if is_secret else ("note_events", "Note Hook")
            )
            project_row = self.project(project)
            payload = payloads.note(project_row, self.user_named(author) or {}, issue, note, iso=self.hook_times_in_iso)
            self.tell(project_row["id"], event, header, payload)
            return note

    def obey(self, project: str | int, iid: int, text: str, by: str) -> tuple[str, dict[str, Any]]:
        """Run the commands in a text as ``by``: what is left of the text, and what they changed of the issue."""
        left, commands = quick_actions.extract(text)
        with self.change():
            made = quick_actions.changes(self.issue(project, iid), commands, self)
            if made:
                self.set_issue(project, iid, by=by, **made)
        return left, made

    def tick_task(self, project: str | int, iid: int, index: int, done: bool | None = None) -> None:
        """Tick, untick or (None) turn over the box of a task, counted from 0."""
        with self.change():
            description = self.issue(project, iid)["description"] or ""
            boxes = [found for found in TASK.finditer(description) if found["box"] != "~"]
            if not 0 <= index < len(boxes):
                raise Refused.message(404, "404 Task Not Found")
            box = boxes[index]
            tick = box["box"] == " " if done is None else done
            changed = description[: box.start("box")] + ("x" if tick else " ") + description[box.end("box") :]
            self.set_issue(project, iid, description=changed)

    def issue(self, project: str | int, iid: int | str) -> dict[str, Any]:
        """An issue by project and number. Raises Refused 404 as GitLab does."""
        found = self.table("issues", self.project(project)["id"]).get(str(iid))
        if found is None:
            raise Refused.message(404, "404 Not found")
        issue: dict[str, Any] = found
        return issue

    def issues_of(self, project: str | int) -> list[dict[str, Any]]:
        """All issues of a project, the oldest number first."""
        return [issue for _, issue in sorted(self.table("issues", self.project(project)["id"]).items(), key=_by_number)]

    def _note(
        self, issue: dict[str, Any], body: str, author: str, at: str, *, system: bool = False, internal: bool = False
    ) -> dict[str, Any]:
        return {
            "id": self.next_id("note"),
            "body": body,
            "author": author,
            "mentions": [] if system else quick_actions.mentions(body),
            "created_at": at,
            "updated_at": at,
            "system": system,
            "internal": internal,
        }


def tasks_of(issue: dict[str, Any]) -> list[tuple[bool, str]]:
    """The task list in an issue's description: done or not, and the words."""
    description = issue["description"] or ""
    return [
        (found["box"] in "xX", description[found.end() :].split("\n", 1)[0].strip())
        for found in TASK.finditer(description)
        if found["box"] != "~"
    ]


def notes_count(issue: dict[str, Any]) -> int:
    """Comments: those that the issue was made with, and those written since."""
    return int(issue["notes_count"]) + sum(not note["system"] for note in issue["notes"])


def _after(issue: dict[str, Any]) -> str:
    """Now, and later than the issue's last change: two changes of one issue never have the same time."""
    last = datetime.fromisoformat(issue["updated_at"]) + timedelta(milliseconds=1)
    return max(now(), last.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def _by_number(item: tuple[str, Any]) -> int:
    return int(item[0])
