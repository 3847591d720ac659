"""A plan template: the phases and checklist of a practice, as data. The built-in one carries GitLab's guide.

Source: guide, rules G1 to G14 (DESIGN section 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from .approval_policy import USUAL, PhasePolicy, Policy, StepRule, default_for
from .checklist import ABOUT_AN_ISSUE, Gate, ItemKind
from .document import Document, DocumentRefused, Fault, read
from .machine import Role
from .phrases import say
from .ramp import SAFE_FINAL_SOAK, SAFE_SOAK, SAFE_STEPS
from .schema import fit, nearest
from .template_schema import (
    ApprovalsWritten,
    AudienceKind,
    ItemWritten,
    JumpWritten,
    Method,
    PhaseWritten,
    TemplateWritten,
)


@dataclass(frozen=True, slots=True)
class TemplatePhase:
    """One audience in order, with what a plan gets that says nothing else. ``recommended`` is advice in a sentence.

    ``approvals`` says who must agree to its start and its steps. Method, steps and their soak speak for phases with
    audience ``everyone`` only, ``final_soak`` for any: so long it must have stood, as read, before it is complete.
    """

    name: str
    title: str
    audience: AudienceKind
    optional: bool = False
    recommended: str = ""
    actors: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    method: Method = "percentage"
    steps: tuple[Decimal, ...] = SAFE_STEPS
    soak: timedelta = SAFE_SOAK
    final_soak: timedelta = SAFE_FINAL_SOAK
    approvals: PhasePolicy = USUAL


@dataclass(frozen=True, slots=True)
class TemplateItem:
    """One prerequisite. ``phase`` None is the whole rollout; ``guide`` is the rule that it comes from («G7»)."""

    key: str
    title: str
    kind: ItemKind
    gate: Gate = Gate.START
    help: str = ""
    role: str = ""
    phase: str | None = None
    required: bool = True
    guide: str = ""


@dataclass(frozen=True, slots=True)
class IssueTemplate:
    """The issue for a role that a rollout lacks. ``{title}``, ``{model}``, ``{flag}`` … stand for the rollout's."""

    title: str
    description: str = ""
    labels: tuple[str, ...] = ()
    confidential: bool = False
    project: str = ""

    @staticmethod
    def fill(text: str, words: Mapping[str, str]) -> str:
        """The text with each ``{name}`` that is known replaced; anything else in braces stays."""
        return re.sub(r"\{(\w+)\}", lambda found: words.get(found[1], found[0]), text)


@dataclass(frozen=True, slots=True)
class Template:
    """Phases in order and their checklist; ``issues`` are patterns by role."""

    slug: str
    title: str
    phases: tuple[TemplatePhase, ...]
    items: tuple[TemplateItem, ...] = ()
    description: str = ""
    issues: Mapping[str, IssueTemplate] = field(default_factory=dict, hash=False)

    def phase(self, name: str) -> TemplatePhase:
        """The phase of this name. Raises ``KeyError``."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise KeyError(name)

    @property
    def phase_names(self) -> tuple[str, ...]:
        return tuple(phase.name for phase in self.phases)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that issues play in this template, in its order."""
        return tuple(dict.fromkeys(item.role for item in self.items if item.role))

    def items_of(self, phase: str | None) -> tuple[TemplateItem, ...]:
        """The items of a phase, or of the rollout (None)."""
        return tuple(item for item in self.items if item.phase == phase)


def parse_template(text: str | bytes, *, source: str = "template.yaml") -> Template:
    """Read a template document. Raises ``DocumentRefused`` with every fault."""
    document = read(text, source=source)
    written, faults = fit(document, TemplateWritten)
    if written is not None:
        faults = [*_phase_faults(document, written), *_item_faults(document, written)]
    if faults or written is None:
        raise DocumentRefused(faults)
    return Template(
        slug=written.template,
        title=written.title,
        description=written.description,
        phases=tuple(_phase(phase) for phase in written.phases),
        items=tuple(_item(item) for item in written.items),
        issues={
            role: IssueTemplate(
                pattern.title,
                pattern.description,
                tuple(pattern.labels),
                pattern.confidential,
                pattern.project or "",
            )
            for role, pattern in written.issues.items()
        },
    )


