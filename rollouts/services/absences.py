"""Away from … to …, instead of me …: entered by the person themselves or an admin, and taken back."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from django.contrib.auth.models import User

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import Absence, absences, clock, roles
from ..rules import datetimes
from ..rules.absences import ASKED, Away, blockers_of_away
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say, shorten
from . import accounts
from .refusals import Refused, refuse_if


def of(person: Any) -> list[Absence]:
    """Those of this person that are not over."""
    return list(absences.not_over(clock.now()).filter(person=person).order_by("begins_at", "pk"))


def may_stand_in_for(person: User) -> list[User]:
    """Whom a form offers: active people who have the roles by which this person is asked."""
    needed = roles.of(person) & ASKED
    people = User.objects.filter(is_active=True).exclude(pk=person.pk).prefetch_related("groups").order_by("username")
    return [one for one in people if needed and (Role.ADMIN in roles.of(one) or needed <= roles.of(one))]


def as_json(absence: Absence) -> dict[str, Any]:
    """As API and command tell it."""
    return {
        "id": absence.pk,
        "since": absence.begins_at.isoformat(),
        "until": absence.ends_at.isoformat(),
        "instead": absence.instead.get_username(),
    }


def add(person: User, *, since: str, until: str, instead: str, by: Actor, zone: tzinfo = UTC) -> Absence:
    """``since`` and ``until`` are days of ``zone``, both included, or times.

    Raises ``Refused``; then nothing changed.
    """
    refuse_if(_not_theirs(person, by))
    begins_at, ends_at = _moments(since, until, zone)
    stand_in = User.objects.filter(username=instead.strip(), is_active=True).first()
    if stand_in is None:
        words = say(
            "Nobody here who is active is called «{name}». Name somebody who is.", name=shorten(instead.strip())
        )
        raise Refused([Blocker("name", words)])
    with recorded("absence.add", by=by, about=person) as recording:
        list(User.objects.select_for_update(no_key=True).filter(pk__in=(person.pk, stand_in.pk)).order_by("pk"))
        wanted = Away(person.get_username(), stand_in.get_username(), begins_at, ends_at)
        refuse_if(blockers_of_away(wanted, absences.away(), roles.of(person), roles.of(stand_in), clock.now()))
        absence = Absence.objects.create(person=person, instead=stand_in, begins_at=begins_at, ends_at=ends_at)
        recording.notes["instead"] = stand_in.get_username()
    return absence


def end(absence: Absence, *, by: Actor) -> None:
    """They are back, or stay. Raises ``Refused``; then nothing changed."""
    refuse_if(_not_theirs(absence.person, by))
    with recorded("absence.end", by=by, about=absence.person):
        row = Absence.objects.locked().get(pk=absence.pk)
        if row.ended_at is not None or row.ends_at <= clock.now():
            raise Refused([Blocker("over", say("It is over already: nothing has to be ended."))])
        row.ended_at = clock.now()
        row.save()


def _moments(since: str, until: str, zone: tzinfo) -> tuple[datetime, datetime]:
    try:
        return datetimes.asked_since(since, zone), datetimes.asked_until(until, zone)
    except ValueError as wrong:
        raise Refused([Blocker("time", wrong.args[0])]) from None


def _not_theirs(person: User, by: Actor) -> list[Blocker]:
    if accounts.is_own(person, by) or by.person.has(Role.ADMIN):
        return []
    words = say("Only {name} or an admin says when {name} is away.", name=person.get_username())
    return [Blocker("role", words)]
