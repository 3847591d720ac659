"""Facts for the rules, out of what is stored: no queries on a rollout that ``Rollout.objects.for_rules()`` loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ..audit import source
from ..models import Approval, ChecklistItem, Phase, Rollout, RolloutIssue, TrackedIssue, accounts, roles
from ..models.orders import Told, moment
from ..rules import checklist, criteria, digest, health, ways
from ..rules.approval_policy import Policy, Target, target
from ..rules.approvals import Given, RequestFacts
from ..rules.capacity import Capacity
from ..rules.checklist import Confirmation, Gate, IssueFacts, ItemKind
from ..rules.comparison import Comparison
from ..rules.expected import Audience, Opening
from ..rules.facts import ItemFacts, PhaseFacts, RolloutFacts
from ..rules.machine import LIVE, MOVING, SETTLED, PhaseState, Role, RolloutState
from ..rules.metrics import Deed, Metric
from ..rules.ordering import Neighbour, Order
from ..rules.ramp import Ramp, Step
from ..rules.waivers import WaiverFacts
from . import content, freshness
from .content import RequestedBy
from .locks import Locks, standing


def newest_attempts(rollout: Rollout) -> list[Phase]:
    """Each phase's newest attempt, in the order of the plan."""
    newest: dict[str, Phase] = {}
    for phase in rollout.phases.all():
        if phase.name not in newest or phase.attempt > newest[phase.name].attempt:
            newest[phase.name] = phase
    return sorted(newest.values(), key=lambda phase: phase.position)


def issue_for(rollout: Rollout, role: str, phase_name: str = "") -> TrackedIssue | None:
    """The issue that plays a role: the phase's own if it has one, else the rollout's."""
    links: dict[tuple[str, str], RolloutIssue] = {
        (link.phase_name, link.role): link for link in rollout.issue_links.all()
    }
    link = links.get((phase_name, role)) or links.get(("", role))
    return link.issue if link else None


def waiver_of(thing: Phase | ChecklistItem) -> WaiverFacts | None:
    """The waiver that was loaded with it, once it was granted; one of something else counts for nothing."""
    one = thing.waiver
    if one is None or not one.decided_by:
        return None
    is_its_own = one.item_id == thing.pk if isinstance(thing, ChecklistItem) else one.is_of_phase(thing)
    if not is_its_own:
        return None
    return WaiverFacts(one.pk, one.state, one.asked_by, one.decided_by, one.reason, one.ends_at)


def for_rollout(rollout: Rollout, now: datetime, locks: Locks | None = None) -> RolloutFacts:
    """All facts about a rollout at ``now``; ``locks`` are those of ``locks.standing``, read here if not given."""
    holding, unread = (standing(now) if locks is None else locks).on(rollout.flag.instance_id)
    phases = newest_attempts(rollout)
    openings = {phase.name: opening_of(phase, rollout) for phase in phases}
    capacity = _capacity(rollout)
    reading = rollout.flag.latest
    reach = _next_reach(phases, openings)
    current = {phase.pk: phase.name for phase in phases}
    items = tuple(
        _item(item, current.get(item.phase_id or 0), rollout, capacity, reach)
        for item in rollout.items.all()
        if item.phase_id is None or item.phase_id in current
    )
    facts = RolloutFacts(
        slug=rollout.slug,
        state=rollout.state,
        version=rollout.version,
        phases=tuple(
            PhaseFacts(
                name=phase.name,
                title=phase.title,
                state=phase.state,
                optional=phase.optional,
                opening=openings[phase.name],
                final_soak=phase.final_soak,
                confirmed_at=phase.confirmed_at,
                unread=phase.unread,
                unresolved=tuple(name for name in phase.actors if not _gitlab_id(rollout, name)),
                policy=phase.policy,
                version=phase.version,
                waiver=waiver_of(phase),
                started_at=phase.started_at,
            )
            for phase in phases
        ),
        items=items,
        flag=rollout.flag.name,
        reading=reading,
        capacity=capacity,
        freshness=freshness.limit(),
        now=now,
        owners=tuple(rollout.owners),
        lifetime_ends=_lifetime_ends(rollout),
        metrics=metrics_of(rollout),
        metrics_may=rollout.template.template.metrics_may if rollout.guard_metrics else Deed.HOLD,
        locks=holding,
        locks_unread=unread,
        others_live=tuple(sorted(rollout.others_live or ())),
        accepted=frozenset(rollout.accepted_drift or ()),
        accepted_until=rollout.accepted_until,
        neighbours=neighbours_of(rollout),
    )
    asked = {phase.name: asked_of(rollout, facts, phase) for phase in phases if phase.standing_requests}
    if not asked:
        return facts
    return replace(facts, phases=tuple(replace(p, request=asked.get(p.name)) for p in facts.phases))


