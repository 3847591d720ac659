"""What can be done at once about who gets in, and as what: roles, API tokens, feeds."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..audit.actor import Actor
from ..rules.machine import Role
from ..services import accounts, feed_keys, tokens
from .bulk import Bulk


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=[(role.value, role.value) for role in Role if role is not Role.VIEWER],
        help_text=gettext_lazy("Everybody who is signed in is a viewer."),
    )


def _give_role(person: Any, by: Actor, inputs: dict[str, Any]) -> str:
    accounts.give_role(person, Role(inputs["role"]), by=by)
    return _("%(person)s is %(role)s.") % {"person": person, "role": inputs["role"]}


def _take_role(person: Any, by: Actor, inputs: dict[str, Any]) -> str:
    accounts.take_role(person, Role(inputs["role"]), by=by)
    return _("%(person)s is no longer %(role)s; their API tokens and feed addresses are ended.") % {
        "person": person,
        "role": inputs["role"],
    }


def _roles_now(person: Any, by: Actor, inputs: dict[str, Any]) -> str:
    names = ", ".join(sorted(group.name for group in person.groups.all())) or Role.VIEWER.value
    return _("Now: %(roles)s.") % {"roles": names}


PEOPLE = (
    Bulk("give_role", gettext_lazy("Give a role"), _give_role, asks=RoleForm, would=_roles_now),
    Bulk("take_role", gettext_lazy("Take a role"), _take_role, asks=RoleForm, would=_roles_now, is_danger=True),
)


def _revoke(token: Any, by: Actor, inputs: dict[str, Any]) -> str:
    tokens.revoke(token, by)
    return _("It opens nothing any more.")


TOKENS = (
    Bulk(
        "revoke",
        gettext_lazy("Revoke API tokens"),
        _revoke,
        None,
        gettext_lazy("A revoked token stays revoked. Scripts that use it stop working at once."),
        is_danger=True,
    ),
)


def _end_feeds(key: Any, by: Actor, inputs: dict[str, Any]) -> str:
    feed_keys.end(key.person, by=by)
    return _("Their addresses open nothing any more.")


FEEDS = (
    Bulk(
        "end",
        gettext_lazy("Switch feeds off"),
        _end_feeds,
        None,
        gettext_lazy("Calendars and feed readers get nothing any more, until the person makes other addresses."),
        is_danger=True,
    ),
)
