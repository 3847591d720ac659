"""Carry requests that stand from an earlier release to this one, so that a release voids nothing that was granted.

Until form 2 the digest was over English words. Where those words would be the same today, nothing that the earlier
digest covered has changed: the request gets the content and the digest that are made now, and keeps beside them which
earlier digest stands for the new one. Approvals stay as they were given. Where the words differ, they are void as ever.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from ..audit.actor import Actor
from ..models import ApprovalRequest, ChecklistItem, Phase, PortfolioRow, Rollout
from ..rules import digest
from ..rules.approvals import STANDING, RequestFacts
from ..rules.checklist import Gate
from ..rules.durations import short
from ..rules.exposure import NOBODY
from ..rules.facts import ItemFacts, RolloutFacts
from ..rules.percentages import plain_number
from . import facts as facts_of
from .rollout_work import working_on

JOB = Actor.job("migrate")


def carry_over() -> int:
    """All standing requests of an earlier form; returns how many were carried. Called after each ``migrate``."""
    carried = 0
    for pk in ApprovalRequest.objects.standing().values_list("pk", flat=True):
        carried += _carry(pk)
    PortfolioRow.objects.filter(rollout__phases__requests__state__in=sorted(STANDING)).mark()
    return carried


@transaction.atomic
def _carry(pk: int) -> bool:
    asked = ApprovalRequest.objects.select_related("phase").get(pk=pk)
    if asked.content.get("form") == digest.FORM:
        return False
    with working_on(asked.phase.rollout_id, "approval.carry", by=JOB) as work:
        rollout = work.rollout
        phase = next((each for each in facts_of.newest_attempts(rollout) if each.pk == asked.phase_id), None)
        if phase is None or not phase.standing_requests:
            return False
        facts = work.facts()
        about, request = facts.phase(phase.name).request, phase.standing_requests[0]
        if about is None or digest.of(_in_english(rollout, facts, phase, about)) != request.digest:
            return False
        request.carried = {**request.carried, request.digest: about.stands}
        request.content, request.digest = dict(about.content), about.stands
        request.save()
        work.recording.about = phase
    return True


def _in_english(rollout: Rollout, facts: RolloutFacts, phase: Phase, about: RequestFacts) -> dict[str, Any]:
    """The content as the releases before form 2 made it, to the letter."""
    flag, target = rollout.flag, about.target
    stored = {(item.phase_id, item.key): item for item in rollout.items.all()}
    items: dict[str, str] = {}
    for item in facts.items:
        if item.phase in (None, phase.name) and item.gate is Gate.START:
            title = item.title if item.title not in items else f"{item.title} ({item.key})"
            items[title] = _stands(item, stored[phase.pk if item.phase else None, item.key])
    names = facts_of.actor_names(rollout)
    after = target.after if target else NOBODY
    flag_words = (flag.name, str(flag.project or ""), flag.environment, f"on {flag.instance}")
    guarded = {metric.bound.title: str(metric.bound.words) for metric in facts.metrics}
    return {
        "what": _what(about, phase.title),
        "attempt": phase.attempt,
        "flag": " ".join(word for word in flag_words if word),
        "who sees it then": {
            "everyone": after.boolean,
            "percentage of actors": f"{plain_number(after.percentage_of_actors)} %",
            "groups": sorted(after.groups),
            "actors": sorted(names.get(actor, actor) for actor in after.actors),
        },
        "AI model": rollout.ai_model.slug,
        "baseline": rollout.baseline.slug if rollout.baseline else "",
        "quota": facts.capacity.quota,
        "peak": facts.capacity.peak,
        "issues": {
            f"{link.phase_name} {link.role}".strip().replace("_", " "): link.issue.reference
            for link in rollout.issue_links.all()
        },
        "plan": {each.title: _planned(each) for each in facts_of.newest_attempts(rollout)},
        "checklist": items,
        "approvals": about.policy.as_json(),
        **({"guard metrics": guarded} if guarded else {}),
    }


def _what(about: RequestFacts, title: str) -> str:
    target = about.target
    if target is None:
        return "a step that the ramp no longer has"
    if target.percentage is None:
        return f"Start {title}"
    at = plain_number(target.percentage)
    return f"Start {title} at {at} %" if target.is_start else f"{title} to {at} %"


def _planned(phase: Phase) -> str:
    steps = ", ".join(f"{plain_number(step.percentage)} % for {short(step.soak)}" for step in phase.steps.all())
    who = ", ".join([*sorted(phase.actors), *sorted(phase.groups)])
    parts = (phase.audience.replace("_", " "), who, steps, f"final soak {short(phase.final_soak)}")
    return "; ".join(part for part in parts if part)


def _stands(item: ItemFacts, row: ChecklistItem) -> str:
    if not item.verdict.satisfied:
        return "open"
    return f"done, by {row.confirmed_by}: {row.evidence[:200]}" if row.confirmed_by else "done"
