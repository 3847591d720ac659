"""Waivers: asked for, granted or refused by somebody else, ended early, run out. One way for every door."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any

from ..audit import source
from ..audit.actor import Actor
from ..models import ChecklistItem, DriftCase, Phase, Rollout, Waiver
from ..rules import guards
from ..rules.blockers import Blocker
from ..rules.datetimes import asked_until
from ..rules.document import DocumentRefused
from ..rules.drift_cases import LONGEST
from ..rules.facts import RolloutFacts
from ..rules.machine import PhaseState, state_in_words
from ..rules.phrases import say
from ..rules.template import Template
from ..rules.waivers import VERBS, Asked, Waivable, WaiverState, blockers_of_asking, blockers_of_deciding
from . import adopting, drift_cases
from . import facts as facts_of
from .refusals import Refused, in_evidence, refuse_if
from .rollout_work import Work, working_on

LONGEST_TEXT = 5_000
#: A phase may be skipped before it is asked for; one that was needs another waiver when its own has run out.
SKIPPABLE = (PhaseState.PLANNED, PhaseState.SKIPPED)
PAST = (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK)
What = Phase | ChecklistItem | DriftCase


def until(written: str, zone: tzinfo) -> datetime | None:
    """The end of a waiver as somebody writes it: a day, which it includes, or a time. Raises ``Refused``."""
    try:
        return asked_until(written, zone) if written.strip() else None
    except ValueError as wrong:
        raise Refused([Blocker("not_written", wrong.args[0])]) from None


def ask(what: What, *, by: Actor, reason: str, ends_at: datetime | None, adopts: bool = False) -> Waiver:
    """Ask that a phase may be skipped, that the rollout may go on without an item, or that drift stands for a while
    or (``adopts``) is taken over by the plan. Raises ``Refused``.
    """
    reason, came = reason.strip(), source.current()
    with working_on(what.rollout_id, "waiver.ask", by=by, reason=reason) as work:
        current = _current(work, what)
        refuse_if(blockers_of_ask(work.rollout, current, by, work.now, reason=reason, ends_at=ends_at, adopts=adopts))
        rule = rule_of(work.rollout, current, work.facts(), adopts=adopts)
        assert rule is not None
        assert ends_at is not None
        waiver: Waiver = Waiver.objects.create(
            rollout=work.rollout,
            phase=current if isinstance(current, Phase) else getattr(current, "phase", None),
            item=current if isinstance(current, ChecklistItem) else None,
            drift_case=current if isinstance(current, DriftCase) else None,
            adopts=adopts,
            covers=drift_cases.stands_at(work.rollout) if isinstance(current, DriftCase) else {},
            asked_by=by.name,
            asked_at=work.now,
            reason=reason,
            ends_at=ends_at,
            rule=rule.as_json(),
            source=came.name,
            way=dict(came.way()),
        )
        work.recording.about = waiver
    return waiver


def decide(verb: str, waiver: Waiver, *, by: Actor, note: str = "") -> Waiver:
    """``grant``, ``refuse``, ``withdraw`` or ``end`` it. Raises ``Refused``; then nothing changed."""
    note = note.strip()
    with working_on(waiver.rollout_id, f"waiver.{verb}", by=by, reason=note) as work:
        work.recording.about = current = Waiver.objects.with_what().get(pk=waiver.pk)
        refuse_if(blockers_of(verb, current, by, work.now, note=note))
        if verb == "grant" and current.adopts:
            adopting.take_over(work, current, by=by, note=note)
            return current
        getattr(current, verb)(by=by.name, at=work.now, note=note)
        current.save()
        if verb == "grant":
            what = _current(work, current.what)
            what.waiver = current
            what.save()
            if isinstance(what, DriftCase):
                work.load_again()
        else:
            work.load_again()  # what rested on it is judged by it as it is now
        work.settle()  # what was approved with the checklist as it stood is asked for again
    return current


def blockers_of_ask(
    rollout: Rollout,
    what: What,
    by: Actor,
    now: datetime,
    *,
    reason: str = "-",
    ends_at: datetime | None,
    adopts: bool = False,
) -> list[Blocker]:
    """Why this can't be asked for now. ``rollout`` is loaded whole, ``what`` is of it."""
    facts = facts_of.for_rollout(rollout, now) if isinstance(what, DriftCase) else None
    rule = rule_of(rollout, what, facts, adopts=adopts)
    blockers = blockers_of_asking(
        rule, getattr(what, "title", str(what)), by.person, now, reason=reason, ends_at=ends_at
    )
    if rollout.is_over:
        blockers.append(guards.is_over(rollout.state))
    if isinstance(what, DriftCase):
        assert facts is not None
        blockers += adopting.blockers_of(what, facts, adopts=adopts)
        phase = None
    else:
        phase = what if isinstance(what, Phase) else what.phase
    if phase is not None and (phase.state not in SKIPPABLE if what is phase else phase.state in PAST):
        message = say("{phase} is {state}: there is nothing to waive.", phase=phase.title,
                      state=state_in_words(phase.state))  # fmt: skip
        blockers.append(Blocker("phase_past", message, f"#phase-{phase.name}"))
    if standing := what.waivers.filter(state=WaiverState.ASKED, **_itself(what)).first():
        message = say("{who} has asked for it already.", who=standing.asked_by)
        blockers.append(Blocker("another_waiver", message, f"#waiver-{standing.pk}"))
    return blockers + in_evidence(reason, LONGEST_TEXT)


