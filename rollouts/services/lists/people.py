"""Accounts: who is who, for the page of all people and the API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from ...models import Absence, absences, accounts, clock, roles
from ...models.keyset import Keyset
from ...rules.forgetting import NOBODY
from ...rules.machine import Role
from .asked import Asked, OneOf, Text, in_any
from .rollouts import RolloutFilter

BY_NAME = Keyset("people", {"username": str})
FIELDS = ("username", "first_name", "last_name", "identity__username")
SHOWN = ("away", "off", "all")


class PeopleFilter(Asked):
    q = Text(method="search", help_text="Each word of it in the name here, the full name or the name at the provider.")
    role = OneOf(list(Role), method="with_role", help_text="Who has it; an admin has every role, and everybody reads.")
    show = OneOf(
        SHOWN, method="just", help_text="Who is away now, or is switched off; without it all but who is switched off."
    )

    def __init__(self, query: Any, **kwargs: Any) -> None:
        known = User.objects.select_related("account", "identity").prefetch_related("groups")
        super().__init__(query, known.exclude(username__startswith=NOBODY), **kwargs)

    def filter_queryset(self, queryset: QuerySet[User]) -> QuerySet[User]:
        people: QuerySet[User] = super().filter_queryset(queryset)
        return people if self["show"] in ("off", "all") else people.filter(is_active=True)

    def search(self, people: QuerySet[User], name: str, text: str) -> QuerySet[User]:
        for word in text.removeprefix("@").split()[:8]:
            people = people.filter(in_any(FIELDS, word))
        return people

    def with_role(self, people: QuerySet[User], name: str, role: str) -> QuerySet[User]:
        if role == Role.VIEWER:
            return people
        has = User.groups.through.objects.filter(group__name=role).values("user")
        superusers = Q(is_superuser=True) if role == Role.ADMIN else Q()
        return people.filter(Q(pk__in=has) | superusers)

    def just(self, people: QuerySet[User], name: str, show: str) -> QuerySet[User]:
        match show:
            case "away":
                return people.filter(username__in=absences.now_away())
            case "off":
                return people.filter(is_active=False)
        return people


@dataclass(frozen=True, slots=True)
class Listed:
    """One account: ``handle`` is what GitLab calls them, as they showed; ``owns`` counts open rollouts; ``away`` is
    the absence of now."""

    name: str
    full_name: str
    handle: str
    roles: tuple[str, ...]
    is_active: bool
    owns: int
    away: Absence | None
    instead: str


def listed(people: Iterable[User], owned: Mapping[str, int]) -> list[Listed]:
    """Three queries at most, whatever their number."""
    people = list(people)
    accounts.know_handles(people)
    now, instead = clock.now(), absences.now_away()
    gone = {one.person_id: one for one in absences.not_over(now).filter(person__in=people, begins_at__lte=now)}
    return [_listed(person, owned, gone.get(person.pk), instead) for person in people]


def _listed(person: User, owned: Mapping[str, int], away: Absence | None, instead: Mapping[str, str]) -> Listed:
    name, handle = person.get_username(), accounts.handle_of(person)
    return Listed(
        name,
        person.get_full_name(),
        handle,
        tuple(sorted(roles.of(person))),
        person.is_active,
        sum(owned.get(one, 0) for one in {name, handle, *accounts.former_names(person)} - {""}),
        away,
        instead.get(name, ""),
    )


def owned_by() -> Counter[str]:
    """How many open rollouts each name owns, as plans write it. Works out first what is due."""
    owners = RolloutFilter({"state": "open"}).lines().values_list("owners", flat=True)
    return Counter(name for names in owners for name in {*names.split("\n")} - {""})


def without_account(owned: Mapping[str, int]) -> list[tuple[str, int]]:
    """Owners whom plans name, and who are nobody's name here. Three queries at most."""
    here = User.objects.select_related("identity").filter(Q(username__in=owned) | Q(identity__username__in=owned))
    people = list(here)
    accounts.know_handles(people)
    known = {name for person in people for name in (person.get_username(), accounts.handle_of(person))}
    known |= accounts.called_before().keys()
    return sorted((name, owned[name]) for name in owned if name not in known)
