"""Plan documents in and out: the whole of a rollout as YAML, the same in the portal and the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import IntegrityError

from ..audit.actor import Actor
from ..models import (
    FeatureFlag,
    GitLabInstance,
    PlanTemplate,
    Rollout,
)
from ..models.change_log import Change
from ..rules import document, plan_merge
from ..rules.blockers import Blocker
from ..rules.document import DocumentRefused
from ..rules.expected import Audience
from ..rules.issue_url import IssueRef, parse_issue_url
from ..rules.machine import PhaseState, Role, state_in_words
from ..rules.metrics import Bound
from ..rules.ordering import Order
from ..rules.phrases import invalid, say
from ..rules.plan import parse_plan
from ..rules.plan_document import Criteria, FlagPlan, ModelPlan, PhasePlan, PlanDocument, StepPlan, dump_plan
from . import facts as facts_of
from . import orders, outbox, plan_rows, series
from .instances import all_instances
from .refusals import Refused, refuse_if, role_missing
from .rollout_work import Work, resting_on, working_on
from .templates import all_templates

PLAN_CHANGED = "plan_changed"


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a plan did, or with ``dry_run`` would do. ``changes`` are sentences; none: nothing changed."""

    slug: str
    title: str
    created: bool
    changes: list[str] = field(default_factory=list)


class _OnlyLooking(Exception):
    """Ends a dry run: everything is taken back."""


def check(text: str | bytes, *, source: str) -> PlanDocument:
    """Read a plan and check what can be checked without applying it. Raises ``DocumentRefused``."""
    plan = parse_plan(text, source=source, templates=all_templates())
    _issue_refs(plan, text, source)
    orders.named(plan, text, source)
    return plan


def apply(
    text: str | bytes, *, by: Actor, source: str, dry_run: bool = False, only: str = "", expect: str = ""
) -> Applied:
    """Make the rollout what the plan says; the same plan again changes nothing. ``only`` is the rollout that is meant,
    ``expect`` the digest of the plan that was looked at: of another nothing is changed.

    Raises ``DocumentRefused`` (with lines) or ``Refused`` (a phase that has started would change); then nothing
    changed.
    """
    refuse_others(by)
    plan = parse_plan(text, source=source, templates=all_templates())
    if only and plan.rollout != only:
        message = say(
            "the plan is for {named}, the address for {only}. Write the same slug in both.",
            named=plan.rollout,
            only=only[:100],
        )
        raise DocumentRefused([document.read(text, source=source).fault(("rollout",), message)])
    refs, others = _issue_refs(plan, text, source), orders.named(plan, text, source)
    known = Rollout.objects.filter(slug=plan.rollout).values_list("pk", flat=True).first()
    model = plan_rows.ai_model_of(plan)
    besides = [*(resting_on(model) if model.differs else ()), *orders.resting_on(others.values())]
    applied = Applied(plan.rollout, plan.title, False)
    try:
        with working_on(known, "plan.apply", by=by, besides=besides) as work:
            _refuse_another(expect, work)
            orders.refuse_circle(plan, text, source)  # as the others stand now that nobody can change them
            is_new, recording = _apply(plan, refs, others, work, by), work.recording
            changes = [change for each in (recording, *recording.after) for change in each.change_log.changes]
            applied = Applied(plan.rollout, plan.title, is_new, [_sentence(change) for change in changes])
            if dry_run:
                raise _OnlyLooking
    except _OnlyLooking:
        pass
    except IntegrityError:
        if known is not None or not Rollout.objects.filter(slug=plan.rollout).exists():
            raise
        return apply(
            text, by=by, source=source, dry_run=dry_run, only=only, expect=expect
        )  # somebody has made it meanwhile
    return applied


def _refuse_another(expect: str, work: Work) -> None:
    """Who names a plan means that one: what stands there by now may be another, or nothing."""
    if not expect or (not work.is_new and digest_of(work.rollout) == expect):
        return
    message = say("The plan is not the one that you looked at: somebody has changed it since. Look at it again.")
    raise Refused([Blocker(PLAN_CHANGED, message)])


def digest_of(rollout: Rollout) -> str:
    """What the plan of a rollout is known by as it stands."""
    return plan_merge.digest(export(rollout))


