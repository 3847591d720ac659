"""Confirm a checklist item by hand, with evidence; automatic kinds check themselves and can't be ticked."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import get_user_model

from ..audit.actor import Actor
from ..models import ChecklistItem, Phase
from ..rules import guards, names
from ..rules.blockers import Blocker
from ..rules.checklist import Answer, Gate, ItemKind
from ..rules.comparison import Beside, Comparison, figures
from ..rules.facts import RolloutFacts
from ..rules.machine import PhaseState, Role, state_in_words
from ..rules.phrases import say, shorten
from ..rules.progress import blockers_of_answer, blockers_of_exit_item
from .refusals import in_evidence, refuse_if, role_missing
from .rollout_work import Work, working_on

LONGEST_EVIDENCE = 5_000
LONGEST_LINK = 500
#: What a comparison is asked for.
COMPARED = {"latency": say("latency"), "correctness": say("correctness"), "verdict": say("the whole")}
PAST = (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded besides the evidence, as it was written. Of a decision its ``owner``, who sees to it (left
    empty: who records it), and a ``link``; of a comparison with the baseline how latency and correctness do, the
    verdict, ``numbers`` as lines «name = new / baseline», and a ``link``.
    """

    owner: str = ""
    link: str = ""
    latency: str = ""
    correctness: str = ""
    verdict: str = ""
    numbers: str = ""


NOTHING_BESIDES = Recorded()


def confirm(
    item: ChecklistItem,
    *,
    by: Actor,
    evidence: str,
    channel: str = "",
    answer: str = "",
    recorded: Recorded = NOTHING_BESIDES,
) -> ChecklistItem:
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
        blockers += _in_what_is_recorded(item, recorded)
        refuse_if(blockers)
        _keep(item, recorded, by)
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


def _in_what_is_recorded(item: ChecklistItem, recorded: Recorded) -> list[Blocker]:
    """Why what is recorded besides the evidence is refused."""
    blockers = in_evidence("", LONGEST_EVIDENCE, recorded.link)
    if len(recorded.link) > LONGEST_LINK:
        message = say("A link has {most} characters at most: copy the plain address of the page.", most=LONGEST_LINK)
        blockers.append(Blocker("link_wrong", message))
    try:
        if recorded.link and (item.kind in (ItemKind.DECISION, ItemKind.COMPARISON)):
            names.web_address(recorded.link)
    except ValueError as wrong:
        blockers.append(Blocker("link_wrong", say("The link is wrong: {why}", why=wrong.args[0])))
    if item.kind == ItemKind.DECISION and recorded.owner and not _is_active(recorded.owner):
        message = say("There is no active portal user {owner}: name who sees to it.", owner=shorten(recorded.owner, 60))
        blockers.append(Blocker("owner_unknown", message))
    if item.kind == ItemKind.COMPARISON:
        for name, what in COMPARED.items():
            if getattr(recorded, name) not in list(Beside):
                message = say("Say how {what} does beside the baseline: better, alike or worse.", what=what)
                blockers.append(Blocker(f"{name}_missing", message))
        try:
            figures(recorded.numbers)
        except ValueError as wrong:
            blockers.append(Blocker("numbers_wrong", wrong.args[0]))
    return blockers


def _is_active(name: str) -> bool:
    return get_user_model()._default_manager.filter(username=name, is_active=True).exists()


def _keep(item: ChecklistItem, recorded: Recorded, by: Actor) -> None:
    """As it was looked at."""
    is_decision, is_comparison = item.kind == ItemKind.DECISION, item.kind == ItemKind.COMPARISON
    item.owner = (recorded.owner or by.name) if is_decision else ""
    item.link = recorded.link if is_decision or is_comparison else ""
    item.comparison = {}
    if is_comparison:
        sides = (Beside(recorded.latency), Beside(recorded.correctness), Beside(recorded.verdict))
        item.comparison = Comparison(*sides, figures(recorded.numbers)).as_dict()


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
