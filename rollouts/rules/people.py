"""A person as the rules see one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .blockers import Blocker
from .machine import Role
from .phrases import listed, say


@dataclass(frozen=True, slots=True)
class Person:
    """Who wants to do something: ``identity`` tells people apart (four eyes), ``name`` is shown.

    ``groups`` are all groups that the person is in: an approval policy may name one besides the roles.
    ``hand`` is who types the command that names the person, so that nobody is two people; empty everywhere else.
    ``is_the_ramp``: nobody at all, but a step that would begin by itself.
    ``touched_by``: who set the password, roles or tokens of this person's account since its owner last proved to be
    in it (names); what these asked for or wrote the person can't approve.
    ``spoken_by``: who made the token that speaks in this person's name, where that was somebody else.
    """

    identity: str
    name: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    is_the_ramp: bool = False
    touched_by: Collection[str] = frozenset()
    spoken_by: str = ""
    hand: str = ""

    def has(self, role: Role) -> bool:
        """An admin has every role; everybody may read."""
        return role is Role.VIEWER or role in self.roles or Role.ADMIN in self.roles

    def own_voice(self) -> list[Blocker]:
        """Who decides does it themselves: a token that somebody else made says nothing of what its person thinks."""
        if not self.spoken_by:
            return []
        words = say(
            "This token was made by {who} and not by {name}: it approves, rejects and reviews nothing. {name} makes "
            "one on the page «Your account».",
            who=self.spoken_by,
            name=self.name,
        )
        return [Blocker("token_of_another", words)]

    def hands_of(self, others: Iterable[str]) -> list[Blocker]:
        """Whether one of these people could be behind this account: four eyes then are two."""
        hands = sorted(set(others).intersection(self.touched_by))
        if not hands:
            return []
        words = say(
            "{hands} set the password, a role or a token of {name}: that approves nothing of {hands} until {name} has "
            "signed in anew, by a password of their own or the identity provider.",
            hands=listed(hands),
            name=self.name,
        )
        return [Blocker("account_touched", words)]


#: Who may all and is nobody: to ask what stands in the way whoever presses.
ANYBODY = Person("", "", frozenset({Role.ADMIN}))
