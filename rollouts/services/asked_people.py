"""Who is asked to decide about a request: whose yes would count, and who stands in for whom of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from ..audit.actor import Actor
from ..models import RowWait, absences, accounts
from ..models.portfolio_rows import tokens_of
from ..rules.approvals import RequestFacts
from ..rules.notices import is_asked
from ..rules.people import Person


@dataclass(frozen=True, slots=True)
class AskedPerson:
    """``instead_of`` are those of them who are away, and instead of whom this person is asked."""

    name: str
    instead_of: tuple[str, ...] = ()


def stand_ins_of(rows: Iterable[int] | QuerySet[Any]) -> dict[int, list[AskedPerson]]:
    """By row of the portfolio (its number) who is asked instead of somebody who is away. One query where nobody is away
    now, six where somebody is.
    """
    away = absences.now_away()
    if not away:
        return {}
    named = User.objects.filter(username__in={*away, *away.values()}, is_active=True)
    people = list(named.select_related("account", "identity").prefetch_related("groups"))
    accounts.know_handles(people)
    absences.know_stand_ins(people)
    persons = {person.name: person for person in (Actor.of(user).person for user in people)}
    waits: dict[int, set[str]] = defaultdict(set)
    for row, who in RowWait.objects.filter(row__in=rows).values_list("row", "who"):
        waits[row].add(who)
    return {row: found for row, for_whom in waits.items() if (found := _stand_ins(away, persons, for_whom))}


def _stand_ins(away: Mapping[str, str], persons: Mapping[str, Person], for_whom: set[str]) -> list[AskedPerson]:
    may = {
        name
        for name, person in persons.items()
        if for_whom.intersection(tokens_of(person))
        and not for_whom.intersection(f"!{one}" for one in (person.identity, *person.twins))
    }
    asked: dict[str, list[str]] = defaultdict(list)
    for absent, instead in sorted(away.items()):
        if absent in may and instead in may:
            asked[instead].append(absent)
    return [AskedPerson(name, tuple(names)) for name, names in sorted(asked.items())]


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
