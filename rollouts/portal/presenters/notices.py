"""Notices in words: what, which rollout, what to do, by when, and where the button is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ...models import Notice
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
        )
        for one in services.placed(notices)
    ]