def neighbours_of(rollout: Rollout) -> tuple[Neighbour, ...]:
    """Rollouts that it is ordered with, by its plan or, for both, by theirs."""
    found: dict[tuple[Order, str], list[Told]] = {}
    for told in (*(rollout.ordered or ()), *(rollout.never_with or ())):
        phases = found.setdefault((Order(told["kind"]), told["slug"]), [])
        if told not in phases:
            phases.append(told)
    return tuple(_neighbour(order, found[order, slug]) for order, slug in sorted(found))


def _neighbour(order: Order, phases: list[Told]) -> Neighbour:
    """Out of one line for each attempt at each of its phases."""
    began = {
        told["phase"]: at for told in phases if told["phase_state"] in MOVING and (at := moment(told["started_at"]))
    }
    widened = [at for told in phases for at in (moment(told["started_at"]), moment(told["stepped_at"])) if at]
    first = phases[0]
    return Neighbour(first["slug"], first["title"], order, first["state"], began, max(widened, default=None))


def _capacity(rollout: Rollout) -> Capacity:
    """What its AI model's quota has to carry: this rollout, the others of the model, and the template's margin."""
    template = rollout.template.template
    return Capacity(
        rollout.ai_model.quota_requests_per_minute,
        rollout.peak_requests_per_minute,
        others=round(Decimal(rollout.asked_by_others or 0), 3),
        untold=rollout.untold_by_others or 0,
        margin=template.capacity_margin,
        lead_time=rollout.ai_model.quota_lead_time,
        is_demanded=any(item.kind is ItemKind.CAPACITY and item.required for item in template.items),
    )


def metrics_of(rollout: Rollout) -> tuple[Metric, ...]:
    """What its plan bounds, as it stands."""
    watch = getattr(rollout, "metric_watch", None)
    return Metric.all_from(rollout.guard_metrics, rollout.measured, watch.judged if watch else None)


def _lifetime_ends(rollout: Rollout) -> date | None:
    """The last day that the type of a finished rollout's flag allows it."""
    if rollout.state != RolloutState.COMPLETED:
        return None
    born = health.release_day(rollout.flag.milestone) or rollout.completed_at
    return health.end_of_life(rollout.flag.type, born)


def asked_of(rollout: Rollout, facts: RolloutFacts, phase: Phase) -> RequestFacts:
    """The standing request of a phase, with what would be done now and which approvals still count."""
    request = phase.standing_requests[0]
    about = facts.phase(phase.name)
    to = request.percentage if about.opening.ramp else None
    wanted = target(about.opening, facts.expected, is_start=request.is_start, to=to)
    if wanted is None:  # the plan has no such step any more: what is asked for is then the next one
        wanted = target(about.opening, facts.expected, is_start=request.is_start)
    policy = (about.policy.for_target(wanted) if wanted else None) or about.policy.start
    expires_at = min(request.expires_at, request.requested_at + policy.lives)
    asked = RequestedBy(request.requested_by, request.requested_at, expires_at)
    held = content_of(rollout, facts, phase, asked, wanted, policy)
    stands = digest.of(held)
    return RequestFacts(
        pk=request.pk,
        state=request.state,
        target=wanted,
        requested_by=request.requested_by,
        requested_at=request.requested_at,
        expires_at=expires_at,
        digest=request.digest,
        stands=stands,
        policy=policy,
        authors=frozenset((*rollout.authors, *request.authors)),
        given=tuple(_given(approval, request.carried) for approval in request.given),
        changed=tuple(digest.changes(request.content, held) if stands != request.digest else request.changed),
        content=held,
        hand=source.hand_in(request.source, request.way),
        came=ways.in_words(request.source, request.way),
        waiting_since=request.waiting_since,
        waited=request.waited,
        reminders=request.reminders,
        first_answer_after=request.first_answer_after,
        decided_after=request.decided_after,
    )


def _given(approval: Approval, carried: Mapping[str, str]) -> Given:
    """``carried`` are digests that an earlier release made, with what they are now."""
    person = approval.person
    if person is not None and hasattr(approval, "groups"):  # not on one that was given just now
        roles.know(person, approval.groups or ())
    held = frozenset({Role.ADMIN}) if person is None else roles.of(person)
    groups = frozenset() if person is None else roles.groups_of(person)
    return Given(
        by=approval.approver,
        at=approval.at,
        digest=carried.get(approval.digest, approval.digest),
        roles=held,
        groups=groups,
        twins=accounts.names_of(person) - {approval.approver},
        source=approval.source,
        way=approval.way,
        hand=source.hand_in(approval.source, approval.way),
    )


