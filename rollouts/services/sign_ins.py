"""Sign-ins, sign-outs, failures and lock-outs in the history: few words, and never more than a bounded number.

What was typed is not kept: a name that is nobody's may be a password in the wrong field. Failures of one name within
a quarter of an hour are one event, those of all names that are nobody's together are one, and so are lock-outs, so that
a stranger can't fill the history. How many there were stands in the admin for as long (axes).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User

from ..audit.actor import Actor
from ..audit.recording import Recording, recorded
from ..models import AuditEvent, clock
from ..models.change_log import Change
from . import accounts

JOB = Actor.job("sign-in")
#: As long as a lock-out lasts.
ONE_EVENT_EACH = timedelta(minutes=15)
PASSWORD, IDENTITY_PROVIDER = "password", "identity provider"


def signed_in(
    person: User, *, way: str, address: str, also_here: frozenset[str], is_new_here: bool = False, factor: str = ""
) -> None:
    """``also_here``: names of others who sign in by this browser; ``is_new_here``: it does not know this person.
    ``factor``: which second factor they have shown, where they have one: nobody is signed in before."""
    is_news = is_new_here and _has_signed_in(person)
    with recorded("account.sign_in", by=Actor.of(person), about=person) as recording:
        if is_news:
            with recording.finding("account.sign_in_new", by=JOB, about=person) as found:
                found.notes |= {"person": person.get_username()}
        _note(recording, person, {"way": way, **({"factor": factor} if factor else {})}, address)
        by_password = way == PASSWORD
        accounts.proved(person, also_here=also_here if by_password else frozenset(), by_password=by_password)


def _has_signed_in(person: User) -> bool:
    """Ever before: who comes for the first time knows that the browser is new."""
    return AuditEvent.objects.filter(verb="account.sign_in", object_id=str(person.pk)).exists()


def signed_out(person: User, *, address: str) -> None:
    with recorded("account.sign_out", by=Actor.of(person), about=person) as recording:
        _note(recording, person, {}, address)
        recording.notes["signed_in"] = False


def failed(person: User | None, *, address: str) -> None:
    """A wrong password; ``person`` is None where the name is nobody's."""
    _once_in_a_while("account.sign_in_failed", person, address)


def factor_failed(person: User, *, address: str) -> None:
    """The right password, and a second factor that was not."""
    _once_in_a_while("factor.failed", person, address, key="person")


def factor_locked(person: User, *, address: str) -> None:
    """Too many of them: none is taken for a while."""
    _once_in_a_while("factor.lock_out", person, address, key="person")


def locked_out(person: User | None, *, address: str) -> None:
    """Too many of them, for this name or from this address."""
    _once_in_a_while("account.lock_out", person, address)


def _once_in_a_while(verb: str, person: User | None, address: str, *, key: str = "name") -> None:
    """``key``: under which the event names whom it concerns; who is told of it stands under ``person``."""
    lately = AuditEvent.objects.filter(verb=verb, at__gt=clock.now() - ONE_EVENT_EACH)
    if lately.filter(object_id=str(person.pk) if person else "").exists():
        return
    with recorded(verb, by=JOB, about=person) as recording:
        if person is None:
            recording.notes["name"] = "nobody's"
        else:
            _note(recording, person, {}, address)
            recording.notes[key] = person.get_username()


def _note(recording: Recording, person: User, after: dict[str, Any], address: str) -> None:
    """From which address is for those who see what is confidential."""
    confidential = {"before": {}, "after": {"address": address}} if address else {}
    recording.change_log.note(Change(person._meta.label, person.pk, str(person)[:200], {}, after, confidential))
