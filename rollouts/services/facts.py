"""Facts for the rules, out of what is stored: no queries on a rollout loaded with ``Rollout.objects.whole()``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from ..models import ChecklistItem, Phase, Rollout, RolloutIssue, TrackedIssue
from ..rules import checklist, digest
from ..rules.capacity import Capacity
from ..rules.checklist import Confirmation, Gate, IssueFacts, ItemKind
from ..rules.expected import Audience, Opening
from ..rules.facts import ItemFacts, PhaseFacts, RolloutFacts
from ..rules.machine import LIVE, SETTLED, RolloutState
from ..rules.ramp import Ramp, Step


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


def for_rollout(rollout: Rollout, now: datetime) -> RolloutFacts:
    """All facts about a rollout at ``now``."""
    phases = newest_attempts(rollout)
    openings = {phase.name: opening_of(phase, rollout) for phase in phases}
    capacity = Capacity(rollout.ai_model.quota_requests_per_minute, rollout.peak_requests_per_minute)
    reading = rollout.flag.latest
    reach = _next_reach(phases, openings)
    current = {phase.pk: phase.name for phase in phases}
    items = tuple(
        _item(item, current.get(item.phase_id or 0), rollout, capacity, reach)
        for item in rollout.items.all()
        if item.phase_id is None or item.phase_id in current
    )
    content = _content(rollout, phases)
    return RolloutFacts(
        state=rollout.state,
        phases=tuple(
            PhaseFacts(
                name=phase.name,
                title=phase.title,
                state=phase.state,
                optional=phase.optional,
                opening=openings[phase.name],
                final_soak=phase.final_soak,
                confirmed_at=phase.confirmed_at,
                requested_by=phase.requested_by,
                asked_digest=phase.asked_digest,
                digest=digest.of_request(
                    content,
                    phase=phase.name,
                    attempt=phase.attempt,
                    items=[i for i in items if i.phase in (None, phase.name) and i.gate is Gate.START],
                ),
                unresolved=tuple(name for name in phase.actors if not _gitlab_id(rollout, name)),
            )
            for phase in phases
        ),
        items=items,
        flag=rollout.flag.name,
        reading=reading,
        capacity=capacity,
        freshness=timedelta(seconds=settings.FRESHNESS_SECONDS),
        now=now,
        owners=tuple(rollout.owners),
        others_live=tuple(
            other.title
            for other in rollout.flag.rollouts.all()
            if other.pk != rollout.pk
            and other.state not in (RolloutState.CLOSED, RolloutState.ABANDONED)
            and any(phase.state in LIVE for phase in other.phases.all())
        ),
    )


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
    found = next((actor.gitlab_id for actor in rollout.flag.instance.actors.all() if actor.name == bare), "")
    return f"{found}:opt_out" if found and opted_out else found


def _next_reach(phases: list[Phase], openings: dict[str, Opening]) -> float:
    """The share of all actors that is in after the next start or advance, 0 to 1."""
    for phase in phases:
        opening = openings[phase.name]
        if phase.state in SETTLED:
            continue
        if phase.state in LIVE and opening.ramp:
            following = opening.ramp.after(opening.step)
            return opening.reach_at(following.percentage if following else opening.step)
        return opening.reach_at(opening.first_step)
    return 1.0


def _item(item: ChecklistItem, phase_name: str | None, rollout: Rollout, capacity: Capacity, reach: float) -> ItemFacts:
    kind = ItemKind(item.kind)
    issue = issue_for(rollout, item.role, phase_name or "") if kind in checklist.ABOUT_AN_ISSUE else None
    confirmation = None
    if item.confirmed_at is not None:
        confirmation = Confirmation(item.confirmed_by, item.confirmed_at, item.evidence)
    return ItemFacts(
        key=item.key,
        title=item.title,
        kind=kind,
        phase=phase_name,
        gate=Gate(item.gate),
        required=item.required,
        verdict=checklist.judge(
            kind,
            issue=_issue(issue) if issue else None,
            presence=rollout.flag.latest.presence,
            capacity=capacity,
            reach=reach,
            confirmation=confirmation,
        ),
    )


def _issue(issue: TrackedIssue) -> IssueFacts:
    return IssueFacts(
        reference=issue.reference,
        state=issue.state,
        found=issue.found,
        task_count=issue.task_count,
        task_done=issue.task_done,
        read_at=issue.read_at,
    )


def _content(rollout: Rollout, phases: list[Phase]) -> dict[str, Any]:
    """What an approval is for: the plan's content as far as it decides who will see what."""
    return {
        "ai_model": rollout.ai_model_id,
        "baseline": rollout.baseline_id,
        "flag": rollout.flag_id,
        "peak": rollout.peak_requests_per_minute,
        "issues": sorted((link.phase_name, link.role, link.issue_id) for link in rollout.issue_links.all()),
        "phases": [
            [
                phase.name,
                phase.audience,
                sorted(phase.actors),
                sorted(phase.groups),
                [[step.percentage, step.soak.total_seconds()] for step in phase.steps.all()],
                phase.final_soak.total_seconds(),
            ]
            for phase in phases
        ],
    }
