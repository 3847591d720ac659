"""The portfolio's rows: worked out from the facts, kept until something that they rest on changes or its time comes.

A recorded change marks the rows that it touches as due in its own transaction (``models.portfolio_rows``); whoever
shows rows, and a job, works out what is due first. So a row is never older than what it tells, and a page never works
out more than is due.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from statistics import median
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from ..models import FeatureFlag, Phase, PortfolioRow, Rollout, RowWait, clock, waiting
from ..models.portfolio_rows import read_last
from ..rules import health, ordering
from ..rules.expected import Drift, difference_in_words
from ..rules.facts import PhaseFacts, RolloutFacts
from ..rules.forecast import Forecast
from ..rules.health import Health
from ..rules.machine import LIVE, PhaseState
from ..rules.next_action import NextAction, Waits, next_action
from ..rules.percentages import plain_number
from ..rules.phrases import as_text
from ..rules.track import track_phases
from . import facts as facts_of
from . import forecasts, freshness, ramps, review_clock, rollout_json, schedules
from .locks import Locks, standing

log = logging.getLogger(__name__)
Place = PortfolioRow.Place
#: The rules are asked with a reading that is never too old: whether it is, is seen when the row is shown.
ALWAYS = timedelta(days=36_500)
#: So long at most a row is trusted that waits for time or for somebody: what nobody foresaw is seen then.
TRUSTED = timedelta(minutes=30)
#: When a row that could not be worked out is tried again; what it told before stands until then.
AGAIN = timedelta(minutes=1)
#: Seconds that a page waits for who writes, to be up to date.
WORTH_WAITING = 1.0
URGENCY = {kind: rank for rank, kind in enumerate(Health)}
#: How many phases that ended lately say how long a phase usually takes.
LATELY = 300
BATCH = 100
#: Counted up when what ``content`` holds changes: rows of another layout are worked out anew after an upgrade.
LAYOUT = 8


def bring_up_to_date(*, most: int = BATCH, among: Iterable[int] | None = None) -> int:
    """Work out rows that are due, so many at most, and how many there were.

    Two at once share the work: each takes what the other has not. ``among`` are rows by key that somebody wants to
    see: one that another works out just now is waited for.
    """
    now = clock.now()
    due = PortfolioRow.objects.due(now)
    if among is not None:
        due = due.filter(pk__in=list(among))
    if not due.exists():
        return 0
    with transaction.atomic():
        # A recorded change that touches one of these waits here, and marks it as due again after us.
        locked = due.select_for_update(no_key=True, skip_locked=among is None).order_by("pk")
        rows = {row.rollout_id: row for row in locked[:most]}
        taken = len(rows)
        holding, usual = standing(now), usual_lengths()
        experience, ahead = forecasts.Experience(), schedules.locks_between(now, now + schedules.AHEAD)
        waits: list[RowWait] = []
        for rollout in Rollout.objects.whole().filter(pk__in=list(rows)):
            row = rows[rollout.pk]
            try:
                likely = forecasts.of(rollout, now, experience, locks=ahead)
                waits += [RowWait(row=row, who=who) for who in _work_out(row, rollout, now, holding, usual, likely)]
            except (OperationalError, InterfaceError):
                raise
            except Exception:  # one rollout that breaks keeps no other from being shown
                log.exception("the row of rollout %s could not be worked out", rollout.slug)
                del rows[rollout.pk]
                PortfolioRow.objects.filter(pk=row.pk).update(due_at=now + AGAIN)
        fields = [field.name for field in PortfolioRow._meta.concrete_fields if field.name not in ("id", "rollout")]
        PortfolioRow.objects.bulk_update(rows.values(), fields)
        RowWait.objects.filter(row__in=list(rows.values())).delete()
        RowWait.objects.bulk_create(waits)
    return taken


def for_a_page(*, among: Iterable[int] | None = None) -> int:
    """Bring up to date what a page shows, and how much was due; where the database is busy, it shows what was known."""
    return waiting.unless_busy(WORTH_WAITING, partial(bring_up_to_date, among=among), 0)


def as_of_now(read: Sequence[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Rows (their ``values``, ``pk``, ``rollout_id`` and ``due_at`` among them) up to date, whatever was changed
    meanwhile, with ``read_at``, when their flag was read last; empty what never could be worked out.

    When flags were read is asked apart: joined to each selection, PostgreSQL plans longer than it reads.
    """
    due = [row["pk"] for row in read if row["due_at"] is not None and row["due_at"] <= now]
    if due:
        for_a_page(among=due)
        anew = {row["pk"]: row for row in PortfolioRow.objects.filter(pk__in=due).values(*read[0])}
        read = [anew.get(row["pk"], row) for row in read]
    flags = FeatureFlag.objects.filter(rollouts__in=[row["rollout_id"] for row in read])
    read_at = dict(flags.order_by().values_list("rollouts", read_last()))
    return [{**row, "read_at": read_at.get(row["rollout_id"])} for row in read]


