"""Tell people what concerns them: each event once for each person, whatever dies in between.

Nothing is written with the event for this. Seals number events in the order in which they become visible, without a
gap; a worker goes on behind the last one that was told, and its notices and the new place are one transaction
(docs/decisions/0109-told-by-seals.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse

from ..audit import sealing
from ..audit.actor import Actor
from ..models import (
    ApprovalRequest,
    AuditEvent,
    Notice,
    NoticePlace,
    OwedMail,
    Phase,
    Rollout,
    Seal,
    Waiver,
    absences,
    accounts,
    clock,
)
from ..models.keyset import Keyset
from ..rules.approvals import STANDING, RequestFacts, RequestState
from ..rules.notices import TELLS, Audience, Kind, Tells, recipients, tells_of
from ..rules.phrases import Phrase
from ..rules.telling import MERGED, When, Wishes
from ..rules.waivers import WaiverState
from . import chats, conditions, mentions, outbox
from . import facts as facts_of
from . import waivers as waivers_of
from . import wishes as wishes_of
from .locks import NO_LOCKS

BATCH = 200
#: What is older is no news: the history of another portal that was taken up, or weeks in which no worker ran.
OLD = timedelta(days=3)
USUALLY = Wishes()
#: Not read by anybody: of what the bell shall not ring for the notice is made as read.
UNTOLD = Q(read_at=None) | Q(read_at=F("at"))


def work(*, batches: int = 20) -> int:
    """Tell what was not told, so much at most; returns how many notices there are more."""
    sealing.seal()
    made = 0
    for _ in range(batches):
        seen, told = _tell_some()
        made += told
        if seen < BATCH:
            break
    return made


NEWEST_FIRST = Keyset("notices", {"-event_id": int})


def of(person: User) -> QuerySet[Notice]:
    """What a person is told, whatever is moot left out."""
    return Notice.objects.filter(person=person, dropped=False).select_related("event__rollout", "mail")


def unread(person: User) -> QuerySet[Notice]:
    return of(person).filter(read_at=None)


def mark_read(person: User, *, pk: int | None = None) -> int:
    """One, or all, of this person's; another's is not found. Returns how many were unread."""
    rows = unread(person) if pk is None else unread(person).filter(pk=pk)
    return rows.update(read_at=clock.now())


@dataclass(frozen=True, slots=True)
class Placed:
    """A notice with what its reader can do: ``url`` leads to the very button, ``until`` is when the request expires."""

    notice: Notice
    phase: str
    to_do: Phrase
    until: datetime | None
    url: str


def placed(notices: Iterable[Notice]) -> list[Placed]:
    """Two queries, whatever the rows."""
    rows = list(notices)
    phases = {int(row.event.object_id) for row in rows if row.event.object_type == "Phase"}
    names = {str(pk): name for pk, name in Phase.objects.filter(pk__in=phases).values_list("pk", "name")}
    asked = ApprovalRequest.objects.filter(phase__in=phases, state__in=sorted(STANDING))
    until = {str(phase): (pk, at) for pk, phase, at in asked.values_list("pk", "phase", "expires_at")}
    return [_placed(row, names, until) for row in rows]


def _placed(row: Notice, names: Mapping[str, str], until: Mapping[str, tuple[int, datetime]]) -> Placed:
    event, tells = row.event, _tells(row.event)
    of_phase = event.object_type == "Phase"
    phase = names.get(event.object_id, "") if of_phase else ""
    request, expires_at = until.get(event.object_id, (None, None)) if of_phase else (None, None)
    if event.rollout is None:
        url = reverse(f"portal:{tells.page}")
    elif tells.anchor or request is None:
        url = event.rollout.get_absolute_url() + (tells.anchor or "#phase-{phase}").format(
            phase=phase, number=event.object_id
        )
    else:
        url = f"{reverse('portal:approvals')}#request-{request}"
    by_when = expires_at if row.kind in (Kind.ASKED, Kind.VOID, Kind.REMINDED) else _until(event)
    return Placed(row, phase, tells.to_do, by_when, url)


def _until(event: AuditEvent) -> datetime | None:
    """By when, of what the clock tells."""
    told = event.after if event.verb in conditions.VERBS else {}
    written = told.get("due") or told.get("ends") or told.get("until")
    return datetime.fromisoformat(written) if written else None


@transaction.atomic
def _tell_some() -> tuple[int, int]:
    NoticePlace.objects.get_or_create(pk=1)
    place = NoticePlace.objects.select_for_update().get(pk=1)
    seals = list(Seal.objects.filter(position__gt=place.position).order_by("position")[:BATCH])
    if not seals:
        return 0, 0
    place.position = seals[-1].position
    place.save()
    wanted = AuditEvent.objects.filter(
        pk__in=[seal.event_id for seal in seals], verb__in=TELLS, at__gt=clock.now() - OLD
    )
    events = list(wanted.select_related("rollout").order_by("pk"))
    made = _make(events)
    _drop_moot({event.object_id for event in events if event.object_type == "Phase"} | _asked_of(seals))
    _drop_decided_waivers()
    return len(seals), made


def _asked_of(seals: Iterable[Seal]) -> set[str]:
    """Phases that something happened to, though nobody is told of it: a request that was withdrawn."""
    about = AuditEvent.objects.filter(pk__in=[seal.event_id for seal in seals], object_type="Phase")
    return set(about.values_list("object_id", flat=True))


def _make(events: list[AuditEvent]) -> int:
    if not events:
        return 0
    active = User.objects.filter(is_active=True).select_related("account", "identity").prefetch_related("groups")
    people = {user.get_username(): user for user in active}
    accounts.know_handles(people.values())
    away = absences.know_stand_ins(people.values())
    persons = [Actor.of(user).person for user in people.values()]
    followers = wishes_of.followers({event.rollout_id for event in events if event.rollout_id})
    wishes = wishes_of.of_all(people.values())
    all_owners = _owners_of_open() if any(Audience.ALL_OWNERS in TELLS[event.verb].to for event in events) else {}
    askers, requests, asked = _askers(events), _requests(events), _waivers(events)
    askers |= {event.pk: asked[event.object_id].asked_by for event in events if _is_of_waiver(event, asked)}
    rows = []
    for event in events:
        tells = _tells(event)
        owners = (event.rollout.owners or [event.rollout.created_by]) if event.rollout else []
        follow = followers.get(event.rollout_id or 0, {})
        names = recipients(
            tells.to,
            persons,
            owners={*owners, *(name for name, muted in follow.items() if not muted)},
            asker=askers.get(event.pk, ""),
            actor=event.actor,
            request=requests.get(event.pk),
            away=away,
            subject=str(event.after.get("person", "")),
            all_owners=all_owners.get(event.after.get("instance"), set()),
            waiver=waivers_of.asked_of(asked[event.object_id]) if _is_of_waiver(event, asked) else None,
        )
        about = f"{event.object_type} {event.object_id}"
        for name in sorted(names - {name for name, muted in follow.items() if muted}):
            person = people[name]
            rings = wishes.get(person.pk, USUALLY).bell(tells.kind) == When.NOW
            read_at = None if rings else event.at
            rows.append(Notice(event=event, person=person, kind=tells.kind, about=about, at=event.at, read_at=read_at))
    Notice.objects.bulk_create(rows, batch_size=200)
    since = _merge(rows)
    if settings.SENDS_MAIL:
        _owe_mail(rows, wishes, since)
    if settings.NOTIFY_URLS:
        chats.owe(events, rows)
    if outbox.writes_issues():
        mentions.owe(rows, wishes)
    return len(rows)


def _owners_of_open() -> dict[int | None, set[str]]:
    """Who owns an open rollout, by the GitLab that it is on; None: on any."""
    owners: dict[int | None, set[str]] = defaultdict(set)
    rows = Rollout.objects.open().values_list("flag__instance", "owners", "created_by")
    for instance, names, made_by in rows:
        owners[instance] |= set(names or [made_by])
        owners[None] |= owners[instance]
    return owners


def _owe_mail(rows: Iterable[Notice], wishes: Mapping[int, Wishes], since: Mapping[int, datetime]) -> None:
    """To who has an address and wants it; what is dropped already is owed to nobody."""
    settling = timedelta(seconds=settings.MAIL_SETTLE_SECONDS)
    owed = []
    for row in rows:
        wish = wishes.get(row.person_id, USUALLY)
        when = wish.mail(row.kind)
        if when == When.OFF or row.dropped or not row.person.email:
            continue
        began = since.get(row.pk, row.at)
        due = wish.due(when, row.at, began, settling)
        is_later = when == When.DIGEST
        owed.append(OwedMail(notice=row, in_digest=is_later, since=due if is_later else began, next_attempt_at=due))
    OwedMail.objects.bulk_create(owed, batch_size=200)


def _waivers(events: Iterable[AuditEvent]) -> dict[str, Waiver]:
    """Those that events are about, by their number."""
    numbers = [int(event.object_id) for event in events if event.object_type == "Waiver"]
    return {str(one.pk): one for one in Waiver.objects.with_what().filter(pk__in=numbers)} if numbers else {}


def _is_of_waiver(event: AuditEvent, waivers: Mapping[str, Waiver]) -> bool:
    return event.object_type == "Waiver" and event.object_id in waivers


def _tells(event: AuditEvent) -> Tells:
    return tells_of(event.verb, event.actor, by_a_job=event.actor_kind == AuditEvent.ActorKind.JOB)


def _askers(events: Iterable[AuditEvent]) -> dict[int, str]:
    """By event: who had asked for what it is about, last before it."""
    about = [event for event in events if event.object_type == "Phase"]
    asked = defaultdict(list)
    requests = ApprovalRequest.objects.filter(phase__in={int(event.object_id) for event in about}).order_by(
        "requested_at"
    )
    for phase, at, name in requests.values_list("phase", "requested_at", "requested_by"):
        asked[str(phase)].append((at, name))
    found = {}
    for event in about:
        before = [name for at, name in asked[event.object_id] if at <= event.at]
        if before:
            found[event.pk] = before[-1]
    return found


def _requests(events: Iterable[AuditEvent]) -> dict[int, RequestFacts]:
    """By event that asks for a decision: what is asked now. None where it was decided, or withdrawn, meanwhile."""
    asking = [
        event
        for event in events
        if {Audience.APPROVERS, Audience.DECIDERS} & TELLS[event.verb].to and event.object_type == "Phase"
    ]
    now, found = clock.now(), {}
    rollouts = Rollout.objects.for_rules().in_bulk({event.rollout_id for event in asking if event.rollout_id})
    standing = {
        str(row.pk): facts.phase(row.name).request
        for rollout in rollouts.values()
        for facts in (facts_of.for_rollout(rollout, now, NO_LOCKS),)
        for row in facts_of.newest_attempts(rollout)
    }
    for event in asking:
        request = standing.get(event.object_id)
        if request is not None:
            found[event.pk] = request
    return found


def _merge(rows: list[Notice]) -> dict[int, datetime]:
    """An unread one of shortly before, of the same kind about the same thing, is told by the newer.

    By notice that stands for one whose mail waits: since when that one did.
    """
    if not rows:
        return {}
    first = min(row.at for row in rows) - MERGED
    alive = Notice.objects.filter(
        about__in={row.about for row in rows}, kind__in={row.kind for row in rows}, dropped=False, at__gte=first
    )
    alike = defaultdict(list)
    for one in alive.filter(UNTOLD).order_by("event_id"):
        alike[one.person_id, one.kind, one.about].append(one)
    stands_for = {
        earlier.pk: newer.pk
        for group in alike.values()
        for earlier, newer in pairwise(group)
        if newer.at - earlier.at <= MERGED
    }
    dropped = list(stands_for)
    waited: dict[int, datetime] = {}
    for start in range(0, len(dropped), BATCH):
        some = dropped[start : start + BATCH]
        Notice.objects.filter(pk__in=some).update(dropped=True)
        mails = OwedMail.objects.filter(notice__in=some, state=OwedMail.State.WAITING, in_digest=False)
        waited |= dict(mails.values_list("notice", "since"))
    began: dict[int, datetime] = {}
    gone = set(stands_for)
    for row in rows:
        row.dropped = row.pk in gone
    for earlier, newer in sorted(stands_for.items()):
        since = waited.get(earlier) or began.get(earlier)
        if since is not None:
            began[newer] = min(since, began.get(newer, since))
    return began


def _drop_decided_waivers() -> None:
    """Nobody is asked any more about a waiver that was decided or withdrawn."""
    asking = Notice.objects.filter(kind=Kind.WAIVER, event__verb="waiver.ask", dropped=False, read_at=None)
    about = {int(about.partition(" ")[2]) for about in asking.values_list("about", flat=True)}
    if about:
        open_ones = Waiver.objects.filter(pk__in=about, state=WaiverState.ASKED).values_list("pk", flat=True)
        moot = [f"Waiver {pk}" for pk in about - set(open_ones)]
        asking.filter(about__in=moot).update(dropped=True)


def _drop_moot(phases: Iterable[str]) -> None:
    """Nobody is asked any more where nothing is, it was decided or withdrawn; nor who has said yes already."""
    keys = set(phases)
    if not keys:
        return
    asked = ApprovalRequest.objects.filter(phase__in=map(int, keys), state=RequestState.OPEN)
    approved = list(asked.filter(approvals__isnull=False).values_list("phase", "approvals__approver"))
    gone = keys - {str(key) for key in asked.values_list("phase", flat=True)}
    moot: Any = Q(kind__in=(Kind.ASKED, Kind.REMINDED), about__in=[f"Phase {key}" for key in gone])
    for key, name in approved:
        moot |= Q(kind__in=(Kind.ASKED, Kind.REMINDED), about=f"Phase {key}", person__username=name)
    Notice.objects.filter(moot, UNTOLD, dropped=False).update(dropped=True)
    chats.drop_moot(f"Phase {key}" for key in gone)
