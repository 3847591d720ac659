"""Who does something: a person, the operating system's user, a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.utils.functional import SimpleLazyObject

from ..models import AuditEvent, absences, accounts, roles
from ..rules.machine import Role
from ..rules.people import Person
from . import source

Kind = AuditEvent.ActorKind


@dataclass(frozen=True, slots=True)
class Actor:
    """``name`` is what history keeps and what four eyes tell people apart by.

    ``spoken_by`` is who made the token that speaks, where it was not its person.
    """

    kind: str
    name: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    user: Any = None
    spoken_by: str = ""

    @classmethod
    def of(cls, user: Any) -> Actor:
        """A signed-in person with the roles of their groups."""
        return cls(Kind.PERSON, user.get_username(), roles.of(user), roles.groups_of(user), user)

    @classmethod
    def job(cls, name: str) -> Actor:
        """A periodic job: it reads and reconciles, it has no role. Its name is in ``user_names.JOBS``."""
        return cls(Kind.JOB, name, frozenset())

    @classmethod
    def ramp(cls) -> Actor:
        """The job that takes the steps which are set to advance by themselves: a manager's hand, nothing more."""
        return cls(Kind.JOB, "ramp", frozenset({Role.MANAGER}))

    @classmethod
    def metrics(cls) -> Actor:
        """The job that pauses and rolls back where a guard metric asks for it, and nothing more."""
        return cls(Kind.JOB, "metrics", frozenset({Role.MANAGER}))

    @classmethod
    def system_user(cls) -> Actor:
        """Who runs ``manage.py``: owns the database anyway, so an admin; recorded as such."""
        return cls(Kind.SYSTEM_USER, source.system_name(source.os_user()), frozenset({Role.ADMIN}))

    @property
    def names(self) -> tuple[str, ...]:
        """Who has a hand in what the actor does now: the actor, and who typed the command that names them."""
        return tuple(dict.fromkeys(filter(None, (self.name, source.hand()))))

    @property
    def person(self) -> Person:
        is_job = self.kind == Kind.JOB
        return Person(
            self.name,
            self.name,
            self.roles,
            self.groups,
            is_the_ramp=is_job and self.name == "ramp",
            is_a_metric=is_job and self.name == "metrics",
            handle=cast(str, SimpleLazyObject(lambda: accounts.handle_of(self.user))),
            twins=SimpleLazyObject(lambda: accounts.twins_of(self.user)),
            former_names=SimpleLazyObject(lambda: accounts.former_names(self.user)),
            stands_for=SimpleLazyObject(lambda: absences.stands_for(self.user)),
            touched_by=SimpleLazyObject(lambda: accounts.touched_by(self.user)),  # few rules ask
            spoken_by=self.spoken_by,
            hand=source.hand(),
            proved_at=source.proved_at(),
            is_in_a_browser=source.is_a_browser(),
        )

    @property
    def may_open_admin(self) -> bool:
        return bool(self.roles - {Role.VIEWER})

    @property
    def sees_confidential(self) -> bool:
        return bool(self.roles & roles.SEE_CONFIDENTIAL)
