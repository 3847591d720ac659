"""Confirm a checklist item by hand, with evidence; automatic kinds check themselves and can't be ticked."""

from __future__ import annotations

from ..audit.actor import Actor
from ..models import ChecklistItem, Phase
from ..rules import guards
from ..rules.blockers import Blocker
from ..rules.checklist import Answer, Gate, ItemKind
from ..rules.facts import RolloutFacts
from ..rules.machine import PhaseState, Role, state_in_words
from ..rules.phrases import say
from ..rules.progress import blockers_of_answer, blockers_of_exit_item
from .refusals import in_evidence, refuse_if, role_missing
from .rollout_work import Work, working_on

LONGEST_EVIDENCE = 5_000
PAST = (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK)


def confirm(item: ChecklistItem, *, by: Actor, evidence: str, channel: str = "", answer: str = "") -> ChecklistItem:
    """Say that an item is done: who, when, with what evidence (a link or a note; for a decision, what was decided).

    Of a criterion ``answer`` says whether its sentence holds, ``yes`` or ``no``: that is what was seen, not what one
    would like.

    Raises ``Refused``; then nothing changed.
    """
    evidence, channel = evidence.strip(), channel.strip()
    with working_on(item.rollout_id, "item.answer" if item.criterion else "item.confirm", by=by) as work:
        item = _item(item, work)
        blockers = in_the_way("confirm", item, item.phase, work.facts(), by)
        if not evidence:
            blockers.append(Blocker("evidence_missing", say("Evidence is missing: give a link or a note.")))
        blockers += in_evidence(evidence, LONGEST_EVIDENCE, channel)
        if item.kind == ItemKind.ANNOUNCEMENT and not channel:
            blockers.append(Blocker("channel_missing", say("Say in which channel it was announced.")))
        is_criterion = item.kind == ItemKind.CRITERION
        if is_criterion and answer not in list(Answer):
            blockers.append(Blocker("answer_missing", say("Say whether it holds: answer yes or no.")))
        refuse_if(blockers)
        item.confirmed_by, item.confirmed_at, item.evidence, item.channel = (
            by.name,
            work.now,
            evidence,
            channel[:200] if item.kind == ItemKind.ANNOUNCEMENT else "",
        )
        item.answer = answer if is_criterion else ""
        item.save()
        work.settle()  # what was approved with the checklist as it stood is asked for again
    return item


def unconfirm(item: ChecklistItem, *, by: Actor, reason: str) -> ChecklistItem:
    """Take a confirmation back, with a reason. Raises ``Refused``; then nothing changed."""
    with working_on(item.rollout_id, "item.unconfirm", by=by, reason=reason.strip()) as work:
        item = _item(item, work)
        blockers = in_the_way("unconfirm", item, item.phase, work.facts(), by)
        if not reason.strip():
            blockers.append(Blocker("reason_missing", say("Taking a confirmation back needs a reason.")))
        refuse_if(blockers)
        item.forget_confirmation()
        item.save()
        work.settle()  # what was approved with the checklist as it stood is asked for again
    return item


def _item(item: ChecklistItem, work: Work) -> ChecklistItem:
    """The item as it is now, with its phase and rollout."""
    work.recording.about = current = next(each for each in work.rollout.items.all() if each.pk == item.pk)
    current.phase = next((phase for phase in work.rollout.phases.all() if phase.pk == current.phase_id), None)
    return current


def in_the_way(verb: str, item: ChecklistItem, phase: Phase | None, facts: RolloutFacts, by: Actor) -> list[Blocker]:
    """Why this person may not ``confirm`` or ``unconfirm`` the item of this attempt now, whatever they write."""
    blockers = role_missing(by, Role.MANAGER, say("Confirming"))
    ended = [guards.is_over(facts.state)] if facts.is_over else []
    if phase is not None and phase.state in PAST:
        state = state_in_words(phase.state)
        message = say("{phase} is {state}: its checklist is history.", phase=phase.title, state=state)
        ended.append(Blocker("phase_past", message))
    blockers += ended
    of_step = []
    if item.step is not None and phase is not None and not ended:
        of_step = blockers_of_answer(facts.phase(phase.name), item.step)
    if verb == "unconfirm":
        blockers += [blocker for blocker in of_step if blocker.code == "step_past"]
        if item.confirmed_at is None:
            blockers.append(Blocker("not_confirmed", say("{item} is not confirmed.", item=item.title)))
        return blockers
    if item.is_automatic:
        message = say("{item} checks itself from GitLab: it can't be ticked by hand.", item=item.title)
        blockers.append(Blocker("automatic", message))
    elif item.confirmed_at is not None:
        message = say("{who} has confirmed it already. Undo that first.", who=item.confirmed_by)
        blockers.append(Blocker("confirmed", message))
    elif of_step:
        blockers += of_step
    elif item.gate == Gate.COMPLETE and phase is not None and not ended:
        blockers += blockers_of_exit_item(facts.phase(phase.name))
    return blockers