def _itself(what: What) -> dict[str, Any]:
    """A phase's waivers are those of its items too."""
    return {"item": None} if isinstance(what, Phase) else {}


def blockers_of(verb: str, waiver: Waiver, by: Actor, now: datetime, *, note: str = "-") -> list[Blocker]:
    """Why this person can't do this to the waiver now."""
    blockers = blockers_of_deciding(verb, asked_of(waiver), by.person, now, note=note)
    if verb == "grant" and waiver.rollout.is_over:
        blockers.append(guards.is_over(waiver.rollout.state))
    if verb == "grant" and waiver.drift_case is not None:
        blockers += drift_cases.blockers_of_letting_stand(waiver, waiver.drift_case)
    return blockers + in_evidence(note, LONGEST_TEXT)


def offers(waiver: Waiver, by: Actor, now: datetime) -> dict[str, list[Blocker]]:
    """What fits the waiver's state, each with what stands in this person's way."""
    return {
        verb: blockers_of(verb, waiver, by, now) for verb, (state, _target) in VERBS.items() if waiver.state == state
    }


def asked_of(waiver: Waiver) -> Asked:
    """As its deciders see it: who could grant it when it was asked for may, if the template lets them now."""
    then = Waivable.from_json(waiver.rule)
    now = then if waiver.adopts else rule_of(waiver.rollout, waiver.what)
    rule = then if now is None else Waivable(then.roles & now.roles, then.groups & now.groups, now.longest)
    hand = source.hand_in(waiver.source, waiver.way)
    return Asked(waiver.state, waiver.asked_by, hand, waiver.ends_at, rule)


def rule_of(rollout: Rollout, what: Any, facts: RolloutFacts | None = None, *, adopts: bool = False) -> Waivable | None:
    """Who may waive this, by the template as it is now; None where nobody may, or it can't be read.

    Drift is let stand by whoever approves; ``facts`` say by whose yes the plan takes it over.
    """
    if isinstance(what, DriftCase):
        return adopting.circle(facts, what) if adopts and facts is not None else Waivable(longest=LONGEST)
    try:
        template: Template = rollout.template.template
    except DocumentRefused:
        return None
    if isinstance(what, Phase):
        return template.waivable(what.name)
    return template.waivable(what.phase.name if what.phase else None, what.key)


