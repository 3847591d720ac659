"""How a service says no: with every blocker at once."""

from __future__ import annotations

from collections.abc import Iterable

from ..audit.actor import Actor
from ..rules.blockers import WRITTEN, Blocker
from ..rules.machine import ROLE_WORDS, Role
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

    @property
    def status(self) -> int:
        """In HTTP: 403 where only the role is lacking, 412 where another plan was expected, 422 where only what was
        written is at fault, else 409.
        """
        if self.codes == {"plan_changed"}:
            return 412
        return 403 if self.codes == {"role"} else 422 if self.codes <= WRITTEN else 409


def overtaken() -> Refused:
    """What was read was written by somebody else since (``ChangedMeanwhile``)."""
    message = say("Somebody has changed it meanwhile, and nothing was written over that. Look at it again.")
    return Refused([Blocker("changed_meanwhile", message)])


def refuse_if(blockers: Iterable[Blocker]) -> None:
    """Raise ``Refused`` if there is any blocker."""
    found = list(blockers)
    if found:
        raise Refused(found)


def role_missing(by: Actor, role: Role, what: str) -> list[Blocker]:
    """The one blocker that says which role ``what`` takes, or none."""
    if by.person.has(role):
        return []
    message = say("{what} takes the role {role}; {by} has not got it.", what=what, role=ROLE_WORDS[role], by=by.name)
    return [Blocker("role", message)]


def in_evidence(evidence: str, most: int, besides: str = "") -> list[Blocker]:
    """Why such evidence is refused: it is limited, and what everybody reads later holds nobody's password."""
    blockers = []
    if len(evidence) > most:
        message = say("Evidence is limited to {most} characters: link to it.", most=most)
        blockers.append(Blocker("evidence_long", message))
    read = f"{evidence} {besides}"
    if without_userinfo(read) != read:
        message = say("An address in the evidence holds a user name or password. Leave out what stands before the @.")
        blockers.append(Blocker("evidence_secret", message))
    return blockers
