"""What a new rollout from a template would look like, what differs from what is stored, and whom that concerns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import PlanTemplate, clock
from ..portal.charts import track
from ..portal.charts.track import Track
from ..rules.blockers import in_words
from ..rules.capacity import Capacity
from ..rules.document import DocumentRefused, Fault
from ..rules.expected import Audience, Drift, FlagReading, Opening, Presence
from ..rules.facts import PhaseFacts, RolloutFacts
from ..rules.line_difference import DiffLine, diff
from ..rules.machine import Role
from ..rules.phrases import spoken
from ..rules.ramp import Ramp, Step
from ..rules.template import Template, TemplateItem, TemplatePhase
from ..rules.template_document import parse_template
from ..services import known_people

WIDTH, HEIGHT, LEFT, BOTTOM = 648.0, 150.0, 40.0, 24.0


@dataclass(frozen=True, slots=True)
class Wrong:
    """A fault with the line that it is about."""

    fault: Fault
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The ramp at its quickest: percentage over time."""

    points: str
    levels: tuple[tuple[float, int], ...]
    ticks: tuple[tuple[float, str], ...]
    words: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT


@dataclass(frozen=True, slots=True)
class PhasePreview:
    phase: TemplatePhase
    who: str
    steps: tuple[tuple[Decimal, str], ...]
    final_soak: str
    policy: str
    #: Groups that the policy names, and in which nobody is.
    empty_groups: tuple[str, ...]
    items: tuple[TemplateItem, ...]
    curve: Curve | None


@dataclass(frozen=True, slots=True)
class Preview:
    """Either ``wrong`` says why there is no rollout to show, or the rest shows it."""

    wrong: tuple[Wrong, ...] = ()
    template: Template | None = None
    track: Track | None = None
    items: tuple[TemplateItem, ...] = ()
    phases: tuple[PhasePreview, ...] = ()
    diff: tuple[DiffLine, ...] = ()
    effects: tuple[str, ...] = ()
    #: Groups that a policy may name besides the roles, with how many people are in each.
    groups: Mapping[str, int] = field(default_factory=dict)

    @property
    def lines(self) -> str:
        """The lines with faults, for the editor's margin."""
        return " ".join(str(one.fault.line) for one in self.wrong if one.fault.line)


def of(document: str, *, slug: str, stored: PlanTemplate | None) -> Preview:
    """Two queries at most: how many rollouts were made from what is stored, and who is in which group."""
    document = document.replace("\r\n", "\n")
    try:
        template = parse_template(document, source=slug or "template")
    except DocumentRefused as refused:
        lines = document.split("\n")
        parts = (Wrong(one, lines[one.line - 1][:160] if 0 < one.line <= len(lines) else "") for one in refused.faults)
        return Preview(wrong=tuple(parts), diff=diff(stored.document if stored else "", document))
    groups = known_people.groups()
    return Preview(
        template=template,
        track=track.track(_facts(template), Drift.NONE),
        items=template.items_of(None),
        phases=tuple(_phase(phase, template, groups) for phase in template.phases),
        groups={name: people for name, people in groups.items() if name not in set(Role)},
        diff=diff(stored.document if stored else "", document),
        effects=tuple(_effects(stored, template)) if stored else (),
    )


def _facts(template: Template) -> RolloutFacts:
    """A rollout that begins: everything planned, nothing read."""
    phases = tuple(
        PhaseFacts(
            name=phase.name,
            title=phase.title,
            state="planned",
            optional=phase.optional,
            opening=Opening(
                state="planned",
                audience=_audience(phase),
                ramp=Ramp(tuple(Step(step, phase.soak) for step in phase.steps)) if _has_ramp(phase) else None,
            ),
            policy=phase.approvals,
        )
        for phase in template.phases
    )
    return RolloutFacts(
        state="draft",
        phases=phases,
        items=(),
        flag="",
        reading=FlagReading(Presence.UNREAD, None, None, None),
        capacity=Capacity(None, None),
        freshness=timedelta(),
        now=clock.now(),
    )