def content_of(
    rollout: Rollout, facts: RolloutFacts, phase: Phase, asked: RequestedBy, wanted: Target | None, policy: Policy
) -> dict[str, Any]:
    """What an approval is for (``services.content``)."""
    return content.of(rollout, facts, newest_attempts(rollout), phase.name, actor_names(rollout), asked, wanted, policy)


def opening_of(phase: Phase, rollout: Rollout) -> Opening:
    """What a phase opens, actors by GitLab's own ids where they are known and by their plan names where not."""
    audience = Audience(phase.audience)
    steps = tuple(Step(step.percentage, step.soak) for step in phase.steps.all())
    return Opening(
        state=phase.state,
        audience=audience,
        actors=frozenset(_gitlab_id(rollout, name) or name for name in phase.actors),
        groups=frozenset(phase.groups),
        ramp=Ramp(steps) if audience is Audience.PERCENTAGE and steps else None,
        step=phase.percentage,
    )


def actor_names(rollout: Rollout) -> dict[str, str]:
    """GitLab's ids of actors to the names that plans use: ``User:42`` to ``user:alice``."""
    return {actor.gitlab_id: actor.name for actor in rollout.flag.instance.actors.all() if actor.gitlab_id}


def _gitlab_id(rollout: Rollout, name: str) -> str:
    bare, opted_out = name.removesuffix(":opt_out"), name.endswith(":opt_out")
    if bare[:1].isupper():  # GitLab's own id already: User:42
        return name
    if rollout.flag.project_id is not None:  # project flags take any text as a user id
        return bare.partition(":")[2]
    gitlab_id = next((actor.gitlab_id for actor in rollout.flag.instance.actors.all() if actor.name == bare), "")
    return f"{gitlab_id}:opt_out" if gitlab_id and opted_out else gitlab_id


def _next_reach(phases: list[Phase], openings: dict[str, Opening]) -> Decimal:
    """The share of all actors that is in after the next start or advance, 0 to 1."""
    for phase in phases:
        opening = openings[phase.name]
        if phase.state in SETTLED:
            continue
        if phase.state in LIVE and opening.ramp:
            following = opening.ramp.after(opening.step)
            return opening.reach_at(following.percentage if following else opening.step)
        return opening.reach_at(opening.first_step)
    return Decimal(1)


def _item(
    item: ChecklistItem, phase_name: str | None, rollout: Rollout, capacity: Capacity, reach: Decimal
) -> ItemFacts:
    kind = ItemKind(item.kind)
    issue = issue_for(rollout, item.role, phase_name or "") if kind in checklist.ABOUT_AN_ISSUE else None
    confirmation = None
    if item.confirmed_at is not None:
        goes_on = not item.criterion or item.answer == criteria.wanted(item.criterion)
        compared = Comparison.from_dict(item.comparison)
        words = compared.words if compared else ""
        confirmation = Confirmation(item.confirmed_by, item.confirmed_at, item.evidence, item.answer, goes_on, words)
    return ItemFacts(
        key=item.key,
        title=item.title,
        kind=kind,
        phase=phase_name,
        gate=Gate(item.gate),
        required=item.required,
        step=item.step,
        criterion=item.criterion,
        verdict=checklist.judge(
            kind,
            issue=_issue(issue) if issue else None,
            presence=rollout.flag.latest.presence,
            capacity=capacity,
            reach=reach,
            confirmation=confirmation,
        ),
        waiver=waiver_of(item),
        is_reopened=kind is ItemKind.ISSUE_CLOSED
        and item.required
        and item.waiver is None
        and issue is not None
        and issue.found
        and issue.state == "opened"
        and _is_past(item, rollout),
    )


def _is_past(item: ChecklistItem, rollout: Rollout) -> bool:
    """Whether what had to wait for it has happened."""
    if item.phase_id is None:
        return rollout.state in (RolloutState.UNDERWAY, RolloutState.COMPLETED)
    state = next((phase.state for phase in rollout.phases.all() if phase.pk == item.phase_id), "")
    return state == PhaseState.COMPLETED or (item.gate == Gate.START and state in LIVE)


def _issue(issue: TrackedIssue) -> IssueFacts:
    return IssueFacts(
        reference=issue.reference,
        state=issue.state,
        found=issue.found,
        task_count=issue.task_count,
        task_done=issue.task_done,
        read_at=issue.read_at,
        confidential=issue.confidential,
    )
