"""Who is asked, and gets no mail of ours, is mentioned in the rollout issue: GitLab tells them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.conf import settings

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import AuditEvent, Notice, Phase, Rollout, accounts, clock
from ..rules import gitlab_text
from ..rules.notices import Kind
from ..rules.telling import When, Wishes
from . import facts as facts_of
from . import outbox

JOB = Actor.job("notifications")
USUALLY = Wishes()


def owe(notices: Iterable[Notice], wishes: Mapping[int, Wishes]) -> None:
    """In the transaction of the notices: a note for each request, with the people whose name in GitLab is proved.

    Who is mailed is not told a second time, and who wants no mails of this kind is left alone.
    """
    asked: dict[AuditEvent, list[str]] = defaultdict(list)
    for notice in notices:
        wish = wishes.get(notice.person_id, USUALLY).mail(notice.kind)
        is_mailed = settings.SENDS_MAIL and notice.person.email
        handle = accounts.handle_of(notice.person)
        if notice.kind == Kind.ASKED and handle and wish != When.OFF and not notice.dropped and not is_mailed:
            asked[notice.event].append(handle)
    for event, handles in asked.items():
        _note(event, sorted(handles))


def _note(event: AuditEvent, handles: list[str]) -> None:
    phase = Phase.objects.filter(pk=event.object_id).first() if event.object_type == "Phase" else None
    rollout = Rollout.objects.whole().filter(pk=event.rollout_id).first()
    link = facts_of.issue_for(rollout, outbox.NOTED_ON, phase.name) if rollout and phase else None
    if rollout is None or phase is None or link is None:
        return
    people = " ".join(f"@{handle}" for handle in handles)
    who, what = (f"**{gitlab_text.inline(name)}**" for name in (event.actor, str(phase)))
    url = f"{settings.PORTAL_URL}{rollout.get_absolute_url()}#phase-{phase.name}"
    with recorded("notices.mention", by=JOB, rollout=rollout) as recording:
        body = f"{people}: {who} asks for your approval of {what}. {url}"
        recording.about = write = outbox.note(rollout, phase, link, "request", body, by=event.actor, now=clock.now())
        write.save()
        outbox.ring_later()
