"""Who comes in by the identity provider: known by issuer and subject, or made.

An account that is there already is joined by nothing that an admin can write, an address of mail included: who gave it
one of their own would then approve in its name.

Roles are those of the groups that the provider tells at this very sign-in; what it tells no more is taken away.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import Identity
from ..rules.identities import Claims, roles_of
from ..rules.machine import Role
from ..rules.phrases import say
from . import demo_accounts

JOB = Actor.job("sign-in")


class NotLetIn(Exception):
    """They are who they are, and stay outside; says why."""


def come_in(claims: Claims) -> User:
    """The account of who signed in at the provider, with the roles of now.

    Raises ``NotLetIn``; then nothing changed.
    """
    roles = roles_of(claims.groups, settings.OIDC_ROLES)
    if not roles and not settings.OIDC_UNMAPPED:
        raise NotLetIn(
            say("None of your groups has a role here. Ask an admin of the portal which group you need to be in.")
        )
    try:
        with recorded("account.come_in", by=JOB) as recording:
            identity = (
                Identity.objects.locked()
                .select_related("person")
                .filter(issuer=settings.OIDC_ISSUER, subject=claims.subject)
                .first()
            )
            person = identity.person if identity else _made(claims)
            recording.about = person
            if not person.is_active or demo_accounts.is_closed(person):
                raise NotLetIn(say("Your account here is switched off. Ask an admin of the portal."))
            if identity is None:
                identity = Identity(person=person, issuer=settings.OIDC_ISSUER, subject=claims.subject)
            identity.username = claims.username[:255]
            identity.save()
            _give(person, roles)
    except ValidationError as wrong:
        words = " ".join(wrong.messages)
        raise NotLetIn(say("An account for you can't be made. {words}", words=words)) from None
    except IntegrityError:  # the same person signed in twice at once
        raise NotLetIn(say("You are signing in somewhere else at this moment. Try again.")) from None
    return person


def _made(claims: Claims) -> User:
    if not claims.username:
        raise NotLetIn(say("The provider does not say what you are called: it needs the scope profile."))
    if User.objects.filter(username__iexact=claims.username).exists():
        raise NotLetIn(
            say(
                "There is an account {name} here already, and nothing says that it is yours. Sign in with its "
                "password, or ask an admin.",
                name=claims.username,
            )
        )
    person = User(username=claims.username, email=claims.address)
    person.set_unusable_password()
    person.save()
    return person


def _give(person: User, roles: frozenset[Role]) -> None:
    """Exactly these roles; other groups stay."""
    has = {group for group in person.groups.values_list("name", flat=True) if group in set(Role)}
    wanted = {role.value for role in roles}
    if lost := has - wanted:
        person.groups.remove(*Group.objects.filter(name__in=lost))
    if new := wanted - has:
        person.groups.add(*Group.objects.filter(name__in=new))
    person.__dict__.pop("_group_names", None)
