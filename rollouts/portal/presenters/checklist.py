"""The checklist as a page shows it: each item with its verdict and its issue as GitLab has it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from ...audit.actor import Actor
from ...models import ChecklistItem, Phase, Rollout, TrackedIssue
from ...rules.checklist import Gate
from ...rules.facts import ItemFacts, RolloutFacts
from ...rules.machine import OVER, PHASE_VERBS, PhaseState
from ...rules.progress import blockers_of_exit_item
from ...services import facts as facts_of
from ...services.freshness import is_stale

#: From so many on, items that are done are folded beside those that are not.
MANY = 3


@dataclass(frozen=True, slots=True)
class IssueShown:
    """A tracked issue as far as this viewer may see it: without the role no title, no people, no notes.

    ``is_stale``: GitLab was not asked for it for longer than a reading counts as fresh.
    """

    url: str
    label: str
    title: str
    state: str
    is_open: bool
    is_confidential: bool
    tasks_done: int
    tasks: int
    assignees: tuple[str, ...]
    notes: int | None
    changed_at: datetime | None
    read_at: datetime | None
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A checklist item: ``words`` is the fact behind the verdict where no issue says it.

    ``waits`` says of an exit item why nobody can know it yet.
    """

    anchor: str
    title: str
    help: str
    ok: bool
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


@dataclass(frozen=True, slots=True)
class ChecklistSection:
    """The items of the whole rollout or of one phase; open where something of it matters now."""

    title: str
    shown: tuple[Item, ...]
    folded: tuple[Item, ...]
    done: int
    count: int
    is_open: bool

    @property
    def items(self) -> tuple[Item, ...]:
        return self.shown + self.folded


def sections(
    rollout: Rollout, facts: RolloutFacts, phases: dict[str, Phase], viewer: Actor
) -> tuple[ChecklistSection, ...]:
    stored = {(item.phase_id, item.key): item for item in rollout.items.all()}
    by_phase: dict[str, list[Item]] = {}
    for item in facts.items:
        phase = phases.get(item.phase or "")
        row = stored[phase.pk if phase else None, item.key]
        by_phase.setdefault(phase.name if phase else "", []).append(_item(item, row, rollout, phase, viewer, facts))
    current = facts.current.name if facts.current else None
    return tuple(_section(phases.get(name), items, name == current) for name, items in by_phase.items())


def _section(phase: Phase | None, items: list[Item], is_current: bool) -> ChecklistSection:
    required = [item for item in items if item.required]
    folds = sum(item.ok for item in items) >= MANY and not all(item.ok for item in items)
    return ChecklistSection(
        title=phase.title if phase else _("Whole rollout"),
        shown=tuple(item for item in items if not (folds and item.ok)),
        folded=tuple(item for item in items if folds and item.ok),
        done=sum(item.ok for item in required),
        count=len(required),
        is_open=is_current or (phase is None and not all(item.ok for item in required)),
    )


def issue_shown(issue: TrackedIssue, viewer: Actor, facts: RolloutFacts) -> IssueShown:
    sees = viewer.sees_confidential or not issue.confidential
    return IssueShown(
        url=issue.url,
        label=f"#{issue.iid}",
        title=issue.title_for(sees_confidential=viewer.sees_confidential) if issue.read_at else "",
        state={"opened": _("open"), "closed": _("closed")}.get(issue.state, issue.state) if issue.found else "",
        is_open=issue.state == "opened",
        is_confidential=issue.confidential and issue.read_at is not None,
        tasks_done=issue.task_done if sees else 0,
        tasks=issue.task_count if sees else 0,
        assignees=tuple(issue.assignees) if sees else (),
        notes=issue.notes_count if sees and issue.found else None,
        changed_at=issue.changed_at if sees else None,
        read_at=issue.read_at,
        is_stale=is_stale(issue.read_at, facts.now),
    )


def _item(
    item: ItemFacts, row: ChecklistItem, rollout: Rollout, phase: Phase | None, viewer: Actor, facts: RolloutFacts
) -> Item:
    issue = facts_of.issue_for(rollout, row.role, item.phase or "") if row.role else None
    is_open = rollout.state not in OVER and (
        phase is None or phase.state not in (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK)
    )
    may = is_open and not row.is_automatic and viewer.person.has(PHASE_VERBS["request"].role)
    early = is_open and not row.is_automatic and row.gate == Gate.COMPLETE and item.phase is not None
    too_early = blockers_of_exit_item(facts.phase(item.phase)) if early and item.phase else []
    return Item(
        anchor=item.where.removeprefix("#"),
        title=item.title,
        help=row.help,
        ok=item.verdict.satisfied,
        required=item.required,
        words=item.verdict.words,
        issue=issue_shown(issue, viewer, facts) if issue else None,
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        channel=row.channel,
        pk=row.pk,
        kind=row.kind,
        may_confirm=may and row.confirmed_at is None and not too_early,
        may_undo=may and row.confirmed_at is not None,
        guide=row.guide,
        waits=too_early[0].message if too_early and row.confirmed_at is None else "",
    )
