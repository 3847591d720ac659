"""Issues and notes of the simulated GitLab (doc/api/issues.md, doc/api/notes.md)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from gitlab_simulator import payloads, quick_actions
from gitlab_simulator.hooks import Hooks
from gitlab_simulator.store import Refused, as_written, now

# A task is a list item that begins with a box; [~] does not apply and is not counted.
TASK = re.compile(r"^(?P<lead>[ \t>]*(?:[-*+]|\d+[.)])[ \t]+)\[(?P<box>[ xX~])\](?=[ \t])", re.MULTILINE)
FIELDS = frozenset(
    "title description state labels assignees author confidential created_at updated_at closed_at due_date issue_type "
    "discussion_locked notes_count moved_to_id".split()
)


class Issues(Hooks):
    """Issues by project and number. ``hook_times``: how hooks write their times, see payloads.Times."""

    hook_times = payloads.Times.AS_DOCUMENTED

    def add_issue(
        self, project: str | int, title: str, iid: int | None = None, *, state: str = "opened", **fields: Any
    ) -> int:
        """Add an issue, return its iid. ``fields``: description, labels, assignees and author (user names, added when
        unknown), confidential, notes_count, due_date, issue_type, created_at, updated_at, closed_at, moved_to_id.
        """
        with self.change():
            project_id = int(self.project(project)["id"])
            counter = f"issue of {project_id}"
            number = self.next_id(counter) if iid is None else iid
            if str(number) in self.table("issues", project_id):
                raise Refused.message(409, "Duplicated issue")
            self.put("counters", counter, max(self.table("counters").get(counter, 0), number))
            at = fields.get("created_at") or now()
            row: dict[str, Any] = {
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
                "discussion_locked": None,
                "issue_type": "issue",
                "notes_count": 0,
                "moved_to_id": None,
                "notes": [],
            }
            self.put("issues", number, row, within=project_id)
            if fields or state != "opened":
                row = self._set(project_id, number, "root", {"state": state, "updated_at": at, **fields})
            self._tell_issue(None, row, fields.get("author", "root"))
            return number

    def set_issue(self, project: str | int, iid: int, *, by: str = "root", **fields: Any) -> dict[str, Any]:
        """Change an issue, whatever it is about. ``updated_at`` moves unless given. Raises Refused 404."""
        with self.change():
            before = self.issue(project, iid)
            issue = self._set(project, iid, by, fields)
            self._tell_issue(before, issue, by)
            return issue

    def _set(self, project: str | int, iid: int, by: str, fields: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(fields) - FIELDS:
            raise TypeError(f"an issue has no {', '.join(sorted(unknown))}")
        if fields.get("state", "opened") not in ("opened", "closed"):
            raise ValueError("state is opened or closed")
        with self.change():
            issue = dict(self.issue(project, iid))
            for person in [*fields.get("assignees", ()), *([fields["author"]] if "author" in fields else [])]:
                self.add_user(person)
            at = fields.get("updated_at") or _after(issue)
            if fields.get("state", issue["state"]) != issue["state"]:
                closing = fields["state"] == "closed"
                issue |= {"closed_at": at if closing else None, "closed_by": by if closing else None}
                note = self._note(issue, "closed" if closing else "reopened", by, at, system=True)
                issue["notes"] = [*issue["notes"], note]
            lists = {name: list(dict.fromkeys(fields[name])) for name in ("labels", "assignees") if name in fields}
            issue |= fields | lists | {"updated_at": at}
            self.put("issues", iid, issue, within=issue["project_id"])
            return issue

    def move_issue(self, project: str | int, iid: int, to: str | int, *, by: str = "root") -> int:
        """Move an issue to another project: a new one there, the old one closed and pointing to it. The new iid."""
        with self.change():
            new = self.clone_issue(project, iid, to)
            self.set_issue(project, iid, by=by, state="closed", moved_to_id=self.issue(to, new)["id"])
            return new

    def clone_issue(self, project: str | int, iid: int, to: str | int) -> int:
        """The same issue once more, in that project and without its comments. Its iid."""
        issue = self.issue(project, iid)
        kept = ("description", "labels", "assignees", "author", "confidential", "due_date", "issue_type")
        return self.add_issue(to, issue["title"], **{name: issue[name] for name in kept})

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
        if self.table("hooks", after["project_id"]):
            payload = payloads.issue(self._told(after, by), before, self.hook_times)
            self.tell(after["project_id"], event, header, payload)

    def _told(self, issue: dict[str, Any], by: str) -> payloads.Told:
        people = {name: self.user_named(name) or {} for name in (by, issue["author"], *issue["assignees"])}
        return payloads.Told(self.url, self.project(issue["project_id"]), issue, people[by], people)

    def delete_issue(self, project: str | int, iid: int) -> None:
        with self.change():
            self.drop("issues", iid, within=self.issue(project, iid)["project_id"])

    def add_note(
        self, project: str | int, iid: int, body: str, *, author: str = "root", internal: bool = False
    ) -> dict[str, Any]:
        """Comment on an issue."""
        with self.change():
            issue = self.issue(project, iid)
            self.add_user(author)
            note = self._note(issue, body, author, _after(issue), internal=internal)
            issue = issue | {"notes": [*issue["notes"], note], "updated_at": note["created_at"]}
            self.put("issues", iid, issue, within=issue["project_id"])
            is_secret = issue["confidential"] or internal
            event, header = (
                ("confidential_note_events", "Confidential Note Hook") if is_secret else ("note_events", "Note Hook")
            )
            payload = payloads.note(self._told(issue, author), note)
            self.tell(issue["project_id"], event, header, payload)
            return note

    def react(self, project: str | int, iid: int, name: str, *, by: str = "root", note: int | None = None) -> int:
        """Award an emoji to an issue, or to a comment of it by its id; its number. Raises Refused as GitLab does."""
        with self.change():
            issue = dict(self.issue(project, iid))
            self.add_user(by)
            number = self.next_id("award")
            award = {"id": number, "name": name, "user": by, "created_at": now()}
            if note is None:
                about, issue["awards"] = issue, [*awards_of(issue, by, name), award]
            else:
                about = dict(note_of(issue, note))
                about["awards"] = [*awards_of(about, by, name), award]
                issue["notes"] = [about if one["id"] == note else one for one in issue["notes"]]
            self.put("issues", iid, issue, within=issue["project_id"])
            return int(number)

    def obey(
        self, project: str | int, iid: int, text: str, by: str, *, allowed: bool = True, new: bool = False
    ) -> tuple[str, quick_actions.Effect]:
        """Run the commands in a text of ``by``: what is left of the text, and what they made of the issue.

        Of who is not ``allowed`` to change it, and for what a ``new`` issue's own description can't do, nothing.
        """
        left, commands = quick_actions.extract(text)
        commands = [one for one in commands if allowed and (not new or one[0] in quick_actions.OF_NEW_ISSUES)]
        with self.change():
            made = quick_actions.effect(self.issue(project, iid), commands, self, by)
            if made.fields:
                self.set_issue(project, iid, by=by, **made.fields)
            if made.clone_to is not None:
                self.clone_issue(project, iid, made.clone_to)
            if made.move_to is not None:
                self.move_issue(project, iid, made.move_to, by=by)
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
        found = self.found_issue(self.project(project)["id"], iid)
        if found is None:
            raise Refused.message(404, "404 Not found")
        return found

    def found_issue(self, project: str | int, iid: int | str) -> dict[str, Any] | None:
        """An issue by project and number, None where there is none."""
        known = self.project_at(project)
        issue: dict[str, Any] | None = self.table("issues", known["id"]).get(str(iid)) if known else None
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


def note_of(issue: dict[str, Any], number: int) -> dict[str, Any]:
    """A comment of an issue by its id. Raises Refused 404."""
    for note in issue["notes"]:
        if note["id"] == number:
            found: dict[str, Any] = note
            return found
    raise Refused.message(404, "404 Not found")


def awards_of(about: dict[str, Any], by: str = "", name: str = "") -> list[dict[str, Any]]:
    """The emoji of an issue or a comment. Raises Refused 404 where ``by`` has given it this one already."""
    awards: list[dict[str, Any]] = about.get("awards", [])
    if by and any((one["user"], one["name"]) == (by, name) for one in awards):
        raise Refused.message(404, "404 Award Emoji Name has already been taken Not Found")
    return awards


def notes_count(issue: dict[str, Any]) -> int:
    """Comments: those that the issue was made with, and those written since."""
    return int(issue["notes_count"]) + sum(not note["system"] for note in issue["notes"])


def _after(issue: dict[str, Any]) -> str:
    """Now, and later than the issue's last change: two changes of one issue never have the same time."""
    last = datetime.fromisoformat(issue["updated_at"]) + timedelta(milliseconds=1)
    return max(now(), as_written(last))


def _by_number(item: tuple[str, Any]) -> int:
    return int(item[0])
