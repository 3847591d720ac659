"""How a service says no: with every blocker at once."""

from __future__ import annotations

from collections.abc import Iterable

from ..rules.blockers import Blocker
from ..rules.names import without_userinfo
from ..rules.phrases import joined, say


class Refused(Exception):
    """Nothing was changed; ``blockers`` say why, each with the place that clears it."""

    def __init__(self, blockers: Iterable[Blocker]) -> None:
        self.blockers = list(blockers)
        self.words = joined([blocker.message for blocker in self.blockers])
        super().__init__(self.words)

    @property
    def codes(self) -> set[str]:
        return {blocker.code for blocker in self.blockers}

    def status(self, otherwise: int = 409) -> int:
        """As HTTP says it: 403 where only the role is lacking; 409, or 422 where what was written is at fault."""
        return 403 if self.codes == {"role"} else otherwise


def overtaken() -> Refused:
    """What was read was written by somebody else since (``ChangedMeanwhile``)."""
    message = say("Somebody has changed it meanwhile, and nothing was written over that. Look at it again.")
    return Refused([Blocker("changed_meanwhile", message)])


def refuse_if(blockers: Iterable[Blocker]) -> None:
    """Raise ``Refused`` if there is any blocker."""
    found = list(blockers)
    if found:
        raise Refused(found)


def in_evidence(evidence: str) -> list[Blocker]:
    """What everybody reads later holds nobody's password: why such evidence is refused."""
    if without_userinfo(evidence) == evidence:
        return []
    message = say("An address in the evidence holds a user name or password. Leave out what stands before the @.")
    return [Blocker("evidence_secret", message)]