def renew_others() -> None:
    """After an upgrade: rows that an older portal has written are due."""
    PortfolioRow.objects.exclude(content__layout=LAYOUT).update(due_at=clock.now())


def usual_lengths() -> dict[tuple[int, str], float]:
    """Seconds that a phase usually takes, by template and name: the median of those that ended lately."""
    lengths: dict[tuple[int, str], list[float]] = {}
    ended = Phase.objects.filter(state=PhaseState.COMPLETED).order_by("-completed_at")
    ended_phases = ended.values_list("rollout__template_id", "name", "started_at", "completed_at")[:LATELY]
    for template, name, started_at, completed_at in ended_phases:
        if started_at and completed_at:
            lengths.setdefault((template, name), []).append((completed_at - started_at).total_seconds())
    return {key: median(seconds) for key, seconds in lengths.items()}


def _work_out(
    row: PortfolioRow,
    rollout: Rollout,
    now: datetime,
    locks: Locks,
    usual: Mapping[tuple[int, str], float],
    likely: Forecast | None,
) -> list[str]:
    """Fill a row from a rollout loaded whole; for whom it waits."""
    facts = replace(facts_of.for_rollout(rollout, now, locks), freshness=ALWAYS)
    state, current, step = health.judge(facts), facts.current, next_action(facts)
    attempt = next((p for p in facts_of.newest_attempts(rollout) if current and p.name == current.name), None)
    is_over = rollout.is_over
    row.place = (
        Place.OVER if is_over else Place.OVERDUE if facts.is_overdue else Place.WAITS if step.waits else Place.RUNS
    )
    row.health, row.urgency = state.health, URGENCY[state.health]
    row.since = _since(rollout, attempt)
    row.phase, row.phase_title = (current.name, current.title) if current and not is_over else ("", "")
    row.phase_position = attempt.position if attempt else 999
    row.title, row.provider = rollout.title, rollout.ai_model.provider
    owners = rollout.owners or [rollout.created_by]
    row.owner, row.owners = owners[0][:150], "\n".join(["", *owners, ""])
    model, baseline = rollout.ai_model, rollout.baseline
    row.search = " ".join(
        [rollout.title, rollout.slug, rollout.flag.name, model.name, model.slug, baseline.name if baseline else ""]
    ).lower()
    debts = [o for p in rollout.phases.all() for o in p.overrides.all() if o.reviewed_at is None]
    row.reviews_due_at = min((debt.due_at for debt in debts), default=None)
    row.content = {
        "layout": LAYOUT,
        "baseline": str(baseline) if baseline else "",
        "slug": rollout.slug,
        "flag": rollout.flag.name,
        "model": str(model),
        "state": rollout.state,
        "ended_at": _moment(rollout.closed_at or rollout.abandoned_at or rollout.completed_at),
        "track": json.dumps([asdict(phase) for phase in track_phases(facts, state.drift)]),
        "debts": len(debts),
        "next": [as_text(step.words), as_text(step.detail)],
        "verb": step.verb,
        "waits_since": _moment(_waits_since(rollout, facts, state, attempt)) if step.waits else None,
        "who": as_text(step.waits.words) if step.waits else "",
        "until": _moment(step.until),
        "expected": as_text(facts.expected.words),
        "read": as_text(facts.reading.words),
        "apart": [as_text(words) for words in _apart(facts, state)],
        "nobody": facts.expected.is_nobody,
        "read_nobody": facts.reading.exposure is not None and facts.reading.exposure.is_nobody,
        "drift_since": _moment(rollout.drift_since) if state.drift is not Drift.NONE else None,
        "usual": usual.get((rollout.template_id, current.name)) if current else None,
        "everybody": _range(likely),
        "is_live": current is not None and current.state in LIVE,
        **(_standing_at(facts, current) if current and not is_over else {}),
    }
    row.told = json.dumps(rollout_json.of(rollout, facts, state, likely))
    row.due_at = None if is_over else min(_edges(facts, current, attempt, step, locks, now))
    return _tokens(step.waits) if row.place == Place.WAITS else []


