"""Whom plans mean by the names that stand in them: accounts here, and GitLab users who showed that they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Q

from ..models import accounts


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody as a plan names them: ``name`` is that of their account here, empty where nobody has one, ``handle``
    what GitLab calls them, where they showed it."""

    written: str
    name: str = ""
    full_name: str = ""
    handle: str = ""

    @property
    def shown(self) -> str:
        return self.full_name or self.name or self.written


def named(names: Iterable[str]) -> list[Named]:
    """Whom plans mean by these names: accounts here, else GitLab users who signed in. Three queries at most."""
    names = list(names)
    if not names:
        return []
    called = User.objects.filter(Q(username__in=names) | Q(identity__username__in=names))
    people = list(called.select_related("account", "identity"))
    accounts.know_handles(people)
    by_name = {accounts.handle_of(person): person for person in people} | {p.get_username(): p for p in people}
    return [_named(name, by_name.get(name)) for name in names]


def _named(name: str, person: User | None) -> Named:
    if person is None:
        return Named(name)
    return Named(name, person.get_username(), person.get_full_name(), accounts.handle_of(person))
