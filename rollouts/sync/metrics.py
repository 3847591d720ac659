"""Read guard metrics from Prometheus: each rollout's when they are due, by one process at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError

from ..models import MetricWatch, PortfolioRow, Rollout, clock
from ..prometheus import Point, Server, Trouble
from ..rules.machine import MOVING
from ..rules.metrics import Bound
from ..rules.phrases import later, say
from ..rules.series import Sample
from ..services import series

log = logging.getLogger(__name__)
#: So far back a gap is filled: what a server or worker that was down has missed.
BACK = timedelta(hours=6)
_WORDS = {
    "unreachable": later("the server can't be reached ({detail})."),
    "slow": later("the server does not answer in time."),
    "large": later("the answer is larger than {detail} MB: ask for one series."),
    "status": later("the server answers {detail}, and no Prometheus answers so."),
    "redirect": later("the server sends the question on ({detail}): PROMETHEUS_URL must name the server itself."),
    "private": later("the address is of a private network: say PROMETHEUS_PRIVATE=true if that is meant."),
    "denied": later("the server lets the portal not in ({detail}): PROMETHEUS_TOKEN, or user and password."),
    "no_json": later("the answer is no JSON: PROMETHEUS_URL leads somewhere else."),
    "refused": later("Prometheus refuses the query: {detail}."),
    "many": later("the query gives {detail} series, and one is asked for: sum them, or choose one by its labels."),
    "shape": later("the answer is not as Prometheus' documentation says."),
    "unset": later("no server is named: set PROMETHEUS_URL."),
}


def server() -> Server | None:
    """The one that the environment names."""
    if not settings.PROMETHEUS_URL:
        return None
    return Server(
        settings.PROMETHEUS_URL,
        token=settings.PROMETHEUS_TOKEN,
        user=settings.PROMETHEUS_USER,
        password=settings.PROMETHEUS_PASSWORD,
        private=settings.PROMETHEUS_PRIVATE,
    )


def read_due() -> list[str]:
    """Read the figures of rollouts that let somebody in and are due; their short names. Safe to run twice at once."""
    now, interval, done = clock.now(), timedelta(seconds=settings.METRICS_INTERVAL_SECONDS), []
    rollouts = Rollout.objects.filter(phases__state__in=sorted(MOVING)).exclude(guard_metrics={}).distinct()
    gone: Trouble | None = None
    for pk, slug, bounds in rollouts.order_by("pk").values_list("pk", "slug", "guard_metrics"):
        if not any(bound.get("query") for bound in bounds.values()):
            continue
        if not MetricWatch.objects.claim(pk, now, _aligned(now, interval) + interval):
            continue
        try:
            gone = read(pk, now, gone)
            done.append(slug)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # one rollout whose figures break keeps no other from being read
            log.exception("the guard metrics of %s could not be read", slug)
    return done


def read(pk: int, now: datetime, gone: Trouble | None = None) -> Trouble | None:
    """Read one rollout's figures and judge them. ``gone``: why the server need not be asked; returns the same."""
    rollout, there = Rollout.objects.for_rules().get(pk=pk), server()
    gone = gone or (None if there else Trouble("unset"))
    troubles: dict[str, str] = {}
    for bound in Bound.all_from(rollout.guard_metrics):
        if not bound.query:
            continue
        try:
            if gone is not None or there is None:
                raise gone or Trouble("unset")
            series.keep(rollout, bound.name, _samples(there, rollout, bound, now))
        except Trouble as trouble:
            troubles[bound.name] = _in_words(trouble)
            gone = trouble if trouble.is_of_the_server else gone
    series.rejudge(rollout, now, troubles)
    PortfolioRow.objects.filter(rollout=pk).touch(due_at=now)
    return gone


def _samples(there: Server, rollout: Rollout, bound: Bound, now: datetime) -> Iterable[Sample]:
    """What is new since the newest value that is kept: one value, or several after a gap."""
    interval = timedelta(seconds=settings.METRICS_INTERVAL_SECONDS)
    end, newest = _aligned(now, interval), series.newest(rollout, bound.name)
    phase = series.live_phase(rollout)
    since = newest + interval if newest else (phase.confirmed_at if phase else None) or end
    start = max(_aligned(since + interval * 0.999, interval), end - BACK)
    values = _asked(there, bound.query, start, end, interval)
    beside = _asked(there, bound.baseline_query, start, end, interval) if bound.baseline_query else {}
    return [Sample(at, values.get(at), beside.get(at)) for at in sorted({*values, *beside})]


def _asked(there: Server, query: str, start: datetime, end: datetime, step: timedelta) -> dict[datetime, float]:
    found: list[Point] = there.between(query, start, end, step) if start < end else there.at(query, end)
    return {one.at: one.value for one in found}


def _aligned(moment: datetime, interval: timedelta) -> datetime:
    """The last whole interval, so that whoever reads brings values of the same moments."""
    seconds = interval.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def _in_words(trouble: Trouble) -> str:
    return say(_WORDS[trouble.code], detail=trouble.detail)
