"""What the door says to people: English text that remembers its template, so that it can be said in other languages.

The door knows neither translations nor the rest of the portal; ``sync/outcome.py`` makes the portal's own phrases of
this.
"""

from __future__ import annotations

from collections.abc import Mapping

Value = str | int


class GitLabPhrase(str):
    """An English text with its template and what was put into it; that may be ``GitLabPhrase`` again."""

    template: str
    given: Mapping[str, Value]

    def __new__(cls, template: str, given: Mapping[str, Value]) -> GitLabPhrase:
        words = super().__new__(cls, template.format_map(given))
        words.template, words.given = template, given
        return words

    def __getnewargs__(self) -> tuple[str, Mapping[str, Value]]:  # type: ignore[override]  # str has one argument
        return self.template, self.given


def worded(template: str, /, **given: Value) -> GitLabPhrase:
    """``worded("GitLab at {host} is slow.", host=…)``: what GitLab itself said is given, never in the template."""
    return GitLabPhrase(template, given)
