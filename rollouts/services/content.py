"""What an approval is for, in values: all that the approver is shown of what would be done, nothing that GitLab says.

Values and codes only: words are made when something is shown (``rules.digest``), so that neither another wording nor
another language changes the digest. What is shown and missing here could be changed under an approval
(tests/services/test_approved_then_changed.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ..models import AIModel, ChecklistItem, Phase, Rollout
from ..rules.approval_policy import Policy, Target
from ..rules.checklist import Gate
from ..rules.digest import FORM
from ..rules.exposure import NOBODY, Exposure
from ..rules.facts import ItemFacts, RolloutFacts
from ..rules.percentages import plain_number


@dataclass(frozen=True, slots=True)
class RequestedBy:
    """By whom, when, and until when something is asked for."""

    by: str
    at: datetime
    expires_at: datetime


def of(
    rollout: Rollout,
    facts: RolloutFacts,
    phases: list[Phase],
    name: str,
    actors: dict[str, str],
    asked: RequestedBy,
    wanted: Target | None,
    policy: Policy,
) -> dict[str, Any]:
    """The content of a request for the phase ``name``; ``phases`` are the newest attempts, ``actors`` GitLab's ids of
    actors with the names that plans use."""
    phase = next(each for each in phases if each.name == name)
    return {
        "form": FORM,
        "asked": {"by": asked.by, "at": _moment(asked.at), "expires_at": _moment(asked.expires_at)},
        "what": {
            "phase": name,
            "attempt": phase.attempt,
            "is_start": wanted.is_start if wanted else None,
            "percentage": _share(wanted.percentage) if wanted else None,
        },
        "exposure": _exposure(wanted.after if wanted else NOBODY, actors),
        "rollout": {
            "name": rollout.slug,
            "title": rollout.title,
            "owners": list(rollout.owners),
            "timeline": dict(rollout.timeline),
            "mitigation": rollout.mitigation,
        },
        **_order(rollout),
        "criteria": dict(rollout.criteria),
        "guard_metrics": dict(rollout.guard_metrics),
        "flag": _flag(rollout),
        "model": _model(rollout.ai_model),
        "baseline": _model(rollout.baseline) if rollout.baseline else None,
        "peak": facts.capacity.peak,
        "issues": {
            f"{link.phase_name} {link.role}".strip(): link.issue.reference for link in rollout.issue_links.all()
        },
        "plan": {each.name: _phase(each) for each in phases},
        "checklist": _checklist(rollout, facts, phases, phase),
        "approvals": policy.as_json(),
    }


def _order(rollout: Rollout) -> dict[str, Any]:
    """Which rollouts it is ordered with; nothing where with none, so that what stands from before is the same."""
    named: dict[str, list[str]] = {}
    for told in rollout.ordered or ():
        named.setdefault(told["kind"], []).append(told["slug"])
    return {"order": {kind: sorted(set(slugs)) for kind, slugs in named.items()}} if named else {}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _share(percentage: Decimal | None) -> str | None:
    """«25», «0.1»: one way to write it, however many zeros it is stored with."""
    return None if percentage is None else str(plain_number(percentage))


def _exposure(after: Exposure, actors: dict[str, str]) -> dict[str, Any]:
    return {
        "everyone": after.boolean,
        "percentage": _share(after.percentage_of_actors),
        "groups": sorted(after.groups),
        "actors": sorted(actors.get(actor, actor) for actor in after.actors),
    }


def _flag(rollout: Rollout) -> dict[str, str]:
    flag = rollout.flag
    return {
        "name": flag.name,
        "project": flag.project.path if flag.project else "",
        "environment": flag.environment,
        "instance": flag.instance.name,
        "url": flag.instance.url,
    }


def _model(model: AIModel) -> dict[str, Any]:
    """What stands behind a model's short name: another provider, id or host is another model.

    The lead time only where it is known, so that what stands from before is the same.
    """
    lead_time = model.quota_lead_time
    return {
        "slug": model.slug,
        "name": model.name,
        "provider": model.provider,
        "id": model.provider_model_id,
        "host": model.host,
        "capability": model.capability,
        "quota": model.quota_requests_per_minute,
        **({"lead_time_seconds": int(lead_time.total_seconds())} if lead_time else {}),
    }


def _phase(phase: Phase) -> dict[str, Any]:
    return {
        "title": phase.title,
        "attempt": phase.attempt,
        "position": phase.position,
        "optional": phase.optional,
        "audience": phase.audience,
        "actors": sorted(phase.actors),
        "groups": sorted(phase.groups),
        "steps": [
            {
                "percentage": _share(step.percentage),
                "soak": int(step.soak.total_seconds()),
                "planned_at": _moment(step.planned_at) if step.planned_at else None,
                "auto": step.auto,
            }
            for step in phase.steps.all()
        ],
        "final_soak": int(phase.final_soak.total_seconds()),
        "policy": phase.policy.as_json(),
        **({"criteria_asked": phase.criteria_asked} if phase.criteria_asked else {}),
    }


def _checklist(rollout: Rollout, facts: RolloutFacts, phases: list[Phase], phase: Phase) -> dict[str, Any]:
    """What each item asks; of those that the phase starts on also how it stands."""
    names: dict[int | None, str | None] = {None: None}
    names |= {each.pk: each.name for each in phases}
    rows = {(names[item.phase_id], item.key): item for item in rollout.items.all() if item.phase_id in names}
    return {
        f"{item.phase or 'rollout'} {item.key}": _item(item, rows[item.phase, item.key], phase.name, facts.now)
        for item in facts.items
    }


def _item(item: ItemFacts, row: ChecklistItem, phase: str, now: datetime) -> dict[str, Any]:
    """An automatic item counts by whether it is satisfied, not by its words: another note changes nothing."""
    asks = {"title": item.title, "help": row.help, "kind": str(item.kind), "role": row.role, "gate": str(item.gate),
            "required": item.required}  # fmt: skip
    if item.gate is not Gate.START or item.phase not in (None, phase):
        return asks
    confirmation = (
        {"by": row.confirmed_by, "evidence": row.evidence, "channel": row.channel} if row.confirmed_by else {}
    )
    besides = {"owner": row.owner, "link": row.link, "comparison": row.comparison}
    confirmation |= {name: value for name, value in besides.items() if value}
    waived = {}
    if not item.verdict.satisfied and item.waiver is not None and item.waiver.stands(now):
        by, until = item.waiver.granted_by, _moment(item.waiver.ends_at)
        waived = {"waiver": {"number": item.waiver.pk, "by": by, "until": until}}
    return {**asks, "done": item.verdict.satisfied, **confirmation, **waived}
