"""Transitions: the only way in which a phase or a rollout changes state, for every door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..audit.actor import Actor
from ..models import ApprovalRequest, Phase, Rollout, clock
from ..rules import gitlab_text, guards
from ..rules.blockers import Blocker
from ..rules.facts import RolloutFacts
from ..rules.guards import Wish
from ..rules.machine import PHASE_VERBS, ROLLOUT_VERBS, state_in_words
from ..rules.percentages import as_step, plain_number
from ..rules.phrases import say
from . import approvals, outbox, overrides, reconcile
from . import facts as facts_of
from .refusals import Refused, refuse_if
from .rollout_work import Work, working_on
from .transition_effects import EFFECTS, Effect


def perform(
    verb: str,
    phase: Phase,
    *,
    by: Actor,
    reason: str = "",
    to: Decimal | None = None,
    override: bool = False,
    confirm: str = "",
    looked_at: str = "",
    seen: int | None = None,
    request: int | None = None,
    saw: Mapping[str, Any] | None = None,
) -> Phase:
    """Take one transition of ``rules.machine.PHASE_VERBS``; returns the phase as it is then.

    ``seen`` is the phase's version that the person looked at, ``request`` the number of the request, ``looked_at`` its
    digest, which whoever approves or rejects must name: if somebody was faster, or another request stands there by now,
    the answer says so. ``saw`` is what it is done by, for the event. ``to``, ``override`` and ``confirm`` are
    ``guards.Wish``'s.
    Raises ``Refused`` with every blocker; then nothing changed.
    """
    wish = Wish(reason.strip(), to, looked_at, override, confirm)
    widens = verb in guards.HELD_BY_LOCKS
    with working_on(phase.rollout_id, f"phase.{verb}", by=by, reason=wish.reason, in_order=widens) as work:
        recording, current = work.recording, work.phase(phase.name)
        _refuse_if_overtaken(current, phase, seen)
        _refuse_another_request(current, request)
        _settle_first(work, current, verb)
        facts = work.facts(with_locks=widens)
        passed = guards.blockers(verb, facts, current.name, by.person, replace(wish, override=False))
        refuse_if(guards.blockers(verb, facts, current.name, by.person, wish) if override else passed)
        if override and passed:
            overrides.record(current, verb, passed, by=by, reason=wish.reason, now=work.now)
            recording.notes["overridden"] = [blocker.message for blocker in passed]
        recording.notes |= _told(verb, facts, current, wish) | _instead_of(verb, facts, by) | dict(saw or {})
        recording.about = result = EFFECTS[verb](Effect(work, current, facts, by, wish))
        current.save()
        work.follow()
        outbox.owe(
            work,
            result,
            verb,
            facts.expected,
            by=by,
            words=_note(verb, result, by, wish),
            overridden=override and bool(passed),
        )
    return result


def _instead_of(verb: str, facts: RolloutFacts, by: Actor) -> dict[str, Any]:
    """For whom who is away the person does it, for the history; nobody's rights are theirs by that."""
    if verb not in guards.BY_POLICY and (not facts.owners or by.name in facts.owners):
        return {}
    names = set(by.person.stands_for)
    names &= names if verb in guards.BY_POLICY else set(facts.owners)
    return {"instead_of": sorted(names)} if names else {}


def _settle_first(work: Work, phase: Phase, verb: str) -> None:
    """An answer is to what is asked now: what has changed since is written down before it, in the same transaction.

    Before everything else what was read since, and what makes approvals count again: who starts what is approved waits
    for no job.
    """
    if work.is_marked:
        work.settle_reading()
    facts = work.facts()
    for one in approvals.to_settle(work.rollout, facts):
        here = one.phase.pk == phase.pk and one.verb != "expire" and one.verb not in approvals.REMINDS
        if here and (verb in guards.BY_POLICY or one.counts_again(facts)):
            reconcile.settle_request(one, facts, work.recording, first=True)


def _note(verb: str, phase: Phase, by: Actor, wish: Wish) -> str:
    """What the rollout issue in GitLab is told."""
    at = f" ({phase.percentage} %)" if phase.percentage and verb in ("start", "advance") else ""
    why = f"\n\n{gitlab_text.quoted(wish.reason)}" if wish.reason.strip() else ""
    loud = " **Overridden.**" if wish.override else ""
    who, what = (f"**{gitlab_text.inline(name)}**" for name in (by.name, str(phase)))
    return f"{who} {PHASE_VERBS[verb].did(what)}{at}.{loud}{why}"


