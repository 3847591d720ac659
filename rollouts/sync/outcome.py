"""What one pass found: counted while it runs, shown on the sync page and in the JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Problem:
    """Something that could not be read: where (``flags``, ``group/app``), which kind (``models.Outcome``), in words."""

    scope: str
    kind: str
    words: str


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
    """One instance's pass. ``error`` is None when everything was read."""

    name: str
    calls: int = 0
    seconds: float = 0.0
    flags: FlagCount = field(default_factory=FlagCount)
    issues: IssueCount = field(default_factory=IssueCount)
    problems: list[Problem] = field(default_factory=list)

    @property
    def error(self) -> str | None:
        return " ".join(f"{problem.scope}: {problem.words}" for problem in self.problems) or None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 3), "error": self.error}