def _phase(written: PhaseWritten) -> TemplatePhase:
    return TemplatePhase(
        name=written.name,
        title=written.title,
        audience=written.audience,
        optional=written.optional,
        recommended=written.recommended,
        actors=tuple(written.actors),
        groups=tuple(written.groups),
        method=written.method,
        steps=tuple(written.steps),
        soak=written.soak,
        final_soak=_final_soak(written),
        approvals=_approvals(written.approvals, written.audience),
    )


def _final_soak(written: PhaseWritten) -> timedelta:
    """Where nothing is said, all users stand for a day before that phase is complete; earlier phases may go on."""
    if written.final_soak is not None:
        return written.final_soak
    return SAFE_FINAL_SOAK if written.audience == "everyone" else timedelta(0)


def _approvals(written: ApprovalsWritten, audience: AudienceKind) -> PhasePolicy:
    default = default_for(audience)
    start = Policy(
        needed=written.needed or default.start.needed,
        roles=frozenset(Role(role) for role in written.roles),
        groups=frozenset(written.groups),
        requester_may=written.requester_may,
        author_may=written.author_may,
        lives=written.lives,
    )
    steps = default.steps
    if written.steps is not None:
        steps = tuple(StepRule(rule.at_least, rule.needed) for rule in written.steps)
    jump = written.jump or JumpWritten(points=default.jump_points, needed=default.jump_needed)
    return PhasePolicy(start, steps, jump.points, jump.needed)


def _item(written: ItemWritten) -> TemplateItem:
    return TemplateItem(
        key=written.key,
        title=written.title,
        kind=ItemKind(written.kind),
        gate=Gate(written.gate),
        help=written.help,
        role=written.role or "",
        phase=written.phase,
        required=written.required,
        guide=written.guide,
    )


def _phase_faults(document: Document, written: TemplateWritten) -> list[Fault]:
    faults, seen = [], set[str]()
    fitting = {
        "actors": {"actors", "final_soak"},
        "groups": {"groups", "final_soak"},
        "everyone": {"method", "steps", "soak", "final_soak"},
    }
    for position, phase in enumerate(written.phases):
        path = ("phases", position)
        if phase.name in seen:
            message = say("a phase «{phase}» is there already. Give each phase a name of its own.", phase=phase.name)
            faults.append(document.fault((*path, "name"), message))
        seen.add(phase.name)
        for key in set().union(*fitting.values()) - fitting[phase.audience]:
            if key in phase.model_fields_set:
                message = say(
                    "`{key}` does not fit the audience {audience}. Take it out.", key=key, audience=phase.audience
                )
                faults.append(document.fault((*path, key), message))
        for key in ("steps", "jump") if phase.audience != "everyone" else ():
            if getattr(phase.approvals, key) is not None:
                message = say("approvals.`{key}` fits the audience everyone only. Take it out.", key=key)
                faults.append(document.fault((*path, "approvals", key), message))
        if not phase.approvals.roles and not phase.approvals.groups:
            message = say("approvals name no role and no group: nobody could approve. Add one.")
            faults.append(document.fault((*path, "approvals"), message))
    return faults


def _item_faults(document: Document, written: TemplateWritten) -> list[Fault]:
    faults, seen = [], set[str]()
    phases = [phase.name for phase in written.phases]
    for position, item in enumerate(written.items):
        path = ("items", position)
        if item.key in seen:
            message = say("an item «{key}» is there already. Give each item a key of its own.", key=item.key)
            faults.append(document.fault((*path, "key"), message))
        seen.add(item.key)
        if item.phase is not None and item.phase not in phases:
            message = say(
                "«{phase}» is no phase of this template. {nearest}",
                phase=item.phase,
                nearest=nearest(item.phase, phases),
            )
            faults.append(document.fault((*path, "phase"), message))
        if item.kind in ABOUT_AN_ISSUE and not item.role:
            message = say("an item of kind {kind} needs the role of its issue. Add `role: …`.", kind=item.kind)
            faults.append(document.fault((*path, "kind"), message))
        if item.kind not in ABOUT_AN_ISSUE and item.role:
            message = say(
                "only items about an issue have a role, this one is of kind {kind}. Take the role out.", kind=item.kind
            )
            faults.append(document.fault((*path, "role"), message))
    roles = {item.role for item in written.items if item.role}
    for role in written.issues:
        if role not in roles:
            message = say("no item has the role «{role}». {nearest}", role=role, nearest=nearest(role, roles))
            faults.append(document.fault(("issues", role), message))
    return faults
