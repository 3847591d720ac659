"""A comment, and the emoji that people gave, as they come out of the door. See records.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollouts.gitlab import fields

#: Characters of a comment that are kept: who wants more follows the link.
MOST_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """One item of ``GET /projects/:id/issues/:iid/notes`` (GitLab doc/api/notes.md).

    ``is_internal``: only members of the project see it. What GitLab itself noted is ``is_system``.
    """

    id: int
    body: str
    author: str
    created_at: datetime | None
    is_internal: bool
    is_system: bool

    @classmethod
    def from_gitlab(cls, raw: Any) -> NoteRecord:
        """Read one comment. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "note")
        person = raw.get("author")
        author = fields.within("author", fields.text, fields.as_object(person, "author"), "username") if person else ""
        is_internal = fields.boolean(raw, "internal") or fields.boolean(raw, "confidential")
        return cls(
            id=fields.required_number(raw, "id"),
            body=fields.text(raw, "body", limit=MOST_KEPT),
            author=str(author),
            created_at=fields.moment(raw, "created_at"),
            is_internal=bool(is_internal),
            is_system=bool(fields.boolean(raw, "system")),
        )


def emoji_from_gitlab(raw: Any) -> str:
    """The name of one item of ``GET …/award_emoji`` (doc/api/emoji_reactions.md): thumbsup. Raises BadAnswer."""
    return str(fields.required_text(fields.as_object(raw, "award_emoji"), "name", limit=fields.NAME))
