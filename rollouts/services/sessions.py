"""A person's own sessions: where they are signed in, and to end that from afar."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import clock
from ..models.sessions import BrowserSession
from ..rules.blockers import Blocker
from ..rules.phrases import say
from . import accounts
from .refusals import Refused

MOST = 100


def of(person: Any) -> QuerySet[BrowserSession]:
    """Those in which the person is signed in now, the newest first."""
    return BrowserSession.objects.filter(person=person, expire_date__gt=clock.now()).order_by("-signed_in_at", "pk")


def end(person: Any, *, by: Actor, here: str, reference: str = "") -> int:
    """The session of this reference, or all but ``here``, which is the one that asks. How many ended.

    Raises ``Refused``; then nothing changed.
    """
    if not accounts.is_own(person, by):
        words = say("The sessions of {name} are theirs: only they end them.", name=person.get_username())
        raise Refused([Blocker("role", words)])
    if reference == here:
        raise Refused([Blocker("own_session", say("This is the session that you are in: sign out instead."))])
    with recorded("account.end_sessions", by=by, about=person) as recording:
        ended = of(person).select_for_update().exclude(reference=here)
        if reference:
            ended = ended.filter(reference=reference)
        references = sorted(ended.values_list("reference", flat=True))
        if not references:
            raise Refused([Blocker("no_session", say("There is no such session any more: nothing has to be ended."))])
        BrowserSession.objects.filter(person=person, reference__in=references).delete()
        recording.notes["sessions"] = references
    return len(references)
