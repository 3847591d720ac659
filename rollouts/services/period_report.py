"""Answers for auditors about a time: how many rollouts, how long they took, what was passed; each with its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import F, Min, QuerySet

from ..audit import tombstones
from ..models import Approval, AuditEvent, Override, Phase, Rollout, Waiver
from ..rules.machine import PHASE_VERBS
from ..rules.phrases import say
from ..rules.waivers import WaiverState
from . import waits
from .waits import Month, Wait

#: So many rows of each kind are told, the newest; their number is told whole.
ROWS = 200


@dataclass(frozen=True, slots=True)
class Figure:
    """One number and its rows: each a rollout (slug, title), a moment and words."""

    name: str
    title: str
    count: int
    rows: tuple[dict[str, Any], ...]
    median: timedelta | None = None


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """``since`` and ``until`` bound it: from the first on, before the second. ``waits`` are where rollouts
    wait, ``months`` the lead time by the month in which they were completed.

    ``gone_before`` is the moment before which events are past their age, where that is within: figures drawn from
    events then count less than there was.
    """

    since: datetime
    until: datetime
    figures: tuple[Figure, ...]
    waits: tuple[Wait, ...] = ()
    months: tuple[Month, ...] = ()
    gone_before: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "from": self.since,
            "to": self.until,
            "gone_before": self.gone_before,
            "figures": [
                {
                    "name": one.name,
                    "title": one.title,
                    "count": one.count,
                    "median_seconds": one.median.total_seconds() if one.median is not None else None,
                    "rows": list(one.rows),
                }
                for one in self.figures
            ],
            "waits": [wait.as_json() for wait in self.waits],
            "months": [month.as_json() for month in self.months],
        }


class NoPeriod(ValueError):
    """It ends before it begins."""


def of_period(since: datetime, until: datetime) -> PeriodReport:
    """Raises ``NoPeriod``. The number of queries does not grow with the rows, but for one for each phase's name."""
    if since >= until:
        raise NoPeriod(say("The time ends before it begins: write a later end."))
    within = (since, until)
    figures = [
        _made(*within),
        _begun(*within),
        _completed(*within),
        *_phases(*within),
        _rolled_back(*within),
        _overrides(*within),
        _waivers(*within),
        _own_approvals(*within),
    ]
    gone = tombstones.gone_before()
    waiting, months = waits.of_period(*within), waits.by_month(*within)
    return PeriodReport(since, until, tuple(figures), waiting, months, gone if gone and gone > since else None)


def _row(slug: str, title: str, at: datetime, words: str, length: timedelta | None = None) -> dict[str, Any]:
    return {
        "rollout": slug,
        "title": title,
        "at": at,
        "words": words,
        "seconds": length.total_seconds() if length is not None else None,
    }


def _lengths(pairs: Iterable[tuple[datetime | None, datetime | None]]) -> timedelta | None:
    lengths = [(end - start).total_seconds() for start, end in pairs if start and end]
    return timedelta(seconds=median(lengths)) if lengths else None


def _made(since: datetime, until: datetime) -> Figure:
    rows = Rollout.objects.filter(created_at__gte=since, created_at__lt=until).order_by("-created_at")
    shown = rows.values_list("slug", "title", "created_at", "created_by")[:ROWS]
    return Figure("made", say("Rollouts planned"), rows.count(), tuple(_row(*one) for one in shown))


def _begun(since: datetime, until: datetime) -> Figure:
    rows = Rollout.objects.annotate(began=Min("phases__started_at")).filter(began__gte=since, began__lt=until)
    spans = list(rows.order_by("-began").values_list("slug", "title", "created_at", "began"))
    shown = tuple(_row(slug, title, began, "", began - made) for slug, title, made, began in spans[:ROWS])
    lead = _lengths((made, began) for _slug, _title, made, began in spans)
    return Figure("begun", say("Rollouts begun, from plan to first start"), len(spans), shown, lead)


