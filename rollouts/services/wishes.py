"""How people want to be told: what each chose for themselves, what they follow and mute."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import FollowedRollout, NoticeSettings, Rollout
from ..rules.blockers import Blocker
from ..rules.notices import Kind
from ..rules.phrases import any_of, say, sentence, shorten
from ..rules.telling import When, Wishes
from ..rules.zones import zone
from . import accounts
from .refusals import refuse_if

#: What a link in a mail takes back, beside one kind.
ALL_DIGESTS = "digest"
JOB = Actor.job("notifications")


@dataclass(frozen=True, slots=True)
class Chosen:
    """All that somebody chooses; by kind: now, digest or off by mail, now or off by the bell."""

    by_mail: Mapping[str, str]
    by_bell: Mapping[str, str]
    zone: str
    language: str
    digest_hour: int
    quiet_from: int | None
    quiet_until: int | None


def of(person: Any) -> NoticeSettings:
    """What they chose, or the usual, which is not stored."""
    found = NoticeSettings.objects.filter(person=person).first()
    return found or NoticeSettings(person=person, language=settings.LANGUAGE_CODE)


def of_all(people: Iterable[Any]) -> dict[int, Wishes]:
    """By person, of those who chose anything: one query."""
    rows = NoticeSettings.objects.filter(person__in={person.pk for person in people})
    return {row.person_id: row.wishes for row in rows}


def chosen(row: NoticeSettings) -> Chosen:
    """All of it, the usual included."""
    wishes = row.wishes
    return Chosen(
        {kind.value: wishes.mail(kind).value for kind in Kind},
        {kind.value: wishes.bell(kind).value for kind in Kind},
        row.zone,
        row.language,
        row.digest_hour,
        row.quiet_from,
        row.quiet_until,
    )


def choose(person: Any, by: Actor, **changes: Any) -> NoticeSettings:
    """Change some of what ``Chosen`` holds; kinds that are not named stay. Raises ``Refused``; nothing changed then."""
    if not accounts.is_own(person, by):
        refuse_if([Blocker("role", say("How somebody is told only they choose."))])
    with recorded("notices.choose", by=by) as recording:
        recording.about = row = _own(person)
        now = chosen(row)
        for way in ("by_mail", "by_bell"):
            changes[way] = {**getattr(now, way), **changes.get(way, {})}
        wanted = replace(now, **changes)
        refuse_if(_wrong(wanted))
        row.by_mail = {kind: when for kind, when in wanted.by_mail.items() if Wishes().mail(kind) != when}
        row.by_bell = {kind: when for kind, when in wanted.by_bell.items() if when != When.NOW}
        row.zone, row.language, row.digest_hour = wanted.zone, wanted.language, wanted.digest_hour
        row.quiet_from, row.quiet_until = wanted.quiet_from, wanted.quiet_until
        row.save()
    return row


def unsubscribe(person: User, kind: str) -> None:
    """No mail of this kind any more, or no digest; all else stays. By whoever holds a mail: nobody need sign in."""
    with recorded("notices.unsubscribe", by=JOB) as recording:
        recording.about = row = _own(person)
        wishes = row.wishes
        kinds = [one.value for one in Kind if wishes.mail(one) == When.DIGEST] if kind == ALL_DIGESTS else [kind]
        row.by_mail = {**row.by_mail, **dict.fromkeys(kinds, When.OFF.value)}
        row.save()


def follow(rollout: Rollout, how: str, *, by: Actor) -> None:
    """``follow``: told as its owners are; ``mute``: of nothing; ``usual``: of what concerns one anyway."""
    if how not in ("follow", "mute", "usual"):
        words = say("«{how}» is no way to be told of a rollout: follow, mute or usual.", how=shorten(how))
        refuse_if([Blocker("how", words)])
    if not isinstance(by.user, User):
        refuse_if([Blocker("role", say("A person follows a rollout, not a job."))])
    with recorded(f"notices.{how}", by=by) as recording:
        User.objects.select_for_update(no_key=True).get(pk=by.user.pk)
        row = FollowedRollout.objects.filter(person=by.user, rollout=rollout).first()
        if how == "usual":
            if row is not None:
                recording.about = row
                row.delete()
            return
        recording.about = row = row or FollowedRollout(person=by.user, rollout=rollout)
        row.how = how
        row.save()


def followed(person: Any, rollout: Rollout) -> str:
    """How the person is told of it: follow, mute or usual."""
    rows = FollowedRollout.objects.filter(person=person, rollout=rollout)
    return rows.values_list("how", flat=True).first() or "usual"


def followers(rollouts: Collection[int]) -> dict[int, dict[str, bool]]:
    """By rollout: who follows it, and whether they mute it. One query."""
    found: dict[int, dict[str, bool]] = {pk: {} for pk in rollouts}
    rows = FollowedRollout.objects.filter(rollout__in=rollouts)
    for rollout, name, how in rows.values_list("rollout", "person__username", "how"):
        found[rollout][name] = how == "mute"
    return found


def _own(person: Any) -> NoticeSettings:
    User.objects.select_for_update(no_key=True).get(pk=person.pk)
    return of(person)


def _wrong(wanted: Chosen) -> list[Blocker]:
    found = []
    for way, allowed in ((wanted.by_mail, tuple(When)), (wanted.by_bell, (When.NOW, When.OFF))):
        for kind, when in way.items():
            if kind not in tuple(Kind):
                found.append(Blocker("kind", say("There is no kind of notice «{kind}».", kind=shorten(kind))))
            elif when not in allowed:
                words = say("«{when}» is not {allowed}.", when=shorten(str(when)), allowed=any_of(allowed))
                found.append(Blocker("when", words))
    try:
        zone(wanted.zone)
    except ValueError as error:
        found.append(Blocker("zone", sentence(error.args[0])))
    if wanted.language not in dict(settings.LANGUAGES):
        found.append(Blocker("language", say("The portal does not speak «{name}».", name=shorten(wanted.language))))
    hours = (wanted.digest_hour, wanted.quiet_from, wanted.quiet_until)
    if not all(hour is None or 0 <= hour < 24 for hour in hours) or wanted.digest_hour is None:
        found.append(Blocker("hour", say("An hour is a whole number from 0 to 23.")))
    if (wanted.quiet_from is None) != (wanted.quiet_until is None):
        found.append(Blocker("quiet", say("Quiet hours need a beginning and an end: give both, or neither.")))
    elif wanted.quiet_from is not None and wanted.quiet_from == wanted.quiet_until:
        found.append(Blocker("quiet", say("Quiet hours that end when they begin would be no hours, or all of them.")))
    return found
