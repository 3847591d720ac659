"""Accounts: who has which role, whose hands are on one, what ends with it, and when it is its owner's alone again.

All doors that change a user (admin, commands, fixtures) come by here, for ``account_doors`` listens to the models.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, User

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import Absence, Account, ApiToken, AuditEvent, FeedKey, accounts, clock
from ..models.tokens import Ended
from ..rules.blockers import Blocker
from ..rules.machine import ROLE_WORDS, Role
from ..rules.phrases import invalid, say
from ..rules.user_names import user_name
from ..rules.working_time import working_hours
from .refusals import Refused, refuse_if, role_missing

HUMANS = (AuditEvent.ActorKind.PERSON, AuditEvent.ActorKind.SYSTEM_USER)


def is_own(person: User, by: Actor) -> bool:
    return by.user is not None and by.user.pk == person.pk


def touch(person: User, by: Actor) -> None:
    """Somebody else had a hand in the account: called inside the recorded change in which they had."""
    if by.kind not in HUMANS or is_own(person, by):
        return
    account = _locked(person) or Account(person=person)
    account.touched = {**account.touched, by.name: clock.now().isoformat()}
    _keep(person, account)


def password_was_set(person: User, by: Actor, *, is_new: bool) -> None:
    """Called inside the recorded change that set it. Who gets a password from somebody must set their own before
    anything else.

    The first admin makes their own account at the terminal (``createsuperuser``): that password is nobody else's.
    """
    if is_own(person, by):
        account = _locked(person)
        if account is not None:
            account.password_by, account.must_change_password = "", False
            _keep(person, account)
        return
    if by.kind not in HUMANS:
        return
    touch(person, by)
    account = _locked(person) or Account(person=person)
    at_the_terminal = is_new and by.kind == AuditEvent.ActorKind.SYSTEM_USER
    account.must_change_password = person.has_usable_password() and not at_the_terminal
    account.password_by = by.name if account.must_change_password else ""
    _keep(person, account)
    if not is_new:
        end_access(person, Ended.PASSWORD_SET)


def proved(person: User, *, also_here: frozenset[str], by_password: bool) -> None:
    """The owner signed in: the account is theirs alone, but for people who sign in by this very browser too.

    A password that somebody else set proves nothing.
    """
    if not accounts.touched_by(person):
        return
    account = _locked(person)
    if account is None or (by_password and account.password_by):
        return
    account.touched = {name: at for name, at in account.touched.items() if name in also_here}
    _keep(person, account)


def are_one_human(people: Iterable[User]) -> None:
    """One GitLab user was in all of these accounts, and in those that theirs were: inside the recorded change that
    found it."""
    found = {person.get_username(): person for person in people}
    names = set(found).union(*(accounts.same_human(person) for person in found.values()))
    for person in User.objects.filter(username__in=names).order_by("pk"):
        account = _locked(person) or Account(person=person)
        account.same_human = sorted(names - {person.get_username()})
        _keep(found.get(person.get_username(), person), account)


def free_name(name: str, *, stored: User | None = None) -> str:
    """A name that may be given: to whom is ``stored``, or to somebody new. Raises ValueError with the cure."""
    own = stored.username if stored else ""
    formers = {former: now for former, now in accounts.called_before().items() if now != own}
    if name in formers:
        raise invalid(
            "«{name}» was the name of {now} before, and what they did stands under it. Choose another name.",
            name=name,
            now=formers[name],
        )
    others = User.objects.exclude(username=own).values_list("username", flat=True)
    return user_name(name, [*others, *formers])


def renamed(person: User, before: str) -> None:
    """What stands under the name of before stays theirs: inside the recorded change that renamed them.

    Names of others' accounts that tell of them are told with both.
    """
    name = person.get_username()
    account = _locked(person) or Account(person=person)
    account.former_names = sorted({*account.former_names, before} - {name})
    _keep(person, account)
    for other in Account.objects.locked().exclude(person=person).select_related("person").order_by("pk"):
        if before in other.same_human or before in other.touched:
            if before in other.same_human:
                other.same_human = sorted({*other.same_human, name})
            if before in other.touched:
                other.touched = {**other.touched, name: other.touched[before]}
            other.save()


def end_access(person: User, because: Ended) -> None:
    """What opens the portal in the person's name opens nothing any more; inside the recorded change that is the
    reason.
    """
    now = clock.now()
    for token in ApiToken.objects.locked().filter(person=person, revoked_at=None):
        token.revoked_at, token.revoked_because = now, because
        token.save()
    for key in FeedKey.objects.locked().filter(person=person, ended_at=None):
        key.ended_at, key.ended_because = now, because
        key.save()
    if because in (Ended.SWITCHED_OFF, Ended.ROLE_LOST):  # who is away chooses somebody else
        for absence in Absence.objects.locked().filter(instead=person, ended_at=None, ends_at__gt=now):
            absence.ended_at = now
            absence.save()


def _locked(person: User) -> Account | None:
    """As it is now: somebody may have had a hand in it since it was read. The person's row is locked first."""
    User.objects.select_for_update(no_key=True).filter(pk=person.pk).first()
    return Account.objects.locked().filter(person=person).first()


def _keep(person: User, account: Account) -> None:
    account.save()
    person.account = account


def set_working_hours(person: User, written: str, *, by: Actor) -> None:
    """When they are at work, for the reviewer's clock; empty: the portal's hours. Raises ``Refused``."""
    if not is_own(person, by):
        refuse_if(role_missing(by, Role.ADMIN, say("Setting the working hours of somebody else")))
    try:
        hours = working_hours(written).written if written.strip() else ""
    except ValueError as wrong:
        raise Refused([Blocker("not_written", wrong.args[0])]) from None
    with recorded("account.working_hours", by=by, about=person):
        account = _locked(person) or Account(person=person)
        account.working_hours = hours
        _keep(person, account)


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
        blockers = role_missing(by, Role.ADMIN, say("Giving and taking roles"))
        name = person.get_username()
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