def waivable(rollout: Rollout, asked: Iterable[Waiver], now: datetime) -> list[Phase | ChecklistItem]:
    """What a waiver could be asked for; ``rollout`` is loaded whole, ``asked`` are its open ones. No queries."""
    if rollout.is_over:
        return []
    taken = {(one.phase_id if one.item_id is None else None, one.item_id) for one in asked}
    phases = {phase.pk: phase for phase in facts_of.newest_attempts(rollout)}
    found: list[Phase | ChecklistItem] = [
        phase
        for phase in phases.values()
        if phase.optional and phase.state in SKIPPABLE and not _stands(phase, now) and (phase.pk, None) not in taken
    ]
    for item in rollout.items.all():
        phase = phases.get(item.phase_id or 0)
        if item.phase_id is not None and (phase is None or phase.state in PAST):
            continue
        item.phase = phase
        if item.confirmed_at is None and not _stands(item, now) and (None, item.pk) not in taken:
            found.append(item)
    return [what for what in found if rule_of(rollout, what) is not None]


def named(rollout: Rollout, phase: str, item: str = "") -> What:
    """The phase of this name, or the item of this key (of the whole rollout where ``phase`` is empty).

    Raises ``LookupError`` with what there is.
    """
    phases = {one.name: one for one in facts_of.newest_attempts(rollout)}
    if phase and phase not in phases:
        raise LookupError(f"{rollout.slug} has no phase {phase[:50]}. There are: {', '.join(phases)}.")
    if not item:
        if not phase:
            raise LookupError("Say what: a phase, an item, or the item of a phase.")
        return phases[phase]
    rows = [row for row in rollout.items.all() if row.key == item]
    for row in rows:
        row.phase = next((one for one in phases.values() if one.pk == row.phase_id), None)
    meant = [row for row in rows if (row.phase.name if row.phase else "") == phase]
    meant = meant or ([] if phase or len(rows) != 1 else rows)
    if not meant:
        raise LookupError(f"{rollout.slug} has no such item {item[:50]}. See its checklist.")
    return meant[0]


def _stands(what: What, now: datetime) -> bool:
    """One that stands long enough yet that nobody need ask for the next."""
    return what.waiver is not None and what.waiver.stands(now)


def _current(work: Work, what: Any) -> What:
    """The same as it is now that nobody else can change it."""
    if isinstance(what, Phase):
        return next(phase for phase in work.rollout.phases.all() if phase.pk == what.pk)
    if isinstance(what, DriftCase):
        case: DriftCase = DriftCase.objects.locked().get(pk=what.pk)
        case.rollout = work.rollout
        return case
    item: ChecklistItem = next(each for each in work.rollout.items.all() if each.pk == what.pk)
    item.phase = next((phase for phase in work.rollout.phases.all() if phase.pk == item.phase_id), None)
    return item


def as_json(waiver: Waiver, by: Actor, now: datetime) -> dict[str, Any]:
    """As the API and the command tell it to this person, who may do what is left in ``may``."""
    page = waiver.rollout.get_absolute_url()
    return {
        "id": waiver.pk,
        "rollout": waiver.rollout.slug,
        "phase": waiver.phase.name if waiver.phase else None,
        "item": waiver.item.key if waiver.item else None,
        "drift_case": waiver.drift_case_id,
        "adopts": waiver.adopts,
        "what": str(waiver),
        "state": waiver.state,
        "stands": waiver.stands(now),
        "asked_by": waiver.asked_by,
        "asked_at": waiver.asked_at.isoformat(),
        "reason": waiver.reason,
        "ends_at": waiver.ends_at.isoformat(),
        "decided_by": waiver.decided_by,
        "decided_at": waiver.decided_at.isoformat() if waiver.decided_at else None,
        "note": waiver.note,
        "closed_by": waiver.closed_by,
        "closed_at": waiver.closed_at.isoformat() if waiver.closed_at else None,
        "closing": waiver.closing,
        "may": {
            verb: [blocker.as_json(page) for blocker in blockers] for verb, blockers in offers(waiver, by, now).items()
        },
        "url": f"{page}#waiver-{waiver.pk}",
    }
