"""Quick actions and mentions of the simulated GitLab: lines of a text that are commands, and whom it names.

Sources: GitLab doc/user/project/quick_actions.md, lib/gitlab/quick_actions/extractor.rb (commands at the start of a
line, not in code, quotes of ``>>>`` and HTML blocks; every CR is dropped first). Newer versions look at top-level
paragraphs of the Markdown, whose lines may begin with up to three blanks: both are obeyed here, for tests must see what
either would do.
"""

from __future__ import annotations

import re
from typing import Any

from gitlab_simulator.directory import Directory

COMMANDS = (
    "close", "reopen", "open", "title", "assign", "unassign", "label", "labels", "unlabel", "relabel", "confidential",
    "due", "remove_due_date", "lock", "unlock", "move", "duplicate", "promote", "spend", "todo", "done", "subscribe",
)  # fmt: skip
_COMMAND = re.compile(rf"^[ ]{{0,3}}/(?P<name>{'|'.join(COMMANDS)})(?:[ ](?P<argument>.*))?$", re.IGNORECASE)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}|>>>$|<[^>!]+>$)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_CODE = re.compile(r"(`+).+?\1", re.DOTALL)
_MENTION = re.compile(r"(?<!\w)@([A-Za-z0-9_][A-Za-z0-9_./-]*)")
_LABEL = re.compile(r'~(?:"([^"]+)"|(\S+))')
_ENTITIES = re.compile(r"&#64;|&#x40;|&commat;", re.IGNORECASE)


def extract(text: str) -> tuple[str, list[tuple[str, str]]]:
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
            commands.append((found["name"].lower(), (found["argument"] or "").strip()))
            continue
        kept.append(line)
    return "\n".join(kept).rstrip(), commands


def mentions(text: str) -> list[str]:
    """Whom a text mentions: user names, paths of groups, ``all``. Not in code and comments."""
    shown = _ENTITIES.sub("@", _CODE.sub(" ", _COMMENT.sub(" ", text)))
    return list(dict.fromkeys(found.rstrip("./-") for found in _MENTION.findall(shown)))


def changes(issue: dict[str, Any], commands: list[tuple[str, str]], directory: Directory) -> dict[str, Any]:
    """What the commands make of an issue, as fields of it."""
    made: dict[str, Any] = {}
    for name, argument in commands:
        labels = made.get("labels", issue["labels"])
        named = [one or other for one, other in _LABEL.findall(argument)]
        people = [one for one in re.findall(r"@([\w.-]+)", argument) if directory.user_named(one)]
        assignees = made.get("assignees", issue["assignees"])
        match name:
            case "close" | "duplicate" | "move" | "promote":
                made["state"] = "closed"
            case "reopen" | "open":
                made["state"] = "opened"
            case "title" if argument:
                made["title"] = argument[:255]
            case "assign":
                made["assignees"] = [*assignees, *people]
            case "unassign":
                made["assignees"] = [one for one in assignees if people and one not in people]
            case "label" | "labels":
                made["labels"] = [*labels, *named]
            case "unlabel":
                made["labels"] = [one for one in labels if named and one not in named]
            case "relabel":
                made["labels"] = named
            case "confidential":
                made["confidential"] = True
    return made
