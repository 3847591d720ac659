"""Who is asked to decide about a request: whose yes would count, and who stands in for whom of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User

from ..audit.actor import Actor
from ..models import absences, accounts
from ..rules.approvals import RequestFacts
from ..rules.notices import is_asked
from ..rules.people import Person


@dataclass(frozen=True, slots=True)
class AskedPerson:
    """``instead_of`` are those of them who are away, and instead of whom this person is asked."""

    name: str
    instead_of: tuple[str, ...] = ()


class Everybody:
    """All active people, read once: three queries, or four where somebody is away."""

    def __init__(self) -> None:
        active = User.objects.filter(is_active=True).select_related("account", "identity").prefetch_related("groups")
        self.users = users = list(active.order_by("username"))
        accounts.know_handles(users)
        self.away = absences.know_stand_ins(users)
        self.persons: list[Person] = [Actor.of(user).person for user in users]

    def asked(self, request: RequestFacts) -> tuple[AskedPerson, ...]:
        """Who is away is left out where somebody who may is asked instead."""
        may = [person.name for person in self.persons if is_asked(request, person)]
        gone = {name: instead for name, instead in self.away.items() if name in may and instead in may}
        return tuple(
            AskedPerson(name, tuple(sorted(one for one, instead in gone.items() if instead == name)))
            for name in may
            if name not in gone
        )
