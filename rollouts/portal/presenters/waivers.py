"""Waivers as a page shows them: what is gone without, until when, and what its reader may do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ...audit.actor import Actor
from ...models import Phase, Rollout, Waiver
from ...rules.phrases import say
from ...rules.waivers import ADOPT_LABEL, DECISIONS, VERB_LABELS, WaiverState
from ...services import waivers

CASE = Waiver._meta.get_field("drift_case")
#: What a rollout's page still shows of those that are over.
OVER_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Press:
    """A button."""

    verb: str
    label: str
    asks_why: bool


@dataclass(frozen=True, slots=True)
class WaiverShown:
    """``why_not`` says why its reader decides nothing about one that waits."""

    waiver: Waiver
    words: str
    look: str
    is_over: bool
    presses: tuple[Press, ...]
    why_not: tuple[str, ...]


def shown(rows: Iterable[Waiver], viewer: Actor, now: datetime) -> tuple[WaiverShown, ...]:
    return tuple(_shown(row, viewer, now) for row in rows)


def of_rollout(rollout: Rollout, viewer: Actor | None, now: datetime) -> tuple[WaiverShown, ...]:
    """What matters of a rollout's, newest first. One query on a rollout loaded whole; without ``viewer`` no buttons."""
    phases = {phase.pk: phase for phase in rollout.phases.all()}
    items = {item.pk: item for item in rollout.items.all()}
    open_ones: list[Waiver] = []
    over: list[Waiver] = []
    waivers_there = list(rollout.waivers.all())
    unloaded = [one for one in waivers_there if one.drift_case_id and not CASE.is_cached(one)]
    cases = rollout.drift_cases.in_bulk({one.drift_case_id for one in unloaded}) if unloaded else {}
    for waiver in waivers_there:
        waiver.rollout = rollout
        waiver.phase, waiver.item = phases.get(waiver.phase_id or 0), items.get(waiver.item_id or 0)
        if waiver.drift_case_id in cases:
            waiver.drift_case = cases[waiver.drift_case_id]
        if waiver.item is not None:
            waiver.item.phase = waiver.phase
        (open_ones if _is_open(waiver, now) else over).append(waiver)
    return tuple(_shown(one, viewer, now) for one in (*open_ones, *over[:OVER_SHOWN]))


def choices(rollout: Rollout, found: Iterable[WaiverShown], now: datetime) -> list[tuple[str, str]]:
    """What somebody could ask a waiver for: what the form sends, and its words."""
    asked = [one.waiver for one in found if one.waiver.state == WaiverState.ASKED]
    told: list[tuple[str, str]] = []
    for what in waivers.waivable(rollout, asked, now):
        if isinstance(what, Phase):
            told.append((f"{what.name}/", say("Skip {phase}", phase=what.title)))
        else:
            where = what.phase.name if what.phase else ""
            told.append((f"{where}/{what.key}", say("Go on without: {item}", item=what.title)))
    return told


def _is_open(waiver: Waiver, now: datetime) -> bool:
    return waiver.state == WaiverState.ASKED or waiver.stands(now)


def _shown(waiver: Waiver, viewer: Actor | None, now: datetime) -> WaiverShown:
    offered = waivers.offers(waiver, viewer, now) if viewer else {}
    presses = tuple(
        Press(
            verb,
            ADOPT_LABEL if waiver.adopts and verb == "grant" else VERB_LABELS[verb],
            asks_why=verb in ("refuse", "end"),
        )
        for verb, blockers in offered.items()
        if not blockers
    )
    messages = [each.message for verb, blockers in offered.items() if verb in DECISIONS for each in blockers]
    look = "go" if waiver.stands(now) else "wait" if waiver.state == WaiverState.ASKED else ""
    is_late = waiver.state == WaiverState.GRANTED and not waiver.stands(now)
    words = say("run out") if is_late else waiver.get_state_display()
    return WaiverShown(waiver, words, look, not _is_open(waiver, now), presses, tuple(dict.fromkeys(messages)))
