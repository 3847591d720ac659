"""Keys in the addresses of feeds: made, renewed and ended by the person; and whose a key is.

A key is signed, not stored: it can be shown again, and who reads the database can make none.
"""

from __future__ import annotations

from typing import Any

from django.core.signing import BadSignature, Signer

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import AuditEvent, FeedKey, clock
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say
from . import accounts
from .refusals import Refused, refuse_if

LONGEST = 200


def text_of(key: FeedKey) -> str:
    """What the addresses carry."""
    return _signer().sign(f"{key.person_id}.{key.generation}")


def renew(user: Any, *, by: Actor) -> FeedKey:
    """The first key, or another one: the addresses before it open nothing from now on. Raises ``Refused``.

    Nobody but the person makes one; and who runs ``manage.py``, who has the secret key that signs them anyway.
    """
    if not accounts.is_own(user, by) and by.kind != AuditEvent.ActorKind.SYSTEM_USER:
        raise Refused([Blocker("role", say("Nobody but {user} makes the feeds of {user}.", user=user.get_username()))])
    with recorded("feeds.renew", by=by) as recording:
        key = FeedKey.objects.locked().filter(person=user).first()
        if key is None:
            key = FeedKey(person=user, generation=0)
        key.generation, key.made_at, key.ended_at = key.generation + 1, clock.now(), None
        key.ended_because = ""
        key.save()
        recording.about = key
    return key


def end(user: Any, *, by: Actor) -> None:
    """The addresses open nothing any more. Raises ``Refused``."""
    refuse_if(_role_blockers(user, by))
    with recorded("feeds.end", by=by) as recording:
        key = FeedKey.objects.locked().filter(person=user, ended_at=None).first()
        if key is None:
            raise Refused([Blocker("no_feeds", say("{user} has no feeds that are open.", user=user.get_username()))])
        key.ended_at = clock.now()
        key.save()
        recording.about = key


def person_of(text: str) -> Any | None:
    """Whose key this is, if it is one that works now."""
    try:
        person, _dot, generation = _signer().unsign(text[:LONGEST]).partition(".")
    except BadSignature:
        return None
    keys = FeedKey.objects.select_related("person__account")
    key = keys.filter(person_id=int(person), generation=int(generation)).first()
    return key.person if key is not None and key.is_open else None


def _signer() -> Signer:
    return Signer(sep="~", salt="rollouts.feeds")


def _role_blockers(user: Any, by: Actor) -> list[Blocker]:
    if by.person.has(Role.ADMIN) or (by.user is not None and by.user.pk == user.pk):
        return []
    message = say("The feeds of {user} are theirs: only they and admins may switch them off.", user=user.get_username())
    return [Blocker("role", message)]
