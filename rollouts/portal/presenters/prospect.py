"""A plan that is being written, in words: what is known of all that it names, and who would see the model when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from ...rules.blockers import in_words
from ...rules.expected import Audience
from ...rules.exposure import Exposure
from ...rules.percentages import plain_number
from ...rules.phrases import say, spoken
from ...rules.plan_document import PhasePlan, PlanDocument
from ...rules.ramp import soak_at
from ...rules.template import Template
from ...services import prospects
from ...services.prospects import Known, KnownIssue, Named


@dataclass(frozen=True, slots=True)
class ProspectLine:
    """One thing that is named. ``look``: ok, warn, or no where nothing is known; ``read_at`` where it was read."""

    look: str
    words: str
    url: str = ""
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One start or step to come; without ``at`` it comes as soon as what stands before it allows."""

    title: str
    who: str
    at: datetime | None
    optional: bool
    waits: str


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is told beside the form."""

    lines: tuple[ProspectLine, ...]
    stages: tuple[Stage, ...] = ()
    complete_at: datetime | None = None
    missing: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def of_plan(plan: PlanDocument, template: Template, now: datetime, labels: Mapping[str, str] | None = None) -> Prospect:
    """Of a plan that could be made; ``labels``: what its issues are called, by role."""
    prediction = prospects.ahead(plan, now)
    patterns = {phase.name: phase for phase in template.phases}
    stages, last_phase = [], ""
    for coming in prediction.coming:
        phase = plan.phase(coming.phase)
        is_first = coming.phase != last_phase
        pattern, last_phase = patterns[coming.phase], coming.phase
        stages.append(
            Stage(
                title=pattern.title if is_first else "",
                who=_who(phase, coming.percentage),
                at=None if coming.at <= now else coming.at,
                optional=pattern.optional and is_first,
                waits=_waits(phase, coming.percentage),
            )
        )
    return Prospect(lines_of(Named.by(plan), labels), tuple(stages), prediction.complete_at)


def lines_of(named: Named, labels: Mapping[str, str] | None = None) -> tuple[ProspectLine, ...]:
    """What is known of what is named, also while the plan is not whole."""
    known = prospects.known(named)
    prospect_lines = [*_rollout(known), *_model(named, known), *_flag(named, known)]
    prospect_lines += [
        _issue(issue, (labels or {}).get(issue.role, issue.role.replace("_", " "))) for issue in known.issues
    ]
    prospect_lines += [
        ProspectLine("warn", spoken(say("{name} has no account in the portal yet.", name=name)))
        for name in known.strangers
    ]
    return tuple(prospect_lines)


def _rollout(known: Known) -> Iterable[ProspectLine]:
    if (there := known.rollout) is not None:
        message = say(
            "{slug} is the short name of {title}: that rollout's plan would change.", slug=there.slug, title=there.title
        )
        yield ProspectLine("warn", spoken(message), there.get_absolute_url())


def _model(named: Named, known: Known) -> Iterable[ProspectLine]:
    if not named.model:
        return
    if (model := known.model) is None:
        name = named.model if isinstance(named.model, str) else named.model.id
        yield ProspectLine(
            "no", spoken(say("The portal has no AI model {name} yet: it would be made by this plan.", name=name))
        )
        return
    quota = model.quota_requests_per_minute
    message = say("{model}: its quota is not known", model=str(model))
    if quota is not None:
        message = say("{model}: {quota} requests a minute", model=str(model), quota=quota)
    yield ProspectLine(
        "ok" if quota is not None else "warn", spoken(message), reverse("portal:model", args=[model.slug])
    )


def _flag(named: Named, known: Known) -> Iterable[ProspectLine]:
    if named.flag is None or not named.flag.name:
        return
    if (flag := known.flag) is None:
        message = say(
            "GitLab has told of no flag {name} so far. It lists a flag of the instance once any gate was set.",
            name=named.flag.name,
        )
        yield ProspectLine("no", spoken(message))
        return
    latest = flag.latest
    is_off = latest.exposure is None or latest.exposure.is_nobody
    message = say("{flag}: {read}", flag=flag.name, read=latest.words)
    yield ProspectLine(
        "ok" if is_off else "warn", spoken(message), reverse("portal:flag", args=[flag.pk]), latest.read_at
    )
    for rollout in known.beside:
        message = say("{title} goes live behind the same flag.", title=rollout.title)
        yield ProspectLine("warn", spoken(message), rollout.get_absolute_url())


def _issue(issue: KnownIssue, label: str) -> ProspectLine:
    if issue.wrong:
        return ProspectLine("warn", spoken(say("{role}: {wrong}", role=label, wrong=issue.wrong)))
    row = issue.row
    if row is None or row.read_at is None:
        message = say("{role}: not read yet. GitLab is asked for it once the plan is made.", role=label)
        return ProspectLine("no", spoken(message))
    if not row.found:
        message, look = say("{role}: GitLab does not show it.", role=label), "warn"
    elif row.state == "closed":
        message, look = say("{role}: {issue} is closed", role=label, issue=row.reference), "warn"
    else:
        message, look = say("{role}: {issue} is open", role=label, issue=row.reference), "ok"
    return ProspectLine(look, spoken(message), row.url, row.read_at)


def _who(phase: PhasePlan, percentage: Decimal | None) -> str:
    match phase.audience:
        case Audience.PERCENTAGE if percentage is not None:
            return spoken(say("{percentage} % of all users", percentage=plain_number(percentage)))
        case Audience.ALL_AT_ONCE:
            return _("everyone")
    exposure = Exposure(actors=frozenset(phase.actors), groups=frozenset(phase.groups))
    return _("nobody is named yet") if exposure.is_nobody else spoken(exposure.words)


def _waits(phase: PhasePlan, percentage: Decimal | None) -> str:
    """How long it must stand."""
    soak = soak_at(phase.steps, percentage, phase.final_soak)
    return spoken(say("stands {length}", length=in_words(soak))) if soak else ""
