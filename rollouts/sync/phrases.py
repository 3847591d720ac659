"""What the door to GitLab said, as the portal's own phrase: English in logs, the reader's language on pages."""

from __future__ import annotations

from ..gitlab import GitLabProblem
from ..gitlab.phrases import GitLabPhrase
from ..rules.phrases import say


def phrase_of(problem: GitLabProblem | str) -> str:
    """The words of a problem, with what was put into them; a text that is no template of the door stays as it is."""
    text = problem.words if isinstance(problem, GitLabProblem) else problem
    if not isinstance(text, GitLabPhrase):
        return text
    return say(
        text.template,
        **{name: phrase_of(value) if isinstance(value, str) else value for name, value in text.given.items()},
    )
