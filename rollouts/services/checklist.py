"""Confirm a checklist item by hand, with evidence; automatic kinds check themselves and can't be ticked."""

from __future__ import annotations

from ..audit.actor import Actor
from ..audit.recording import Recording, recorded
from ..models import ChecklistItem, Rollout, clock
from ..rules.blockers import Blocker
from ..rules.checklist import Gate, ItemKind
from ..rules.machine import OVER, PhaseState, Role, state_in_words
from ..rules.phrases import say
from ..rules.progress import blockers_of_exit_item
from . import facts as facts_of
from .reconcile import NO_LOCKS, reconcile
from .refusals import in_evidence, refuse_if

LONGEST_EVIDENCE = 5_000
PAST = (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK)


def confirm(item: ChecklistItem, *, by: Actor, evidence: str, channel: str = "") -> ChecklistItem:
    """Say that an item is done: who, when, with what evidence (a link or a note; for a decision, what was decided).

    Raises ``Refused``; then nothing changed.
    """
    evidence, channel = evidence.strip(), channel.strip()
    with recorded("item.confirm", by=by) as recording:
        item = _locked(item, recording)
        blockers = _blockers(item, by)
        if item.is_automatic:
            blockers.append(
                Blocker(
                    "automatic", say("{item} checks itself from GitLab: it can't be ticked by hand.", item=item.title)
                )
            )
        blockers += _too_early(item)
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
            clock.now(),
            evidence,
            channel[:200] if item.kind == ItemKind.ANNOUNCEMENT else "",
        )
        item.save()
        _look_again(item)
    return item


def unconfirm(item: ChecklistItem, *, by: Actor, reason: str) -> ChecklistItem:
    """Take a confirmation back, with a reason. Raises ``Refused``; then nothing changed."""
    with recorded("item.unconfirm", by=by, reason=reason.strip()) as recording:
        item = _locked(item, recording)
        blockers = _blockers(item, by)
        if item.confirmed_at is None:
            blockers.append(Blocker("not_confirmed", say("{item} is not confirmed.", item=item.title)))
        if not reason.strip():
            blockers.append(Blocker("reason_missing", say("Taking a confirmation back needs a reason.")))
        refuse_if(blockers)
        item.confirmed_by, item.confirmed_at, item.evidence, item.channel = "", None, "", ""
        item.save()
        _look_again(item)
    return item


def _locked(item: ChecklistItem, recording: Recording) -> ChecklistItem:
    recording.rollout = Rollout.objects.lock(item.rollout_id)
    item = ChecklistItem.objects.select_related("phase", "rollout").get(pk=item.pk)
    recording.about = item
    return item


def _look_again(item: ChecklistItem) -> None:
    """What was approved with the checklist as it stood is asked for again."""
    reconcile(Rollout.objects.whole().get(pk=item.rollout_id), clock.now())


def _too_early(item: ChecklistItem) -> list[Blocker]:
    """An exit item is confirmed once GitLab was read at what its phase opens, not before anybody could know."""
    if item.gate != Gate.COMPLETE or item.phase is None or item.phase.state in PAST:
        return []
    facts = facts_of.for_rollout(Rollout.objects.whole().get(pk=item.rollout_id), clock.now(), NO_LOCKS)
    return blockers_of_exit_item(facts.phase(item.phase.name))


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