def _completed(since: datetime, until: datetime) -> Figure:
    rows = Rollout.objects.filter(completed_at__gte=since, completed_at__lt=until)
    spans = list(rows.order_by("-completed_at").values_list("slug", "title", "created_at", "completed_at"))
    shown = tuple(_row(slug, title, end, "", end - made) for slug, title, made, end in spans[:ROWS])
    lead = _lengths((made, end) for _slug, _title, made, end in spans)
    return Figure("completed", say("Rollouts completed, from plan to end (lead time)"), len(spans), shown, lead)


def _phases(since: datetime, until: datetime) -> list[Figure]:
    rows = Phase.objects.filter(completed_at__gte=since, completed_at__lt=until).order_by("position", "-completed_at")
    found: dict[str, list[tuple[str, str, str, datetime, datetime]]] = {}
    for one in rows.values_list("title", "rollout__slug", "rollout__title", "started_at", "completed_at"):
        found.setdefault(one[0], []).append(one)
    return [
        Figure(
            f"phase-{number}",
            say("Phases completed: {phase}", phase=title),
            len(spans),
            tuple(_row(slug, name, end, "", end - start) for _title, slug, name, start, end in spans[:ROWS]),
            _lengths((start, end) for *_, start, end in spans),
        )
        for number, (title, spans) in enumerate(found.items(), start=1)
    ]


def _rolled_back(since: datetime, until: datetime) -> Figure:
    rows: QuerySet[AuditEvent] = AuditEvent.objects.filter(
        verb="phase.roll_back", at__gte=since, at__lt=until, rollout__isnull=False
    ).order_by("-at", "-pk")
    shown = rows.values_list("rollout__slug", "rollout__title", "at", "actor", "object_name", "reason")[:ROWS]
    told = tuple(
        _row(slug, title, at, say("{who}: {what}: {why}", who=who, what=what, why=why))
        for slug, title, at, who, what, why in shown
    )
    return Figure("rolled_back", say("Phases rolled back"), rows.count(), told)


def _overrides(since: datetime, until: datetime) -> Figure:
    rows = Override.objects.filter(at__gte=since, at__lt=until).select_related("phase__rollout")
    told = tuple(
        _row(
            one.phase.rollout.slug,
            one.phase.rollout.title,
            one.at,
            say("{who}: {verb} of {phase}: {why}", who=one.by, verb=PHASE_VERBS[one.verb].label,
                phase=one.phase.title, why=one.reason),
        )
        for one in rows.order_by("-at", "-pk")[:ROWS]
    )  # fmt: skip
    return Figure("overrides", say("Blockers passed by an admin (overrides)"), rows.count(), told)


def _waivers(since: datetime, until: datetime) -> Figure:
    rows = Waiver.objects.filter(decided_at__gte=since, decided_at__lt=until).exclude(state=WaiverState.REFUSED)
    told = tuple(
        _row(
            one.rollout.slug,
            one.rollout.title,
            one.decided_at,
            say("{who}, granted by {other}: {what}: {why}", who=one.asked_by, other=one.decided_by, what=str(one),
                why=one.reason),
        )
        for one in rows.with_what().order_by("-decided_at", "-pk")[:ROWS]
    )  # fmt: skip
    return Figure("waivers", say("Waivers granted"), rows.count(), told)


def _own_approvals(since: datetime, until: datetime) -> Figure:
    """Who asked and approved is one person: only a policy that says so allows it."""
    rows = Approval.objects.filter(at__gte=since, at__lt=until, approver=F("asked_by"))
    rows = rows.select_related("request__phase__rollout").order_by("-at", "-pk")
    told = tuple(
        _row(one.request.phase.rollout.slug, one.request.phase.rollout.title, one.at, str(one)) for one in rows[:ROWS]
    )
    return Figure("four_eyes", say("Approved by who asked (four eyes: must be none)"), rows.count(), told)
