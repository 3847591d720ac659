"""The page of what is kept, for how long, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...models import KeepingRun
from ...rules.phrases import joined, say, say_n
from ...services.keeping import sizes
from ...services.keeping.rules import KEPT, RULES


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of thing: how long it is kept and why, and how much there was when it was measured last.

    ``setting`` is empty where it is kept for ever; ``gone`` is what the last run let go.
    """

    name: str
    what: str
    keeps: str
    why: str
    setting: str
    rows: int | None
    bytes: int | None
    oldest: datetime | None
    gone: int


@dataclass(frozen=True, slots=True)
class Sums:
    """``grew`` is how many bytes more there are than at the run before; None where one of both is not known."""

    bytes: int | None
    grew: int | None
    since: datetime | None


def goes(run: KeepingRun | None) -> list[Line]:
    """What has an age, with the setting that says it."""
    lines = []
    for rule in RULES:
        keeps = say_n("{n} day {since}", "{n} days {since}", rule.days, since=rule.since)
        if rule.is_off:
            keeps = say("for ever")
        why = rule.stays
        if not rule.is_off and not rule.may():
            told = say("The portal's own database user may not: who owns the tables runs «manage.py keep».")
            why = joined([why, told], " ")
        lines.append(_line(run, rule.name, rule.what, keeps, why, rule.setting))
    return lines


def stays(run: KeepingRun | None) -> list[Line]:
    """What is kept for ever, and why."""
    lines = [_line(run, kept.name, kept.what, say("for ever"), kept.why) for kept in KEPT]
    other = say("Indexes for searching, and what the database keeps for itself.")
    return [*lines, _line(run, sizes.OTHER, say("All else"), say("as long as what it serves"), other)]


def sums(run: KeepingRun | None, before: KeepingRun | None) -> Sums:
    now, then = _total(run), _total(before)
    grew = now - then if now is not None and then is not None else None
    return Sums(now, grew, before.ended_at if before and grew is not None else None)


def _line(run: KeepingRun | None, name: str, what: str, keeps: str, why: str, setting: str = "") -> Line:
    size: dict[str, Any] = run.size_of(name) if run else {}
    gone = run.gone.get(name, 0) if run else 0
    return Line(
        name, what, keeps, why, setting, size.get("rows"), size.get("bytes"), size.get("oldest"), gone
    )  # fmt: skip


def _total(run: KeepingRun | None) -> int | None:
    if run is None:
        return None
    found = [size["bytes"] for size in run.sizes.values() if size.get("bytes") is not None]
    return sum(found) if found else None
