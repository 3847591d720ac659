"""Who has which role. Accounts themselves are Django's, edited in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..rules.blockers import Blocker
from ..rules.machine import ROLE_WORDS, Role
from ..rules.phrases import say
from .refusals import refuse_if


def give_role(person: User, role: Role, *, by: Actor) -> None:
    """Raises ``Refused``; then nothing changed."""
    _change(person, role, by, gives=True)


def take_role(person: User, role: Role, *, by: Actor) -> None:
    """Raises ``Refused``; then nothing changed. Nobody takes the role admin from themselves."""
    _change(person, role, by, gives=False)


def _change(person: User, role: Role, by: Actor, *, gives: bool) -> None:
    with recorded("person.give_role" if gives else "person.take_role", by=by) as recording:
        person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
        before = _roles(person)
        blockers: list[Blocker] = []
        name = person.get_username()
        if not by.person.has(Role.ADMIN):
            blockers.append(
                Blocker("role", say("Giving and taking roles takes the role admin; {by} has not got it.", by=by.name))
            )
        if gives and role in before:
            blockers.append(Blocker("has_role", say("{name} is {role} already.", name=name, role=ROLE_WORDS[role])))
        if not gives and role not in before:
            blockers.append(Blocker("has_not_role", say("{name} is not {role}.", name=name, role=ROLE_WORDS[role])))
        if not gives and role == Role.ADMIN and name == by.name:
            blockers.append(
                Blocker("last_door", say("You can't take the role admin from yourself: ask another admin."))
            )
        refuse_if(blockers)
        group = Group.objects.get(name=role.value)
        (person.groups.add if gives else person.groups.remove)(group)
        recording.about = person
        recording.note(person, {"groups": before}, {"groups": _roles(person)})


def _roles(person: Any) -> list[str]:
    return sorted(person.groups.values_list("name", flat=True))
