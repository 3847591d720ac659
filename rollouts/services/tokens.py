"""Tokens for the REST API: issue one, revoke one, and whose a token is."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from ..audit import source
from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import ApiToken, AuditEvent, clock, waiting
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say
from . import accounts, second_factors
from .refusals import refuse_if

LONGEST_NAME = 100
SHOWN = 8
#: ``mrp_`` and 32 random bytes: guessing is hopeless, so wrong tokens are not counted.
TOKEN = re.compile(r"mrp_[A-Za-z0-9_-]{43}")
#: Use is noted at most this often, so that reading does not write all the time.
NOTED_EVERY = timedelta(minutes=1)


def issue(user: Any, name: str, by: Actor, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """A new token for ``user``, and its text, which is shown this once and kept nowhere.

    Nobody but the person makes one. Who runs ``manage.py`` can (they own the database anyway): such a token says so,
    approves nothing, and its maker has had a hand in the account. Raises ``Refused``; then there is no token.
    """
    name, now = name.strip(), clock.now()
    by_system_user = by.kind == AuditEvent.ActorKind.SYSTEM_USER
    typist = Actor.system_user() if by_system_user or source.current().name == "command" else None  # --as is no proof
    blockers: list[Blocker] = []
    if not by_system_user and not accounts.is_own(user, by):
        message = say(
            "Nobody but {name} makes a token of {name}: on the page «Your account», once signed in.",
            name=user.get_username(),
        )
        blockers.append(Blocker("role", message))
    if not user.is_active:
        blockers.append(
            Blocker("inactive", say("{name} is switched off: a token would open nothing.", name=user.get_username()))
        )
    if not name or not name.isprintable():
        blockers.append(Blocker("name_missing", say("The token needs a name: write in a few words what it is for.")))
    if len(name) > LONGEST_NAME:
        blockers.append(
            Blocker("name_long", say("A token's name may have {most} characters: shorten it.", most=LONGEST_NAME))
        )
    if expires_at is not None and expires_at <= now:
        blockers.append(Blocker("expired", say("The token would have expired already: name a later time.")))
    refuse_if(blockers)
    text = f"mrp_{secrets.token_urlsafe(32)}"
    with recorded("token.issue", by=by) as recording:
        token = ApiToken(
            person=user,
            name=name,
            prefix=text[:SHOWN],
            digest=_digest(text),
            created_at=now,
            expires_at=expires_at,
            made_by=typist.name if typist else "",
        )
        token.save()
        if typist:
            accounts.touch(user, typist)
        recording.about, recording.notes = token, {"person": user.get_username()}
    return token, text


def revoke(token: ApiToken, by: Actor) -> ApiToken:
    """The token opens nothing any more, from now on and for good. Raises ``Refused``; then nothing changed."""
    with recorded("token.revoke", by=by) as recording:
        token = ApiToken.objects.locked().select_related("person").get(pk=token.pk)
        blockers = _role_blockers(token.person, by)
        if token.revoked_at is not None:
            blockers.append(Blocker("revoked", say("{token} was revoked already.", token=token)))
        refuse_if(blockers)
        token.revoked_at = clock.now()
        token.save()
        recording.about, recording.notes = token, {"person": token.person.get_username()}
    return token


def person_of(text: str) -> Any | None:
    """Whose token this is, if it is one that works now and no second factor is wanting."""
    token = opened_by(text)
    return token.person if token and not second_factors.lacks(token.person) else None


def opened_by(text: str) -> ApiToken | None:
    """The token of this text, if it is one that works now; notes its use. Whether its person lacks a factor is asked by
    the door, which says so."""
    if not TOKEN.fullmatch(text):
        return None
    digest, now = _digest(text), clock.now()
    token = (
        ApiToken.objects.select_related("person__account", "person__identity", "person__second_factor")
        .filter(digest=digest)
        .first()
    )
    if token is None or not secrets.compare_digest(token.digest, digest) or not token.opens_at(now):
        return None
    if token.last_used_at is None or now - token.last_used_at >= NOTED_EVERY:
        token.last_used_at = now
        # Who reads waits for nobody who writes: then it is noted the next time.
        waiting.unless_busy(0, partial(token.save, update_fields=["last_used_at"]), None)
    return token


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _role_blockers(user: Any, by: Actor) -> list[Blocker]:
    if by.person.has(Role.ADMIN) or accounts.is_own(user, by):
        return []
    name = user.get_username()
    return [
        Blocker(
            "role", say("Revoking a token of {name} takes the role admin; {by} has not got it.", name=name, by=by.name)
        )
    ]
