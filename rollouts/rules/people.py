"""A person as the rules see one."""

from __future__ import annotations

from dataclasses import dataclass

from .machine import Role


@dataclass(frozen=True, slots=True)
class Person:
    """Who wants to do something: ``identity`` tells people apart (four eyes), ``name`` is shown.

    ``groups`` are all groups that the person is in: an approval policy may name one besides the roles.
    ``is_the_ramp``: nobody at all, but a step that would begin by itself.
    """

    identity: str
    name: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    is_the_ramp: bool = False

    def has(self, role: Role) -> bool:
        """An admin has every role; everybody may read."""
        return role is Role.VIEWER or role in self.roles or Role.ADMIN in self.roles


#: Who may all and is nobody: to ask what stands in the way whoever presses.
ANYBODY = Person("", "", frozenset({Role.ADMIN}))