def said_in(form: Mapping[str, str]) -> dict[str, Any]:
    """What a form or a request says besides the verb, as arguments of ``perform`` and ``dry_run.of_phase``.

    Raises ``Refused`` for what can't be read: left out, it would be done to whatever stands there by then.
    """
    return {
        "reason": form.get("reason", ""),
        "to": _step(form.get("to", "")),
        "override": _is_yes("override", form.get("override", "")),
        "confirm": form.get("confirm", ""),
        "looked_at": form.get("looked_at", ""),
        "seen": _number("seen", form.get("seen", "")),
        "request": _number("request", form.get("request", "")),
    }


def _number(name: str, written: str) -> int | None:
    if not written:
        return None
    if written.isascii() and written.isdecimal() and len(written) < 10:
        return int(written)
    message = say("{name}: «{written}» is no number. Load the page again and press its button.", name=name,
               written=written[:40])  # fmt: skip
    raise Refused([Blocker("not_understood", message)])


def _is_yes(name: str, written: str) -> bool:
    if written in ("", "yes"):
        return written == "yes"
    message = say("{name}: «{written}» is not understood. Write yes, or leave it out.", name=name, written=written[:40])
    raise Refused([Blocker("not_understood", message)])


def _step(written: str) -> Decimal | None:
    try:
        return as_step(written) if written else None
    except ValueError as wrong:
        raise Refused([Blocker("no_such_step", str(wrong))]) from None


def _told(verb: str, facts: RolloutFacts, phase: Phase, wish: Wish) -> dict[str, Any]:
    """What the event says besides what changed: the step that it is about."""
    if verb not in ("request", "approve", "reject", "withdraw", "start", "advance"):
        return {}
    wanted = facts.target(facts.phase(phase.name), wish.to)
    return {"percentage": plain_number(wanted.percentage)} if wanted and wanted.percentage is not None else {}


def perform_on_rollout(verb: str, rollout: Rollout, *, by: Actor, reason: str = "", seen: int | None = None) -> Rollout:
    """``abandon`` or ``close`` a rollout; ``seen`` is the version that the person looked at. Raises ``Refused``."""
    with working_on(rollout.pk, f"rollout.{verb}", by=by, reason=reason.strip()) as work:
        rollout, now = work.rollout, work.now
        if seen is not None and rollout.version != seen:
            raise Refused([_overtaken(rollout.title, rollout.state, "")])
        refuse_if(guards.rollout_blockers(verb, work.facts(), by.person, reason=reason))
        if verb == "abandon":
            _withdraw_requests(rollout, by, now)
            rollout.abandoned_at = now
            rollout.abandon()
        else:
            rollout.closed_at = now
            rollout.close()
        rollout.save()
        work.recording.about = rollout
        work.follow()
    return rollout


def _withdraw_requests(rollout: Rollout, by: Actor, now: datetime) -> None:
    """Nothing of an abandoned rollout waits for approval."""
    for phase in facts_of.newest_attempts(rollout):
        for request in phase.standing_requests:
            request.withdraw(by=by.name, at=now, reason=say("the rollout was abandoned"))
            request.save()
            phase.withdraw(reason=say("the rollout was abandoned"))
            phase.save()


def is_known(verb: str, phase: str) -> bool:
    """Whether there is such a verb: of the rollout for the phase name ``rollout``, of a phase otherwise."""
    return verb in (ROLLOUT_VERBS if phase == "rollout" else PHASE_VERBS)


def digest_of(rollout: Rollout, phase: str) -> str:
    """What stands under the request of a phase now, which who decides must have looked at; empty without one."""
    now = facts_of.for_rollout(Rollout.objects.for_rules().get(pk=rollout.pk), clock.now())
    return next((each.request.stands for each in now.phases if each.name == phase and each.request), "")


def _refuse_if_overtaken(current: Phase, phase: Phase, seen: int | None) -> None:
    if current.pk != phase.pk or (seen is not None and current.version != seen):
        raise Refused([_overtaken(current.title, current.state, f"#phase-{current.name}")])


def _overtaken(title: str, state: str, where: str) -> Blocker:
    message = say(
        "Somebody was faster: {phase} is {state} by now. Look at the page again.",
        phase=title,
        state=state_in_words(state),
    )
    return Blocker("changed_meanwhile", message, where)


def _refuse_another_request(phase: Phase, number: int | None) -> None:
    """Who names a request means that one: what stands there by now may be another."""
    if number is None or number in [standing.pk for standing in phase.standing_requests]:
        return
    ended = ApprovalRequest.objects.filter(pk=number, phase__rollout=phase.rollout_id).first()
    state = ended.get_state_display() if ended else say("unknown")
    message = say("Request {number} is {state}: nothing is done to another that may stand in its place. "
               "Look at the page again.", number=str(number), state=state)  # fmt: skip
    raise Refused([Blocker("changed_meanwhile", message, f"#phase-{phase.name}")])
