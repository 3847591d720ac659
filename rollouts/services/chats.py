"""What chats are owed: one line for each event, however many of a group it concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings

from ..models import AuditEvent, ChatRoom, Notice, OwedChat
from ..rules.notices import Kind, tells_of
from ..rules.telling import MERGED

#: What is about one person's account is nothing for a chat.
PRIVATE = frozenset({Kind.TOKEN, Kind.SIGN_IN})


def owe(events: Iterable[AuditEvent], notices: Iterable[Notice]) -> None:
    """In the transaction of the notices. What changes again within minutes is told by the newest."""
    rooms = list(ChatRoom.objects.filter(name__in=settings.NOTIFY_URLS))
    if not rooms:
        return
    groups: dict[int, set[int]] = defaultdict(set)
    for notice in notices:
        groups[notice.event_id] |= {group.pk for group in notice.person.groups.all()}
    settling = timedelta(seconds=settings.MAIL_SETTLE_SECONDS)
    for event in events:
        by_a_job = event.actor_kind == AuditEvent.ActorKind.JOB
        kind = tells_of(event.verb, event.actor, by_a_job=by_a_job).kind
        if kind in PRIVATE:
            continue
        about = f"{event.object_type} {event.object_id}"
        for name in sorted({room.name for room in rooms if _concerns(room, event, groups[event.pk])}):
            earlier = OwedChat.objects.filter(name=name, kind=kind, about=about, state=OwedChat.State.WAITING)
            since = earlier.order_by("since").values_list("since", flat=True).first() or event.at
            earlier.update(state=OwedChat.State.DROPPED, ended_at=event.at)
            due = min(event.at + settling, max(event.at, since + MERGED))
            OwedChat.objects.create(event=event, name=name, kind=kind, about=about, since=since, next_attempt_at=due)


def _concerns(room: ChatRoom, event: AuditEvent, groups: set[int]) -> bool:
    if room.rollout_id is not None and room.rollout_id != event.rollout_id:
        return False
    return room.group_id is None or room.group_id in groups


def drop_moot(phases: Iterable[str]) -> None:
    """Nobody is asked there any more."""
    waiting = OwedChat.objects.filter(kind=Kind.ASKED, about__in=list(phases), state=OwedChat.State.WAITING)
    waiting.update(state=OwedChat.State.DROPPED)
