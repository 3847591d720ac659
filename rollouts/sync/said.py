"""What the door to GitLab said, as the portal's own phrase: English in logs, the reader's language on pages."""

from __future__ import annotations

from ..gitlab import GitLabProblem
from ..gitlab.words import Words
from ..rules.words import say


def said(told: GitLabProblem | str) -> str:
    """The words of a problem, with what was put into them; a text that is no template of the door stays as it is."""
    text = told.words if isinstance(told, GitLabProblem) else told
    if not isinstance(text, Words):
        return text
    return say(
        text.template, **{name: said(value) if isinstance(value, str) else value for name, value in text.given.items()}
    )
