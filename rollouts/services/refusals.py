"""How a service says no: with every blocker at once."""

from __future__ import annotations

from collections.abc import Iterable

from ..rules.blockers import Blocker
from ..rules.words import joined


class Refused(Exception):
    """Nothing was changed; ``blockers`` say why, each with the place that clears it."""

    def __init__(self, blockers: Iterable[Blocker]) -> None:
        self.blockers = list(blockers)
        self.words = joined([blocker.message for blocker in self.blockers])
        super().__init__(self.words)

    @property
    def codes(self) -> set[str]:
        return {blocker.code for blocker in self.blockers}


def refuse_if(blockers: Iterable[Blocker]) -> None:
    """Raise ``Refused`` if there is any blocker."""
    found = list(blockers)
    if found:
        raise Refused(found)