def export(rollout: Rollout) -> str:
    """The plan document of a rollout as it stands; applying it changes nothing."""
    return dump_plan(document_of(rollout))


def document_of(rollout: Rollout) -> PlanDocument:
    """The plan of a rollout loaded with ``Rollout.objects.whole()``."""
    model, flag = rollout.ai_model, rollout.flag
    described = bool(model.provider and model.provider_model_id)
    links = list(rollout.issue_links.all())
    return PlanDocument(
        rollout=rollout.slug,
        title=rollout.title,
        model=ModelPlan(
            provider=model.provider,
            id=model.provider_model_id,
            host=model.host,
            capability=model.capability,
            name="" if model.name == model.provider_model_id else model.name,
            requests_per_minute=model.quota_requests_per_minute,
            lead_time=model.quota_lead_time,
        )
        if described
        else model.slug,
        baseline=rollout.baseline.slug if rollout.baseline else None,
        flag=FlagPlan(flag.name, flag.project.path if flag.project else None, flag.environment or None),
        template=rollout.template.slug,
        peak_requests_per_minute=rollout.peak_requests_per_minute,
        owners=tuple(rollout.owners),
        after=_named(rollout, Order.AFTER),
        not_with=_named(rollout, Order.NOT_WITH),
        issues={link.role: link.issue.url for link in links if not link.phase_name},
        phases=tuple(
            PhasePlan(
                name=phase.name,
                audience=Audience(phase.audience),
                actors=tuple(phase.actors),
                groups=tuple(phase.groups),
                steps=tuple(
                    StepPlan(step.percentage, step.soak, step.planned_at, step.auto) for step in phase.steps.all()
                ),
                final_soak=phase.final_soak,
                criteria=phase.criteria_asked,
                issues={link.role: link.issue.url for link in links if link.phase_name == phase.name},
            )
            for phase in facts_of.newest_attempts(rollout)
        ),
        criteria=Criteria.from_dict(rollout.criteria),
        guard_metrics=Bound.all_from(rollout.guard_metrics),
        timeline=rollout.timeline,
        mitigation=rollout.mitigation,
    )


def _named(rollout: Rollout, order: Order) -> tuple[str, ...]:
    return tuple(sorted({told["slug"] for told in rollout.ordered or () if told["kind"] == order}))


def refuse_others(by: Actor) -> None:
    """Who plans is a manager. Raises ``Refused``."""
    refuse_if(role_missing(by, Role.MANAGER, say("Planning")))


def _issue_refs(
    plan: PlanDocument, text: str | bytes, source: str
) -> dict[tuple[str, str], tuple[GitLabInstance, IssueRef]]:
    """(phase name, role) to the issue; raises ``DocumentRefused`` for an address on no GitLab that we know."""
    instances = [instance for instance in all_instances() if instance.is_asked]
    written = {("", role): url for role, url in plan.issues.items()}
    for phase in plan.phases:
        written |= {(phase.name, role): url for role, url in phase.issues.items()}
    refs, faults = {}, []
    places = document.read(text, source=source) if written else None
    for (phase_name, role), url in written.items():
        path = ("phases", phase_name, "issues", role) if phase_name else ("issues", role)
        try:
            refs[phase_name, role] = issue_ref(url, instances)
        except ValueError as error:
            assert places is not None
            faults.append(places.fault(path, str(error)))
    if faults:
        raise DocumentRefused(faults)
    return refs


def issue_ref(url: str, instances: list[GitLabInstance]) -> tuple[GitLabInstance, IssueRef]:
    """Which issue of which of these GitLabs an address names. Raises ``ValueError`` that says how to correct it."""
    ref = parse_issue_url(url)
    for instance in instances:
        ref = parse_issue_url(url, base_url=instance.url)
        if ref.base_url == instance.url.rstrip("/").lower() or ref.base_url == instance.url.rstrip("/"):
            return instance, ref
    known = ", ".join(instance.url for instance in instances) or say("none: set GITLAB_URL")
    raise invalid(
        "{url} is no GitLab that the portal knows ({known}). Correct the address, or have an admin add the instance.",
        url=ref.base_url,
        known=known,
    )


