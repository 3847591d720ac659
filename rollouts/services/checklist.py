"""Confirm a checklist item by hand, with evidence; automatic kinds check themselves and can't be ticked."""

from __future__ import annotations

from ..audit.actor import Actor
from ..models import ChecklistItem
from ..rules.blockers import Blocker
from ..rules.checklist import Gate, ItemKind
from ..rules.machine import OVER, PhaseState, Role, state_in_words
from ..rules.phrases import say
from ..rules.progress import blockers_of_exit_item
from .refusals import in_evidence, refuse_if
from .rollout_work import Work, working_on

LONGEST_EVIDENCE = 5_000
PAST = (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK)


def confirm(item: ChecklistItem, *, by: Actor, evidence: str, channel: str = "") -> ChecklistItem:
    """Say that an item is done: who, when, with what evidence (a link or a note; for a decision, what was decided).

    Raises ``Refused``; then nothing changed.
    """
    evidence, channel = evidence.strip(), channel.strip()
    with working_on(item.rollout_id, "item.confirm", by=by) as work:
        item = _item(item, work)
        blockers = _blockers(item, by)
        if item.is_automatic:
            blockers.append(
                Blocker(
                    "automatic", say("{item} checks itself from GitLab: it can't be ticked by hand.", item=item.title)
                )
            )
        blockers += _too_early(item, work)
        if item.confirmed_at is not None:
            blockers.append(
                Blocker("confirmed", say("{who} has confirmed it already. Undo that first.", who=item.confirmed_by))
            )
        if not evidence:
            blockers.append(Blocker("evidence_missing", say("Evidence is missing: give a link or a note.")))
        if len(evidence) > LONGEST_EVIDENCE:
            blockers.append(
                Blocker(
                    "evidence_long", say("Evidence is limited to {most} characters: link to it.", most=LONGEST_EVIDENCE)
                )
            )
        blockers += in_evidence(f"{evidence} {channel}")
        if item.kind == ItemKind.ANNOUNCEMENT and not channel:
            blockers.append(Blocker("channel_missing", say("Say in which channel it was announced.")))
        refuse_if(blockers)
        item.confirmed_by, item.confirmed_at, item.evidence, item.channel = (
            by.name,
            work.now,
            evidence,
            channel[:200] if item.kind == ItemKind.ANNOUNCEMENT else "",
        )
        item.save()
        work.settle()  # what was approved with the checklist as it stood is asked for again
    return item


def unconfirm(item: ChecklistItem, *, by: Actor, reason: str) -> ChecklistItem:
    """Take a confirmation back, with a reason. Raises ``Refused``; then nothing changed."""
    with working_on(item.rollout_id, "item.unconfirm", by=by, reason=reason.strip()) as work:
        item = _item(item, work)
        blockers = _blockers(item, by)
        if item.confirmed_at is None:
            blockers.append(Blocker("not_confirmed", say("{item} is not confirmed.", item=item.title)))
        if not reason.strip():
            blockers.append(Blocker("reason_missing", say("Taking a confirmation back needs a reason.")))
        refuse_if(blockers)
        item.confirmed_by, item.confirmed_at, item.evidence, item.channel = "", None, "", ""
        item.save()
        work.settle()  # what was approved with the checklist as it stood is asked for again
    return item


def _item(item: ChecklistItem, work: Work) -> ChecklistItem:
    """The item as it is now, with its phase and rollout."""
    work.recording.about = current = next(each for each in work.rollout.items.all() if each.pk == item.pk)
    current.phase = next((phase for phase in work.rollout.phases.all() if phase.pk == current.phase_id), None)
    return current


def _too_early(item: ChecklistItem, work: Work) -> list[Blocker]:
    """An exit item is confirmed once GitLab was read at what its phase opens, not before anybody could know."""
    if item.gate != Gate.COMPLETE or item.phase is None or item.phase.state in PAST:
        return []
    return blockers_of_exit_item(work.facts().phase(item.phase.name))


def _blockers(item: ChecklistItem, by: Actor) -> list[Blocker]:
    blockers = []
    if not by.person.has(Role.MANAGER):
        blockers.append(Blocker("role", say("Confirming takes the role manager; {by} has not got it.", by=by.name)))
    if item.rollout.state in OVER:
        blockers.append(
            Blocker("rollout_over", say("The rollout is {state}.", state=state_in_words(item.rollout.state)))
        )
    if item.phase is not None and item.phase.state in PAST:
        state = state_in_words(item.phase.state)
        blockers.append(
            Blocker(
                "phase_past", say("{phase} is {state}: its checklist is history.", phase=item.phase.title, state=state)
            )
        )
    return blockers
