"""Quick actions and mentions of the simulated GitLab: lines of a text that are commands, and whom it names.

Sources: GitLab doc/user/project/quick_actions.md, lib/gitlab/quick_actions/ (extractor.rb: commands at the start of a
line, not in code, quotes of ``>>>`` and HTML blocks; every CR is dropped first; issue_actions.rb and its neighbours for
what each one wants and does). Newer versions look at top-level paragraphs of the Markdown, whose lines may begin with
up to three blanks: both are obeyed here, for tests must see what either would do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

# All that GitLab takes out of an issue's text. Those that ``effect`` does not know change nothing here.
COMMANDS = """
    add_child add_contacts add_email assign award blocked_by blocks board_move checkin_reminder child_of
    clear_health_status clear_weight clone close confidential convert_to_ticket copy_metadata create_merge_request
    done due duplicate epic estimate estimate_time health_status invite_email iteration label labels link lock
    milestone move page parent promote promote_to promote_to_incident publish react reassign relabel relate
    remove_child remove_contacts remove_due_date remove_email remove_epic remove_estimate remove_iteration
    remove_label remove_link remove_milestone remove_parent remove_time_estimate remove_time_spent remove_zoom
    reopen set_parent severity spend spend_time spent status subscribe timeline title todo type unassign unlabel
    unlink unlock unsubscribe weight zoom
""".split()
SUBSTITUTIONS = {"shrug": "¯\\＿(ツ)＿/¯", "tableflip": "(╯°□°)╯︵ ┻━┻"}
# A new issue is not closed, moved or called otherwise by its own description (``quick_action_target.persisted?``).
OF_NEW_ISSUES = {"assign", "confidential", "copy_metadata", "due", "label", "labels", "promote_to_incident", "type"}
TYPES = ("issue", "incident", "test_case", "requirement", "task", "ticket")
_NAMES = "|".join([*COMMANDS, *SUBSTITUTIONS])
_COMMAND = re.compile(rf"^[ ]{{0,3}}/(?P<name>{_NAMES})(?:[ ](?P<argument>.*))?$", re.IGNORECASE)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}|>>>$|<[^>!]+>$)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_CODE = re.compile(r"(`+).+?\1", re.DOTALL)
_MENTION = re.compile(r"(?<!\w)@([A-Za-z0-9_][A-Za-z0-9_./-]*)")
_LABEL = re.compile(r'~(?:"([^"]+)"|(\S+))')
_REFERENCE = re.compile(r"(?:(?P<project>[\w./-]+))?#(?P<iid>\d+)")
_ENTITIES = re.compile(r"&#64;|&#x40;|&commat;", re.IGNORECASE)
_IN_A_WHILE = re.compile(r"(?:in )?(?P<number>\d{1,3}) (?P<unit>day|week|month)s?", re.IGNORECASE)
_DAYS = {"today": 0, "tomorrow": 1, "day": 1, "week": 7, "month": 30}

Command = tuple[str, str]


class Names(Protocol):
    """What commands look up."""

    def user_named(self, username: str) -> dict[str, Any] | None: ...
    def project_at(self, reference: str | int) -> dict[str, Any] | None: ...
    def found_issue(self, project: str | int, iid: int) -> dict[str, Any] | None: ...


@dataclass
class Effect:
    """``fields`` of the issue as they shall be, ``summary`` in GitLab's words, and the projects to go to."""

    fields: dict[str, Any] = field(default_factory=dict)
    summary: list[str] = field(default_factory=list)
    move_to: int | None = None
    clone_to: int | None = None

    def set(self, summary: str, **fields: Any) -> None:
        self.fields |= fields
        self.summary.append(summary)


def extract(text: str) -> tuple[str, list[Command]]:
    """The text without its commands, and these in order: name and argument."""
    kept, commands, closing = [], [], ""
    for line in text.replace("\r", "").split("\n"):
        opened = _FENCE.match(line)
        if closing:
            if line.strip().startswith(closing):
                closing = ""
        elif opened:
            mark = opened[1]
            closing = f"</{mark[1:-1].split()[0]}>" if mark.startswith("<") else mark
        elif found := _COMMAND.match(line):
            name, argument = found["name"].lower(), (found["argument"] or "").strip()
            commands.append((name, argument))
            if name not in SUBSTITUTIONS:
                continue
            line = SUBSTITUTIONS[name] + argument
        kept.append(line)
    return "\n".join(kept).rstrip(), commands


