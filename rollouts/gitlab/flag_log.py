"""What ChatOps logs of a flag: an issue for each change, closed at once.

Source: ``lib/chatops/commands/feature.rb`` of gitlab-com/chatops; GitLab doc/development/feature_flags/controls.md,
"ChatOps level". The title names flag and value, the labels the host; the description lists who, when and for whom.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rollouts.gitlab import fields
from rollouts.gitlab.issue_record import IssueRecord

TITLE = re.compile(r'Feature flag "([a-z0-9_]+)" has been (?:set to "([\w.]{1,20})"|deleted)', re.ASCII)
CHANGED_BY = re.compile(r"^\* Changed by: \[`@([\w.-]{1,255})`\]", re.ASCII | re.MULTILINE)
CHANGED_ON = re.compile(r"^\* Changed on \(in UTC\): `([0-9TZ:+.-]{10,40})`", re.ASCII | re.MULTILINE)
BY_ACTORS = re.compile(r"^\* Percentage of actors: `true`", re.MULTILINE)
#: The row below the table's head: user, project, group, namespace, each as Ruby shows a text.
SCOPES = re.compile(r'^\| `(?:nil|"[\w./-]*")`(?: +\| `(?:nil|"[\w./-]*")`){3} +\|', re.ASCII | re.MULTILINE)
SCOPE = re.compile(r'`(?:nil|"([\w./-]*)")`', re.ASCII)
OPTIONS = ("user", "project", "group", "namespace")


@dataclass(frozen=True, slots=True)
class FlagChange:
    """One change of a flag as it was logged; ``by`` is a user name, ``command`` what they typed after ``/chatops``."""

    flag: str
    by: str
    at: datetime
    command: str
    host: str
    url: str

    @classmethod
    def from_gitlab(cls, raw: Any) -> FlagChange | None:
        """Read one issue; None where it is no such log, or does not say who and when. Raises BadAnswer."""
        issue = IssueRecord.from_gitlab(raw)
        description = fields.text(fields.as_object(raw, "issue"), "description")
        title, by = TITLE.fullmatch(issue.title), CHANGED_BY.search(description)
        at = _at(description) or issue.created_at
        if title is None or by is None or at is None:
            return None
        host = next((label.removeprefix("host::") for label in issue.labels if label.startswith("host::")), "")
        return cls(title[1], by[1], at, _command(title[1], title[2], description), host, issue.web_url)


def _at(description: str) -> datetime | None:
    found = CHANGED_ON.search(description)
    try:
        read = datetime.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
    return read.astimezone(UTC) if read is not None and read.tzinfo else None


def _command(flag: str, value: str | None, description: str) -> str:
    if value is None:
        return f"feature delete {flag}"
    words = [f"feature set {flag} {value}"]
    if BY_ACTORS.search(description):
        words.append("--actors")
    if row := SCOPES.search(description):
        names = SCOPE.findall(row[0])
        words += [f"--{option}={name}" for option, name in zip(OPTIONS, names, strict=True) if name]
    return " ".join(words)
