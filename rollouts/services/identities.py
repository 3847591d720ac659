"""Who comes in by the identity provider: known by issuer and subject, or made.

An account that is there already is joined by nothing that an admin can write, an address of mail included: who gave it
one of their own would then approve in its name.

Roles are those of the groups that the provider tells at this very sign-in; what it tells no more is taken away.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import FormerIdentity, Identity, roles
from ..rules.blockers import Blocker
from ..rules.identities import Claims, roles_of
from ..rules.machine import Role
from ..rules.phrases import say
from . import accounts, demo_accounts
from .refusals import Refused, refuse_if

JOB = Actor.job("sign-in")
#: What the clocks of provider and portal may differ by.
CLOCKS_DIFFER = timedelta(minutes=2)


class NotLetIn(Exception):
    """They are who they are, and stay outside; says why."""


def come_in(claims: Claims) -> User:
    """The account of who signed in at the provider, with the roles of now.

    Raises ``NotLetIn``; then nothing changed.
    """
    told = roles_of(claims.groups, settings.OIDC_ROLES)
    if not told and not settings.OIDC_UNMAPPED:
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
            _keep(identity, claims)
            _give(person, told)
    except ValidationError as wrong:
        words = " ".join(wrong.messages)
        raise NotLetIn(say("An account for you can't be made. {words}", words=words)) from None
    except IntegrityError:  # the same person signed in twice at once
        raise NotLetIn(say("You are signing in somewhere else at this moment. Try again.")) from None
    return person


def shown_anew(person: User, claims: Claims, *, since: datetime) -> None:
    """They showed the provider since then who they are. Raises ``NotLetIn`` for somebody else, or who did not."""
    identity = Identity.objects.filter(person=person, issuer=settings.OIDC_ISSUER).first()
    if identity is None or identity.subject != claims.subject:
        raise NotLetIn(
            say(
                "Somebody else came back than who is signed in here. Begin again, as {name}.",
                name=person.get_username(),
            )
        )
    if claims.proved_at is None:
        raise NotLetIn(
            say(
                "{provider} does not say when you signed in there, so it shows nothing anew.",
                provider=settings.OIDC_NAME,
            )
        )
    if claims.proved_at < since - CLOCKS_DIFFER:
        raise NotLetIn(say("You did not sign in anew at {name}. Begin again.", name=settings.OIDC_NAME))


def link(person: User, claims: Claims, *, by: Actor) -> Identity:
    """Whoever is signed in comes in by the provider too from now on. Raises ``Refused``; then nothing changed.

    Nobody makes it for somebody else; nor while somebody else's hands are on the account, who would go on in it by an
    identity of theirs.
    """
    blockers = [*_not_own(person, by), *by.person.hands_of(by.person.touched_by)]
    if Identity.objects.filter(person=person).exists():
        blockers.append(Blocker("linked", say("Your account is connected already. Disconnect it first.")))
    taken = Identity.objects.filter(issuer=settings.OIDC_ISSUER, subject=claims.subject).exclude(person=person)
    if taken.exists():
        blockers.append(Blocker("taken", _TAKEN))
    refuse_if(blockers)
    try:
        with recorded("identity.link", by=by) as recording:
            identity = Identity(person=person, issuer=settings.OIDC_ISSUER, subject=claims.subject)
            _keep(identity, claims)
            recording.about = identity
    except IntegrityError:  # at the same moment in another browser
        raise Refused([Blocker("taken", _TAKEN)]) from None
    return identity


def unlink(person: User, *, by: Actor) -> None:
    """They come in by their password only, without the roles that groups of the provider give.

    Raises ``Refused``; then nothing changed.
    """
    blockers = _not_own(person, by)
    if not person.has_usable_password() or settings.OIDC_ONLY:
        words = say("Nothing would open your account any more: there is no other way in.")
        blockers.append(Blocker("last_door", words))
    given = frozenset[Role]().union(*settings.OIDC_ROLES.values())
    if Role.ADMIN in given & roles.of(person) and not person.is_superuser:
        words = say("You can't take the role admin from yourself: ask another admin.")
        blockers.append(Blocker("last_door", words))
    refuse_if(blockers)
    with recorded("identity.unlink", by=by, about=person) as recording:
        identity = Identity.objects.locked().filter(person=person).first()
        if identity is None:
            raise Refused([Blocker("not_linked", say("Your account is not connected: nothing has to be done."))])
        recording.notes["username"] = identity.username
        was = {"person": person, "issuer": identity.issuer, "subject": identity.subject}
        if not FormerIdentity.objects.filter(**was).exists():
            FormerIdentity.objects.create(**was)
        identity.delete()
        _give(person, frozenset(role for role in roles.of(person) - {Role.VIEWER} if role not in given))


_TAKEN = say("This identity belongs to another account here. Sign in by it, or disconnect it there first.")


def _keep(identity: Identity, claims: Claims) -> None:
    """With the name of today, which nobody else has there any more; and whose GitLab user was in another account here
    is one human with it."""
    is_new, username = identity.pk is None, claims.username[:255]
    if username != identity.username:
        for other in Identity.objects.locked().filter(issuer=identity.issuer, username__iexact=username):
            if username and other.pk != identity.pk:
                other.username = ""
                other.save()
    identity.username = username
    identity.save()
    if is_new:
        was_in = User.objects.filter(
            former_identities__issuer=identity.issuer, former_identities__subject=identity.subject
        )
        if others := list(was_in.exclude(pk=identity.person_id)):
            accounts.are_one_human([identity.person, *others])


def _not_own(person: User, by: Actor) -> list[Blocker]:
    if accounts.is_own(person, by):
        return []
    return [Blocker("role", say("Nobody but {name} connects the account of {name}.", name=person.get_username()))]


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


def _give(person: User, given: frozenset[Role]) -> None:
    """Exactly these roles; other groups stay."""
    has = {group for group in person.groups.values_list("name", flat=True) if group in set(Role)}
    wanted = {role.value for role in given}
    if lost := has - wanted:
        person.groups.remove(*Group.objects.filter(name__in=lost))
    if new := wanted - has:
        person.groups.add(*Group.objects.filter(name__in=new))
    person.__dict__.pop("_group_names", None)
