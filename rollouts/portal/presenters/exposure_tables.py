"""What the picture of exposure shows, as rows: what was read when, and what happened, for those who can't see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from ...models import AuditEvent
from ...rules import exposure_history
from ...rules.expected import Drift
from ...rules.exposure import Exposure
from ...rules.exposure_history import ExposureStretch, Piece
from ...services.exposure_history import ExposureHistory

#: So many times are listed, the newest.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A time in which neither plan nor reading changed; ``look`` colours the verdict, which always says it too."""

    start: datetime
    end: datetime
    planned: str
    read: str
    verdict: str
    look: str
    goes_on: bool

    @property
    def lasted(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class EventRow:
    event: AuditEvent
    planned: str
    read: str


@dataclass(frozen=True, slots=True)
class Tables:
    """The newest of each, and how many there are."""

    reads: tuple[ReadRow, ...]
    reads_all: int
    readings_left_out: int
    events: tuple[EventRow, ...]
    events_all: int


def tables(history: ExposureHistory) -> Tables:
    pieces = _merged(history.pieces)
    return Tables(
        reads=tuple(_row(piece, history) for piece in reversed(pieces[-SHOWN:])),
        reads_all=len(pieces),
        readings_left_out=history.readings_left_out,
        events=tuple(_event(event, history) for event in history.events),
        events_all=history.events_told,
    )


def _merged(pieces: Sequence[Piece]) -> list[Piece]:
    merged: list[Piece] = []
    for piece in pieces:
        if merged and replace(merged[-1], start=piece.start, end=piece.end) == piece:
            merged[-1] = replace(merged[-1], end=piece.end)
        else:
            merged.append(piece)
    return merged


def _row(piece: Piece, history: ExposureHistory) -> ReadRow:
    read = _words(piece.read) if piece.is_known else _("not read")
    if history.is_left_out(piece):
        verdict, look, read = _("older than what is shown"), "", _("see the flag's readings")
    elif not piece.is_known:
        verdict, look = _("not known"), "wait"
    elif piece.waits:
        verdict, look = _("waiting for GitLab"), "wait"
    elif piece.drifts:
        verdict, look = piece.kind.words, "stop"
    else:
        verdict, look = Drift.NONE.words, "go"
    goes_on = piece.end == history.known_until and not history.is_over
    return ReadRow(piece.start, piece.end, piece.planned.words, read, verdict, look, goes_on)


def _event(event: AuditEvent, history: ExposureHistory) -> EventRow:
    return EventRow(event, _at(history.planned, event.at, ""), _at(history.read, event.at, _("not known")))


def _at(stretches: Sequence[ExposureStretch], moment: datetime, otherwise: str) -> str:
    """What held at a moment; what an event begins holds from that moment on. The newest may be the end itself."""
    stretch = exposure_history.at(stretches, moment)
    if stretch is None and stretches and stretches[-1].end == moment:
        stretch = stretches[-1]
    return _words(stretch.exposure) if stretch else otherwise


def _words(exposure: Exposure | None) -> str:
    return exposure.words if exposure is not None else _("unknown to GitLab")
