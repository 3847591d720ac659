"""No door changes an account, a role or a row of ours without an event, Django's own commands included.

Django's users and groups keep no change log, and fixtures (``loaddata``) pass by ``save``: so signals are listened to.
Inside a recorded change a change is noted there; outside of one it becomes a recorded change of whoever sits at the
terminal, or of the sign-in that brings an account along.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save

from ..audit import source
from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models.change_log import Change, Unaudited, current, plain
from ..models.tokens import Ended
from ..rules.machine import Role
from ..rules.phrases import spoken
from ..rules.user_names import group_name
from . import accounts

FOREIGN = (User, Group)
#: Kept by Django for itself at each sign-in, or never to be read by anybody.
NOT_HISTORY = frozenset({"id", "date_joined", "last_login", "password"})
SHELL = "shell"
TERMINAL = (SHELL, "command")
#: What may come from a file: accounts and roles, which leave events as by any other door.
FROM_FIXTURES = ("auth", "contenttypes")


def listen() -> None:
    for model in FOREIGN:
        model.save_base = transaction.atomic(model.save_base)  # type: ignore[method-assign] # the change and its event
        pre_save.connect(_remember, sender=model, dispatch_uid=f"remember {model.__name__}")
        post_save.connect(_saved, sender=model, dispatch_uid=f"saved {model.__name__}")
        pre_delete.connect(_forgotten, sender=model, dispatch_uid=f"forgotten {model.__name__}")
    m2m_changed.connect(_regrouped, sender=User.groups.through, dispatch_uid="regrouped")
    pre_save.connect(_fixture_comes, dispatch_uid="fixture comes")


# What is told


@contextmanager
def _told(verb: str, thing: models.Model, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Actor]:
    """Note a change in the change that is being recorded, or in one of its own; whose it is."""
    change_log = current()
    if change_log is not None:
        change_log.note(Change(thing._meta.label, thing.pk, str(thing)[:200], before, after))
        yield change_log.by
        return
    by = Actor.system_user() if source.current().name in TERMINAL else Actor.job("sign-in")
    with recorded(verb, by=by, about=thing) as recording:
        recording.note(thing, before, after)
        yield recording.by


def _is_a_door() -> bool:
    """Python at a shell is no door of the portal: it leaves its event, and nothing follows from it."""
    return current() is not None or source.current().name != SHELL


def _values(thing: models.Model) -> dict[str, Any]:
    return {
        field.name: plain(getattr(thing, field.attname))
        for field in thing._meta.concrete_fields
        if field.name not in NOT_HISTORY
    }


# Users and roles


def _remember(sender: Any, instance: Any, update_fields: Any = None, **more: Any) -> None:
    """What is stored, to compare with when it is written."""
    instance._as_stored = None
    if update_fields is not None and not set(update_fields) - {"last_login"}:
        return
    if update_fields is not None and set(update_fields) == {"password"} and _is_hashed_anew(instance):
        return
    instance._as_stored = (instance.pk and sender._default_manager.filter(pk=instance.pk).first()) or sender()
    _refuse_name(sender, instance, instance._as_stored)


def _is_hashed_anew(person: User) -> bool:
    """Django keeps the same password by a newer method, at a sign-in."""
    return getattr(person, "_password", None) is None and person.has_usable_password()


def _refuse_name(sender: Any, thing: Any, stored: Any) -> None:
    """A new name, or another: those of earlier releases stay. Raises ``ValidationError``, in whichever door."""
    field = "username" if sender is User else "name"
    name = getattr(thing, field)
    if stored.pk is not None and name == getattr(stored, field):
        return
    try:
        if sender is User:
            accounts.free_name(name, stored=stored)
        else:
            group_name(name, sender._default_manager.exclude(pk=thing.pk).values_list(field, flat=True))
    except ValueError as wrong:
        raise ValidationError({field: spoken(wrong.args[0])}) from None


def _saved(sender: Any, instance: Any, update_fields: Any = None, raw: bool = False, **more: Any) -> None:
    stored, instance._as_stored = getattr(instance, "_as_stored", None), None
    if stored is None or _comes_with_the_portal(stored, instance):
        return
    is_new = stored.pk is None
    before, after = _values(stored), _values(instance)
    changed = {
        name
        for name, value in after.items()
        if before.get(name, ...) != value and (update_fields is None or name in update_fields)
    }
    before = {} if is_new else {name: before[name] for name in changed}
    after = {name: after[name] for name in changed}
    has_password = sender is User and instance.password != stored.password
    if has_password:
        after["password"] = "taken away" if not instance.has_usable_password() else "set" if is_new else "changed"
    if not before and not after:
        return
    is_a_door = _is_a_door()
    with _told("account.add" if is_new else "account.change", instance, before, after) as by:
        if sender is User and not is_new and "username" in changed:  # by whatever door: it is who four eyes know
            accounts.renamed(instance, before["username"])
        if sender is User and is_a_door:
            _follows(instance, by, changed, is_new=is_new, has_password=has_password, was=before)


def _comes_with_the_portal(stored: Any, instance: Any) -> bool:
    """The roles are made by each ``migrate`` where they are missing."""
    return isinstance(instance, Group) and stored.pk is None and instance.name in set(Role) and not _is_a_door()


def _follows(
    person: User, by: Actor, changed: set[str], *, is_new: bool, has_password: bool, was: dict[str, Any]
) -> None:
    if has_password:
        accounts.password_was_set(person, by, is_new=is_new)
    if is_new or changed & {"is_superuser", "is_active", "username"}:
        accounts.touch(person, by)
    if is_new:
        return
    if "is_active" in changed and not person.is_active:
        accounts.end_access(person, Ended.SWITCHED_OFF)
    elif was.get("is_superuser") and not person.is_superuser:
        accounts.end_access(person, Ended.ROLE_LOST)


def _forgotten(sender: Any, instance: Any, **more: Any) -> None:
    with _told("account.delete", instance, _values(instance), {}):
        pass


def _regrouped(sender: Any, instance: Any, action: str, reverse: bool, pk_set: Any, **more: Any) -> None:
    """Roles given or taken, from either side."""
    when, _, what = action.partition("_")
    people: list[User] = [instance]
    if reverse:
        people = list(instance.user_set.all() if what == "clear" else User.objects.filter(pk__in=pk_set or ()))
        if when == "post" and what == "clear":
            people = getattr(instance, "_cleared", [])
    if when == "pre":
        instance._cleared = people
        instance._roles_before = {person.pk: _roles(person) for person in people}
        return
    is_a_door = _is_a_door()
    for person in people:
        before, after = instance._roles_before.get(person.pk, []), _roles(person)
        if before == after:
            continue
        person.__dict__.pop("_group_names", None)
        with _told("account.change", person, {"groups": before}, {"groups": after}) as by:
            if is_a_door:
                accounts.touch(person, by)
                if set(before) - set(after):
                    accounts.end_access(person, Ended.ROLE_LOST)


def _roles(person: User) -> list[str]:
    return sorted(person.groups.values_list("name", flat=True))


# Fixtures


def _fixture_comes(sender: Any, instance: Any, raw: bool = False, **more: Any) -> None:
    """Django writes fixtures past ``save``: nothing of ours could tell who did what, or what else follows."""
    if raw and sender._meta.app_label not in FROM_FIXTURES:
        raise Unaudited(
            f"a fixture can't hold {sender._meta.verbose_name_plural}: they change by the portal's pages and commands "
            "only. Take them out of the file; to move an installation, copy its database"
        )
