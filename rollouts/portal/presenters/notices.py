"""Notices in words: what, which rollout, what to do, by when, and where the button is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ...models import Notice, OwedMail
from ...rules.phrases import say
from ...services import notices as services
from . import history


@dataclass(frozen=True, slots=True)
class Told:
    pk: int
    what: str
    to_do: str
    until: datetime | None
    url: str
    at: datetime
    is_unread: bool
    mail: str = ""


def told(notices: Iterable[Notice]) -> list[Told]:
    return [
        Told(
            one.notice.pk,
            history.event_line(one.notice.event),
            one.to_do,
            one.until,
            one.url,
            one.notice.at,
            one.notice.read_at is None,
            trouble(one.notice),
        )
        for one in services.placed(notices)
    ]


def trouble(notice: Notice) -> str:
    """What its reader should know of its mail: that none came, and why."""
    mail = getattr(notice, "mail", None)
    if mail is None or not mail.words:
        return ""
    if mail.state == OwedMail.State.GIVEN_UP:
        return say("No mail of it reached you. {words}", words=mail.words)
    if mail.state == OwedMail.State.WAITING:
        return say("The mail of it was not taken by the mail server yet. {words}", words=mail.words)
    return ""
