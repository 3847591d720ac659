"""A plan template from the document that says it: what its keys mean together is judged here."""

from __future__ import annotations

from datetime import timedelta

from .approval_policy import PhasePolicy, Policy, StepRule, default_for
from .checklist import ABOUT_AN_ISSUE, BLOCK_BY_THEMSELVES, Gate, ItemKind
from .document import Document, DocumentRefused, Fault, read
from .machine import Role
from .metrics import Deed
from .phrases import say
from .ramp import SAFE_FINAL_SOAK
from .schema import fit, nearest
from .template import AudienceKind, IssueTemplate, Template, TemplateItem, TemplatePhase
from .template_schema import (
    ApprovalsWritten,
    ItemWritten,
    JumpWritten,
    PhaseWritten,
    TemplateWritten,
    WaivableWritten,
)
from .waivers import Waivable


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
        metrics_may=Deed(written.metrics_may),
        capacity_margin=written.capacity_margin,
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
        waivable=_waivable(written.waivable) if written.waivable or not written.optional else Waivable(),
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
        reauthenticate=written.reauthenticate,
        decide_within=written.decide_within,
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
        waivable=_waivable(written.waivable),
    )


def _waivable(written: WaivableWritten | None) -> Waivable | None:
    if written is None:
        return None
    return Waivable(frozenset(Role(role) for role in written.roles), frozenset(written.groups), written.longest)


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
        if phase.waivable is not None:
            if not phase.optional:
                message = say("only an optional phase can be waived. Add `optional: true`, or take `waivable` out.")
                faults.append(document.fault((*path, "waivable"), message))
            faults += _nobody(document, (*path, "waivable"), phase.waivable)
    return faults


def _nobody(document: Document, path: tuple[str | int, ...], written: WaivableWritten) -> list[Fault]:
    if written.roles or written.groups:
        return []
    message = say("waivable names no role and no group: nobody could grant it. Add one.")
    return [document.fault(path, message)]


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
        if item.waivable is not None:
            if item.kind in BLOCK_BY_THEMSELVES:
                message = say("an item of kind {kind} can't be waived: an admin overrides it. Take `waivable` out.",
                              kind=item.kind)  # fmt: skip
                faults.append(document.fault((*path, "waivable"), message))
            if not item.required:
                message = say("what is not required needs no waiver. Take `waivable` out.")
                faults.append(document.fault((*path, "waivable"), message))
            faults += _nobody(document, (*path, "waivable"), item.waivable)
    roles = {item.role for item in written.items if item.role}
    for role in written.issues:
        if role not in roles:
            message = say("no item has the role «{role}». {nearest}", role=role, nearest=nearest(role, roles))
            faults.append(document.fault(("issues", role), message))
    return faults
