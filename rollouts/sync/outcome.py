"""What one pass found: counted while it runs, shown on the sync page and in the JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..gitlab import GitLabProblem
from ..gitlab.phrases import GitLabPhrase
from ..rules.phrases import say


@dataclass(slots=True)
class Problem:
    """Something that could not be read: where (``flags``, ``group/app``), which kind (``models.Outcome``), in words."""

    scope: str
    kind: str
    words: str

    @classmethod
    def of(cls, scope: str, problem: GitLabProblem) -> Problem:
        return cls(scope, problem.kind, phrase_of(problem))


@dataclass(slots=True)
class FlagCount:
    seen: int = 0
    changed: int = 0
    missing: int = 0


@dataclass(slots=True)
class IssueCount:
    tracked: int = 0
    changed: int = 0
    missing: int = 0


@dataclass(slots=True)
class Report:
    """One instance's pass, or what one worker read of it. ``error`` is None when everything was read."""

    name: str
    calls: int = 0
    seconds: float = 0.0
    flags: FlagCount = field(default_factory=FlagCount)
    issues: IssueCount = field(default_factory=IssueCount)
    problems: list[Problem] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Count another part of the same pass in; seconds are the whole pass's own."""
        self.calls += other.calls
        for mine, its in ((self.flags, other.flags), (self.issues, other.issues)):
            for each in fields(its):
                setattr(mine, each.name, getattr(mine, each.name) + getattr(its, each.name))
        self.problems += [problem for problem in other.problems if problem not in self.problems]

    @property
    def error(self) -> str | None:
        return " ".join(f"{problem.scope}: {problem.words}" for problem in self.problems) or None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 3), "error": self.error}


def phrase_of(problem: GitLabProblem | str) -> str:
    """The words of a problem, with what was put into them; a text that is no template of the door stays as it is."""
    text = problem.words if isinstance(problem, GitLabProblem) else problem
    if not isinstance(text, GitLabPhrase):
        return text
    return say(
        text.template,
        **{name: phrase_of(value) if isinstance(value, str) else value for name, value in text.given.items()},
    )
