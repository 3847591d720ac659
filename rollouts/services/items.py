"""A checklist item as one person may see it, and what that person can do to it: for every door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..audit.actor import Actor
from ..models import ChecklistItem, Phase, Rollout
from ..rules.comparison import Comparison
from ..rules.facts import ItemFacts, RolloutFacts
from . import checklist
from . import facts as facts_of
from .checklist import NOTHING_BESIDES, Recorded
from .issues import IssueShown, issue_shown

VERBS = ("confirm", "unconfirm")


@dataclass(frozen=True, slots=True)
class Item:
    """A checklist item: ``words`` is the fact behind the verdict where no issue says it.

    ``phase`` is empty for an item of the whole rollout. ``may_confirm`` and ``may_undo`` say what this person can do to
    it now, ``waits`` of an exit item why nobody can know it yet. ``waived`` tells by which waiver it is gone without,
    or that this is over.
    """

    key: str
    phase: str
    anchor: str
    title: str
    help: str
    ok: bool
    waived: str
    required: bool
    words: str
    issue: IssueShown | None
    confirmed_by: str
    confirmed_at: datetime | None
    channel: str
    pk: int
    kind: str
    may_confirm: bool
    waits: str
    may_undo: bool
    guide: str
    row: ChecklistItem
    criterion: str
    step: Decimal | None
    answer: str
    owner: str
    link: str
    comparison: Comparison | None


def of(rollout: Rollout, facts: RolloutFacts, viewer: Actor) -> tuple[Item, ...]:
    """Every item of the newest attempts, in the order of the facts. No queries on a rollout loaded whole."""
    phases = {phase.name: phase for phase in facts_of.newest_attempts(rollout)}
    rows = {(row.phase_id, row.key): row for row in rollout.items.all()}
    judged = ((item, phases.get(item.phase or "")) for item in facts.items)
    return tuple(
        _item(item, rows[phase.pk if phase else None, item.key], rollout, phase, viewer, facts)
        for item, phase in judged
    )


def _item(
    item: ItemFacts, row: ChecklistItem, rollout: Rollout, phase: Phase | None, viewer: Actor, facts: RolloutFacts
) -> Item:
    issue = facts_of.issue_for(rollout, row.role, item.phase or "") if row.role else None
    ways = {verb: checklist.in_the_way(verb, row, phase, facts, viewer) for verb in VERBS}
    return Item(
        key=item.key,
        phase=item.phase or "",
        anchor=item.where.removeprefix("#"),
        title=item.title,
        help=row.help,
        ok=item.verdict.satisfied,
        waived=_waived(item, facts.now),
        required=item.required,
        words=item.verdict.words,
        issue=issue_shown(issue, viewer, facts.now) if issue else None,
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        channel=row.channel,
        pk=row.pk,
        kind=row.kind,
        may_confirm=not ways["confirm"],
        may_undo=not ways["unconfirm"],
        guide=row.guide,
        row=row,
        criterion=row.criterion,
        step=row.step,
        answer=row.answer,
        owner=row.owner,
        link=row.link,
        comparison=Comparison.from_dict(row.comparison),
        waits=next((each.message for each in ways["confirm"] if each.code == "too_early"), ""),
    )


def _waived(item: ItemFacts, now: datetime) -> str:
    if item.waiver is None or item.verdict.satisfied:
        return ""
    return item.waiver.words if item.waiver.stands(now) else item.waiver.over_words


def named(rollout: Rollout, key: str, phase: str = "") -> ChecklistItem:
    """The item of this key: of a phase's newest attempt, or without ``phase`` the only one that has the key.

    Raises ``LookupError`` with the keys that there are.
    """
    phases = {found.pk: found.name for found in facts_of.newest_attempts(rollout)}
    rows = [row for row in rollout.items.all() if row.phase_id is None or row.phase_id in phases]
    meant = [row for row in rows if row.key == key and (not phase or phases.get(row.phase_id or 0) == phase)]
    of_the_rollout = [row for row in meant if row.phase_id is None]
    meant = of_the_rollout or meant
    if len(meant) == 1:
        return meant[0]
    if meant:
        where = ", ".join(phases[row.phase_id or 0] for row in meant)
        raise LookupError(f"Several phases of {rollout.slug} have an item {key[:50]}: name one of {where}.")
    keys = ", ".join(f"{row.key} ({phases[row.phase_id]})" if row.phase_id else row.key for row in rows)
    raise LookupError(f"{rollout.slug} has no such item {key[:50]}. There are: {keys or 'none'}.")


def inputs_of(form: Mapping[str, Any]) -> dict[str, Any]:
    """What a form says, as arguments of ``take``; ``numbers`` are lines, or a list of them."""
    said = {field.name: form.get(field.name) or "" for field in fields(Recorded)}
    if not isinstance(said["numbers"], str):
        said["numbers"] = "\n".join(said["numbers"])
    recorded = Recorded(**{name: text.strip() for name, text in said.items()})
    return {
        **{name: form.get(name, "") for name in ("evidence", "channel", "answer", "reason")},
        "recorded": recorded,
    }


def take(
    verb: str,
    item: ChecklistItem,
    *,
    by: Actor,
    evidence: str = "",
    channel: str = "",
    answer: str = "",
    reason: str = "",
    recorded: Recorded = NOTHING_BESIDES,
) -> ChecklistItem:
    """``confirm`` or ``unconfirm``: what the checklist's forms do. Raises ``Refused``; then nothing changed."""
    if verb == "confirm":
        return checklist.confirm(item, by=by, evidence=evidence, channel=channel, answer=answer, recorded=recorded)
    return checklist.unconfirm(item, by=by, reason=reason)
