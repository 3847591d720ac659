"""Roles are Django groups: viewer, manager, approver, auditor, admin (DESIGN section 6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..rules.machine import Role

#: Roles that may see what comes from confidential issues.
SEE_CONFIDENTIAL = frozenset({Role.MANAGER, Role.APPROVER, Role.AUDITOR, Role.ADMIN})


def ensure(group_model: Any) -> None:
    """Make the groups that are missing; called by a migration and after each ``migrate`` or ``flush``."""
    for role in Role:
        group_model.objects.get_or_create(name=role.value)


def of(user: Any) -> frozenset[Role]:
    """A person's roles. A superuser is an admin; a signed-in person without a group is a viewer."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset({Role.ADMIN, Role.VIEWER})
    names = groups_of(user)
    return frozenset(role for role in Role if role.value in names) | {Role.VIEWER}


def know(user: Any, groups: Iterable[str]) -> None:
    """Their names were read together with the person."""
    user._group_names = frozenset(groups)


def groups_of(user: Any) -> frozenset[str]:
    """The names of a person's groups, the roles among them; read once for each object."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    if not hasattr(user, "_group_names"):
        user._group_names = frozenset(group.name for group in user.groups.all())
    names: frozenset[str] = user._group_names
    return names
