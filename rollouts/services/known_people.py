"""Whom plans mean by the names that stand in them: accounts here, and GitLab users who showed that they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.db.models import Count, Q, QuerySet

from ..models import absences, accounts

#: So many people are offered while one types.
MOST_OFFERED = 500


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody as a plan names them: ``name`` is that of their account here, empty where nobody has one, ``handle``
    what GitLab calls them, where they showed it; ``instead`` is who is asked while they are away."""

    written: str
    name: str = ""
    full_name: str = ""
    handle: str = ""
    instead: str = ""

    @property
    def shown(self) -> str:
        return self.full_name or self.name or self.written


def named(names: Iterable[str]) -> list[Named]:
    """Whom plans mean by these names: accounts here, else GitLab users who signed in. Six queries at most."""
    names = list(names)
    if not names:
        return []
    called = User.objects.filter(Q(username__in=names) | Q(identity__username__in=names))
    people = list(called.select_related("account", "identity"))
    accounts.know_handles(people)
    by_name = {accounts.handle_of(person): person for person in people} | {p.get_username(): p for p in people}
    before = accounts.called_before(name for name in names if name not in by_name)
    renamed = User.objects.filter(username__in=before.values()).select_related("account", "identity") if before else []
    by_name |= {former: person for person in renamed for former in accounts.former_names(person)}
    away = absences.now_away() if people else {}
    return [_named(name, by_name.get(name), away) for name in names]


def _named(name: str, person: User | None, away: Mapping[str, str]) -> Named:
    if person is None:
        return Named(name)
    known_as = person.get_username()
    return Named(name, known_as, person.get_full_name(), accounts.handle_of(person), away.get(known_as, ""))


def at_gitlab(names: Iterable[str]) -> dict[str, str]:
    """Users of GitLab who are somebody here, with what they are called here: they showed it by a sign-in there, or are
    called alike and showed nothing else. Three queries at most.
    """
    names = set(names)
    if not names:
        return {}
    called = User.objects.filter(Q(username__in=names) | Q(identity__username__in=names))
    people = list(called.select_related("account", "identity"))
    accounts.know_handles(people)
    alike = {one.get_username(): one for one in people if accounts.handle_of(one) in ("", one.get_username())}
    known = alike | {handle: one for one in people if (handle := accounts.handle_of(one))}
    return {name: known[name].get_username() for name in names if name in known}


def offered(people: QuerySet[User] | None = None) -> dict[str, str]:
    """Whom to choose from, by name: these, or all who can sign in; each with the words of ``label``. Two queries."""
    people = User.objects.filter(is_active=True) if people is None else people
    found = list(people.select_related("account", "identity").order_by("username")[:MOST_OFFERED])
    accounts.know_handles(found)
    return {person.get_username(): label(person) for person in found}


def groups() -> dict[str, int]:
    """Groups in which somebody is who can sign in, with how many: a policy may name them. One query."""
    active = Count("user", Q(user__is_active=True))
    return dict(Group.objects.annotate(n=active).filter(n__gt=0).order_by("name").values_list("name", "n"))


def label(person: User) -> str:
    """«mia · Mia Moss · @mia.gl»: how a form names somebody to choose."""
    handle = accounts.handle_of(person)
    return " · ".join(filter(None, (person.get_username(), person.get_full_name(), handle and f"@{handle}")))