def _has_ramp(phase: TemplatePhase) -> bool:
    return phase.audience == "everyone" and phase.method == "percentage"


def _audience(phase: TemplatePhase) -> Audience:
    if phase.audience == "everyone":
        return Audience.PERCENTAGE if _has_ramp(phase) else Audience.ALL_AT_ONCE
    return Audience(phase.audience)


def _phase(phase: TemplatePhase, template: Template, groups: Mapping[str, int]) -> PhasePreview:
    has_ramp = _has_ramp(phase)
    if phase.audience == "everyone":
        who = _("All users, by percentage") if has_ramp else _("All users, all at once")
    else:
        kind = _("Named users, groups and projects") if phase.audience == "actors" else _("Feature groups")
        names = ", ".join(phase.actors or phase.groups) or _("named in the plan")
        who = f"{kind}: {names}"
    return PhasePreview(
        phase=phase,
        who=who,
        steps=tuple((step, in_words(phase.soak)) for step in phase.steps) if has_ramp else (),
        final_soak=in_words(phase.final_soak) if phase.final_soak else "",
        policy=phase.approvals.words(has_ramp=has_ramp),
        empty_groups=tuple(sorted(phase.approvals.start.groups - groups.keys())),
        items=template.items_of(phase.name),
        curve=_curve(phase) if has_ramp else None,
    )


def _curve(phase: TemplatePhase) -> Curve:
    """Each step after the soak of the one before, the last one for the final soak."""
    begins = [phase.soak * number for number in range(len(phase.steps))]
    whole = begins[-1] + phase.final_soak
    span = max(whole.total_seconds(), 1.0)

    def x(moment: timedelta) -> float:
        return round(LEFT + moment.total_seconds() / span * (WIDTH - LEFT - 10), 1)

    def y(percentage: float) -> float:
        return round(10 + (1 - percentage / 100) * (HEIGHT - BOTTOM - 10), 1)

    points, level = [], 0.0
    for begin, percentage in zip(begins, phase.steps, strict=True):
        before, level = level, float(percentage)
        points += [f"{x(begin)},{y(before)}", f"{x(begin)},{y(level)}"]
    points.append(f"{x(whole)},{y(level)}")
    words = _("At its quickest %(steps)s %% take %(ramp)s, and %(whole)s until the phase may complete.") % {
        "steps": ", ".join(map(localize, phase.steps)),
        "ramp": spoken(in_words(begins[-1])) if begins[-1] else _("no time"),
        "whole": spoken(in_words(whole)),
    }
    return Curve(
        points=" ".join(points),
        levels=tuple((y(percentage), percentage) for percentage in (0, 50, 100)),
        ticks=((x(timedelta()), _("start")), (x(whole), in_words(whole))),
        words=words,
    )


def _effects(stored: PlanTemplate, after: Template) -> Iterator[str]:
    """What saving would mean for rollouts that were made from it before."""
    number = stored.rollouts.count()
    if not number:
        yield _("No rollout was made from it yet: nothing else changes.")
        return
    yield ngettext(
        "%(number)s rollout was made from it. It keeps its phases, steps, soaks and checklist: they were copied.",
        "%(number)s rollouts were made from it. They keep their phases, steps, soaks and checklists: they were copied.",
        number,
    ) % {"number": number}
    try:
        before = stored.template
    except DocumentRefused:
        return
    for phase in after.phases:
        if phase.name not in before.phase_names:
            yield _("%(title)s is new: they get it when their plan is applied the next time.") % {"title": phase.title}
        elif phase.approvals != before.phase(phase.name).approvals:
            has_ramp = _has_ramp(phase)
            parts = {"title": phase.title, "words": spoken(phase.approvals.words(has_ramp=has_ramp))}
            yield (
                _("Who must approve %(title)s changes for them at once: %(words)s Open requests are asked for anew.")
                % parts
            )
    for phase in before.phases:
        if phase.name not in after.phase_names:
            parts = {"title": phase.title}
            yield _("%(title)s is gone: they keep it, but their plans can't be applied any more as they are.") % parts
    if before.issues != after.issues:
        yield _("Issues that are still missing are made from the new texts.")
