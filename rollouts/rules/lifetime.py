"""How old a flag is against what its type may reach, and what its definition owes.

Source: GitLab doc/development/feature_flags/_index.md (DESIGN section 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from .health import LIFETIME_MONTHS, overdue_since, release_day

#: Types whose flags are rolled out: GitLab wants a rollout issue for them.
ROLLED_OUT = ("gitlab_com_derisk", "beta", "experiment")
#: Types that must not be on by default.
NEVER_ON_BY_DEFAULT = frozenset({"gitlab_com_derisk", "wip", "experiment", "worker"})


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Whole months since the release that brought the flag, and how many its type may live (None: no limit)."""

    type: str
    months: int
    limit: int | None
    overdue_since: date | None

    @property
    def is_overdue(self) -> bool:
        return self.overdue_since is not None

    @property
    def is_reviewed(self) -> bool:
        """``ops`` flags may live, but are to be looked at once a year."""
        return self.type == "ops"


def lifetime(flag_type: str, milestone: str, now: datetime) -> Lifetime | None:
    """None where the definition names no release, or one that is still to come."""
    born = release_day(milestone)
    if born is None or born > now:
        return None
    months = (now.year - born.year) * 12 + now.month - born.month - (now.day < born.day)
    return Lifetime(flag_type, months, LIFETIME_MONTHS.get(flag_type), overdue_since(flag_type, born, now))


def overdue_milestones(pairs: Iterable[tuple[str, str]], now: datetime) -> dict[str, list[str]]:
    """Of these pairs of type and release: the releases, by type, whose flags have outlived it."""
    milestones: dict[str, list[str]] = {}
    for flag_type, milestone in pairs:
        lived = lifetime(flag_type, milestone, now)
        if lived and lived.is_overdue:
            milestones.setdefault(flag_type, []).append(milestone)
    return milestones