def _apply(
    plan: PlanDocument,
    refs: Mapping[tuple[str, str], tuple[GitLabInstance, IssueRef]],
    others: Mapping[tuple[Order, str], int],
    work: Work,
    by: Actor,
) -> bool:
    """Make the rows what the plan says; whether the rollout is new."""
    recording, template_row = work.recording, PlanTemplate.objects.get(slug=plan.template)
    if not work.is_new:
        _refuse_if_over(work.rollout)
    flag = plan_rows.flag_of(plan)
    values = {
        "title": plan.title,
        "ai_model": plan_rows.keep_ai_model(plan),
        "baseline": plan_rows.baseline_of(plan.baseline),
        "flag": flag,
        "template": template_row,
        "owners": list(plan.owners),
        "peak_requests_per_minute": plan.peak_requests_per_minute,
        "criteria": plan.criteria.as_dict(),
        "guard_metrics": {bound.name: bound.as_dict() for bound in plan.guard_metrics},
        "timeline": dict(plan.timeline),
        "mitigation": plan.mitigation,
    }
    is_new, template = work.is_new, template_row.template
    if is_new:
        values |= {"created_at": work.now, "created_by": by.name, "authors": list(by.names)}
        rollout = Rollout.objects.create(slug=plan.rollout, **values)
        work.pk = rollout.pk
    else:
        rollout = work.rollout
        _refuse_if_started(rollout, flag, template_row)
        for name, value in values.items():
            setattr(rollout, name, value)
        rollout.save()
    recording.about = recording.rollout = rollout
    if is_new:
        plan_rows.make_items(rollout, template, None)
    for position, pattern in enumerate(template.phases, start=1):
        phase = plan_rows.apply_phase(rollout, template, pattern.name, position, plan.phase(pattern.name))
        plan_rows.ask_for_criteria(rollout, phase, after=len(template.items))
    plan_rows.link_issues(rollout, refs)
    recording.concerns = orders.keep(rollout, others)
    plan_rows.know_actors(flag.instance, plan)
    work.load_again()
    series.rejudge(work.rollout, work.now)
    if recording.change_log.changes:
        edited(work, by)
    outbox.owe_issues(work, by=by)
    return is_new


def edited(work: Work, by: Actor) -> None:
    """What is asked for was edited, by a plan or another door, inside its work.

    Who edits is an author from then on, and approvals of what was asked for before are void.
    """
    rollout = work.rollout
    if new := [name for name in by.names if name not in rollout.authors]:
        rollout.authors = [*rollout.authors, *new]
    work.settle()


def _refuse_if_over(rollout: Rollout) -> None:
    if rollout.is_over:
        message = say(
            "{slug} is {state}: it can't be planned anew. Choose another slug for a new rollout.",
            slug=rollout.slug,
            state=state_in_words(rollout.state),
        )
        raise Refused([Blocker("rollout_over", message)])


def _refuse_if_started(rollout: Rollout, flag: FeatureFlag, template: PlanTemplate) -> None:
    """The flag decides who sees the model: it stays as it is once any phase has left the plan."""
    touched = [phase for phase in rollout.phases.all() if phase.state != PhaseState.PLANNED]
    blockers = []
    if touched and rollout.flag_id != flag.pk:
        message = say(
            "The flag is {flag} and phases were asked for on it: it can't become {other} any more.",
            flag=rollout.flag.name,
            other=flag.name,
        )
        blockers.append(Blocker("flag_in_use", message, "#exposure"))
    if rollout.template_id != template.pk:
        message = say(
            "The rollout was made from the template {slug}: make a new rollout for another one.",
            slug=rollout.template.slug,
        )
        blockers.append(Blocker("template_in_use", message))
    refuse_if(blockers)


def _sentence(change: Change) -> str:
    """A change as the command and the page tell it."""
    kind = change.label.rpartition(".")[2]
    if not change.before:
        return say("{kind} {change}: new", kind=kind, change=change.title)
    if not change.after:
        return say("{kind} {change}: removed", kind=kind, change=change.title)
    changes = ", ".join(
        f"{name} {change.before.get(name)!r} → {value!r}" for name, value in sorted(change.after.items())
    )
    return f"{kind} {change.title}: {changes}"