def mentions(text: str) -> list[str]:
    """Whom a text mentions: user names, paths of groups, ``all``. Not in code and comments."""
    shown = _ENTITIES.sub("@", _CODE.sub(" ", _COMMENT.sub(" ", text)))
    return list(dict.fromkeys(found.rstrip("./-") for found in _MENTION.findall(shown)))


def effect(issue: dict[str, Any], commands: list[Command], names: Names, by: str) -> Effect:
    """What the commands of ``by`` make of an issue. One whose condition does not hold does nothing."""
    made = Effect()
    for name, argument in commands:
        now = issue | made.fields
        labels = [one or other for one, other in _LABEL.findall(argument)]
        people = _people(argument, names, by)
        match name:
            case "close" if now["state"] == "opened":
                made.set("Closed this issue.", state="closed")
            case "promote" if now["state"] == "opened":
                made.set("Promoted issue to an epic.", state="closed")
            case "reopen" if now["state"] == "closed":
                made.set("Reopened this issue.", state="opened")
            case "title" if argument:
                made.set(f'Changed the title to "{argument}".', title=argument[:255])
            case "assign" if people:
                made.set(f"Assigned {_at(people)}.", assignees=[*now["assignees"], *people])
            case "reassign" if people:
                made.set(f"Changed assignees to {_at(people)}.", assignees=people)
            case "unassign" if now["assignees"]:
                kept = [one for one in now["assignees"] if people and one not in people]
                made.set(f"Removed assignees {_at(people or now['assignees'])}.", assignees=kept)
            case "label" | "labels" if labels:
                made.set(f"Added {_tilde(labels)}.", labels=[*now["labels"], *labels])
            case "unlabel" | "remove_label" if now["labels"]:
                kept = [one for one in now["labels"] if labels and one not in labels]
                made.set(f"Removed {_tilde(labels) or 'all labels'}.", labels=kept)
            case "relabel" if labels and now["labels"]:
                made.set(f"Replaced all labels with {_tilde(labels)}.", labels=labels)
            case "confidential" if not now["confidential"]:
                made.set("Made this issue confidential.", confidential=True)
            case "due" if due := _due(argument):
                made.set(f"Set the due date to {due:%b %-d, %Y}.", due_date=due.isoformat())
            case "remove_due_date" if now["due_date"]:
                made.set("Removed the due date.", due_date=None)
            case "lock" | "unlock" if bool(now.get("discussion_locked")) != (name == "lock"):
                made.set(f"{name.capitalize()}ed the discussion.", discussion_locked=name == "lock")
            case "type" if (wanted := argument.lower().replace(" ", "_")) in TYPES:
                made.set("Type changed successfully.", issue_type=wanted)
            case "promote_to_incident" if now["issue_type"] != "incident":
                made.set("Issue has been promoted to incident", issue_type="incident")
            case "duplicate" if (other := _issue(argument, issue, names)) and other["id"] != issue["id"]:
                made.set(f"Closed this issue. Marked as related to, and a duplicate of, {argument}.", state="closed")
            case "copy_metadata" if other := _issue(argument, issue, names):
                made.set(f"Copied labels and milestone from {argument}.", labels=[*now["labels"], *other["labels"]])
            case "move" if project := names.project_at(argument):
                made.move_to = project["id"]
                made.summary.append(f"Moved this item to {argument}.")
            case "clone" if project := names.project_at(argument or issue["project_id"]):
                made.clone_to = project["id"]
                made.summary.append(f"Cloned this item to {project['path_with_namespace']}.")
    return made


def _people(argument: str, names: Names, by: str) -> list[str]:
    found = [by if one == "me" else one for one in re.findall(r"@?([\w.-]+)", argument)]
    known = [names.user_named(one) for one in found]
    return list(dict.fromkeys(user["username"] for user in known if user))


def _issue(argument: str, issue: dict[str, Any], names: Names) -> dict[str, Any] | None:
    found = _REFERENCE.fullmatch(argument)
    return names.found_issue(found["project"] or issue["project_id"], int(found["iid"])) if found else None


def _due(argument: str) -> date | None:
    """GitLab reads much more of English."""
    today = datetime.now(UTC).date()
    if argument.lower() in ("today", "tomorrow"):
        return today + timedelta(days=_DAYS[argument.lower()])
    if found := _IN_A_WHILE.fullmatch(argument):
        return today + timedelta(days=int(found["number"]) * _DAYS[found["unit"].lower()])
    try:
        return date.fromisoformat(argument)
    except ValueError:
        return None


def _at(people: list[str]) -> str:
    return ", ".join(f"@{one}" for one in people)


def _tilde(labels: list[str]) -> str:
    return " ".join(f'~"{one}"' if " " in one else f"~{one}" for one in labels)