def _standing_at(facts: RolloutFacts, phase: PhaseFacts) -> dict[str, Any]:
    """The phase and step that it stands in; for a phase to come, how much of its checklist is done."""
    opening = phase.opening
    content: dict[str, Any] = {"phase": phase.title, "phase_state": str(phase.state)}
    if opening.ramp and phase.state in LIVE and opening.step:
        content |= {
            "step": plain_number(opening.step),
            "step_number": opening.ramp.number(opening.step),
            "steps": len(opening.ramp.steps),
        }
    if phase.state in LIVE:
        content |= {"confirmed_at": _moment(phase.counts_from), "soak": phase.soak.total_seconds()}
    elif phase.state == PhaseState.PLANNED:
        mine = [i for i in facts.items if i.required and i.gate == "start" and i.phase in (None, phase.name)]
        content |= {"items_done": sum(i.is_settled(facts.now) for i in mine), "items": len(mine)}
    content["skipped"] = [each.title for each in facts.phases if each.state == PhaseState.SKIPPED]
    return content


def _apart(facts: RolloutFacts, state: health.State) -> tuple[str, ...]:
    """What GitLab says, what the plan says, and how they differ; nothing where they do not."""
    if state.health not in (Health.DRIFTING, Health.ACCEPTED, Health.WAITING):
        return ()
    return (*difference_in_words(facts.expected, facts.reading), state.drift.words)


def _since(rollout: Rollout, phase: Phase | None) -> datetime:
    """From when it stands in its phase; before that, from when its phase was last asked for or approved."""
    if phase is None:
        return rollout.closed_at or rollout.abandoned_at or rollout.completed_at or rollout.created_at
    moments = (phase.ended_at, phase.started_at, phase.approved_at, phase.requested_at)
    return next(filter(None, moments), rollout.created_at)


def _waits_since(rollout: Rollout, facts: RolloutFacts, state: health.State, attempt: Phase | None) -> datetime | None:
    """Since when somebody must act: the drift's begin, the request, the end of the soak, else what was done last."""
    phase = facts.current
    if state.drift is not Drift.NONE:
        return rollout.drift_since
    if phase is None or attempt is None:
        return rollout.completed_at
    if phase.request is not None and not phase.request.is_granted(facts.now):
        return phase.request.requested_at
    moments = [
        phase.soaked_at,
        attempt.paused_at,
        attempt.stepped_at,
        attempt.approved_at,
        attempt.ended_at,
        _since(rollout, attempt),
    ]
    return max(moment for moment in moments if moment is not None and moment <= facts.now)


def _edges(
    facts: RolloutFacts, phase: PhaseFacts | None, attempt: Phase | None, step: NextAction, locks: Locks, now: datetime
) -> list[datetime]:
    """When the row may say something else, or a step begin by itself or be held, though nobody does anything."""
    moments = [now + TRUSTED, locks.changes_at, step.until, ordering.changes_at(facts.neighbours, now)]
    if phase is not None and phase.request is not None:
        moments += [phase.request.expires_at, *review_clock.next_due(phase.request, now)]
    if phase is not None:
        moments.append(phase.soaked_at)
    if attempt is not None and attempt.state == PhaseState.ACTIVE and any(each.auto for each in attempt.steps.all()):
        moments += [each.planned_at for each in attempt.steps.all()]
        moments += [attempt.stepped_at + ramps.GRACE] if attempt.stepped_at else []
        moments += [facts.reading.read_at + freshness.limit()] if facts.reading.read_at else []
    waivers = [*(each.waiver for each in facts.phases), *(item.waiver for item in facts.items)]
    moments += [*(waiver.ends_at for waiver in waivers if waiver), facts.accepted_until]
    if facts.lifetime_ends is not None:
        moments.append(datetime.combine(facts.lifetime_ends + timedelta(days=1), time(), UTC))
    return [moment for moment in moments if moment is not None and moment > now]


def _tokens(waits: Waits | None) -> list[str]:
    if waits is None:
        return []
    if waits.only:
        return sorted(f"{role}:{name}" for role in waits.roles for name in waits.only)
    admitted = {f"role:{role}" for role in waits.roles} | {f"group:{name}" for name in waits.groups} | {"role:admin"}
    return sorted(admitted | {f"!{name}" for name in waits.never})


def _range(likely: Forecast | None) -> list[str] | None:
    """From when to when everybody may have it, and about when."""
    if likely is None or likely.at is None or likely.since is None or likely.until is None:
        return None
    return [likely.since.isoformat(), likely.at.isoformat(), likely.until.isoformat()]


def likely_ranges(rollouts: Iterable[int]) -> dict[int, tuple[datetime, datetime, datetime]]:
    """From when, about when and until when everybody has these, where that can be predicted; as the rows tell it."""
    rows = PortfolioRow.objects.filter(rollout__in=list(rollouts)).values_list("rollout_id", "content")
    known = {pk: content.get("everybody") for pk, content in rows}
    moments = {pk: [datetime.fromisoformat(text) for text in texts] for pk, texts in known.items() if texts}
    return {pk: (since, at, until) for pk, (since, at, until) in moments.items()}


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
